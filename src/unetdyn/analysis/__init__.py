"""Histories in, numbers out: NumPy and SciPy only, no Keras and no backend."""
