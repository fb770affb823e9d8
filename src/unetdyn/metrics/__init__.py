"""Metrics: validate, update and compute as functions, and thin `keras.metrics.Metric` classes around them."""
