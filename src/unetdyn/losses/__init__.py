"""Losses: pure functions on `keras.ops` and thin `keras.losses.Loss` classes around them."""

import keras  # noqa: F401  # isort: skip  (first: importing Keras registers our objects, before our modules are half imported)

from unetdyn.losses.bce_dice import BCEDiceLoss, bce_dice_loss
from unetdyn.losses.boundary import BoundaryLoss, boundary_loss
from unetdyn.losses.boundary_targets import boundary_targets, signed_distance
from unetdyn.losses.deep_supervision import DeepSupervisionLoss
from unetdyn.losses.dice import DiceLoss, dice_loss
from unetdyn.losses.focal import BinaryFocalLoss, binary_focal_loss
from unetdyn.losses.jaccard import SoftJaccardLoss
from unetdyn.losses.lovasz import LovaszHingeLoss, LovaszSoftmaxLoss, lovasz_hinge, lovasz_softmax
from unetdyn.losses.tversky import FocalTverskyLoss, TverskyLoss, tversky_loss

__all__ = [
    "BCEDiceLoss",
    "BinaryFocalLoss",
    "BoundaryLoss",
    "DeepSupervisionLoss",
    "DiceLoss",
    "FocalTverskyLoss",
    "LovaszHingeLoss",
    "LovaszSoftmaxLoss",
    "SoftJaccardLoss",
    "TverskyLoss",
    "bce_dice_loss",
    "binary_focal_loss",
    "boundary_loss",
    "boundary_targets",
    "dice_loss",
    "lovasz_hinge",
    "lovasz_softmax",
    "signed_distance",
    "tversky_loss",
]
