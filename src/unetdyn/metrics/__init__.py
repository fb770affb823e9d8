"""Metrics: validate, update and compute as functions, and thin `keras.metrics.Metric` classes around them."""

import keras  # noqa: F401  # isort: skip  (first: importing Keras registers our objects, before our modules are half imported)

from unetdyn.metrics.function_and_metric import jacard_coef
from unetdyn.metrics.jaccard import thresholded_jaccard
from unetdyn.metrics.soft import SoftJaccard, soft_jaccard
from unetdyn.metrics.thresholded import ThresholdedJaccard

__all__ = ["SoftJaccard", "ThresholdedJaccard", "jacard_coef", "soft_jaccard", "thresholded_jaccard"]
