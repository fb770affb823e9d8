"""Training and validation loss side by side."""

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.curves import Curves


def loss_pairs(curves: Curves) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Epochs, training losses and validation losses of the epochs that have both; empty without one of them.

    >>> loss_pairs(Curves({"loss": ([0, 1, 2], [0.9, 0.5, 0.4]), "val_loss": ([1], [0.6])}))
    (array([1]), array([0.5]), array([0.6]))
    """
    if "loss" not in curves or "val_loss" not in curves:
        return np.empty(0, np.int64), np.empty(0), np.empty(0)
    training, validation = curves["loss"], curves["val_loss"]
    epochs, trained, validated = np.intersect1d(training.epochs, validation.epochs, return_indices=True)
    return epochs, training.values[trained], validation.values[validated]
