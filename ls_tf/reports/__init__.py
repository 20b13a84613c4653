"""Tables and figures, one module each, built from run records."""
