"""Losses per example, unreduced, beside the plain NLL."""
