"""Metrics: validate, update and compute as functions, and thin `keras.metrics.Metric` classes around them."""

import keras  # noqa: F401  # isort: skip  (first: importing Keras registers our objects, before our modules are half imported)

from unetdyn.metrics.function_and_metric import jacard_coef
from unetdyn.metrics.jaccard import thresholded_jaccard
from unetdyn.metrics.score_metrics import Accuracy, Dice, Precision, Recall, Specificity
from unetdyn.metrics.scores import accuracy, dice, precision, recall, specificity
from unetdyn.metrics.soft import SoftJaccard, soft_jaccard
from unetdyn.metrics.thresholded import ThresholdedJaccard

__all__ = [
    "Accuracy",
    "Dice",
    "Precision",
    "Recall",
    "SoftJaccard",
    "Specificity",
    "ThresholdedJaccard",
    "accuracy",
    "dice",
    "jacard_coef",
    "precision",
    "recall",
    "soft_jaccard",
    "specificity",
    "thresholded_jaccard",
]
