"""Layers that several models share, where Keras has none that fits."""
