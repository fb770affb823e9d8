"""Losses: pure functions on `keras.ops` and thin `keras.losses.Loss` classes around them."""

import keras  # noqa: F401  # isort: skip  (first: importing Keras registers our objects, before our modules are half imported)

from unetdyn.losses.focal import BinaryFocalLoss, binary_focal_loss
from unetdyn.losses.jaccard import SoftJaccardLoss

__all__ = ["BinaryFocalLoss", "SoftJaccardLoss", "binary_focal_loss"]
