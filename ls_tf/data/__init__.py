"""Data sets, one module each: what is promised of it, and where it lies."""
