"""Data sets, one module each; `load` gives decoded arrays."""
