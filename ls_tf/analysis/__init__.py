"""Numbers from arrays: pure NumPy, SciPy and scikit-learn."""
