"""Runs carried to a machine without a network, and their records back."""
