"""Losses, found by name; the plain NLL is logged beside each of them."""
