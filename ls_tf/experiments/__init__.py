"""Experiments, one module each: data only."""
