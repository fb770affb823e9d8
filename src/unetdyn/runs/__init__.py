"""The run directory: written crash-safe, read without Keras."""
