"""The epochs of a log: whole numbers, and of one training."""

import warnings

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LARGEST = 2**53  # above it a float no longer tells neighbouring whole numbers apart


def whole_epochs(epochs: ArrayLike) -> NDArray[np.int64]:
    """Epochs as whole numbers; a fraction is refused, not cut off.

    >>> whole_epochs([0.0, 1.0])
    array([0, 1])
    >>> whole_epochs([0, 0.5])
    Traceback (most recent call last):
    ValueError: `epochs` must be whole numbers, as Keras counts them from 0. Received: [0.0, 0.5].
    """
    received = np.asarray(epochs)
    try:
        numbers = received.astype(np.float64)
    except (TypeError, ValueError):
        numbers = np.array([np.nan])
    if not np.all((numbers == np.round(numbers)) & (np.abs(numbers) < _LARGEST)):
        raise ValueError(
            f"`epochs` must be whole numbers, as Keras counts them from 0. Received: {str(received.tolist())[:80]}."
        )
    return numbers.astype(np.int64)


def start_of_last_training(epochs: NDArray[np.int64], source: str) -> int:
    """The row of a log with which its last training begins, with a warning where others come before.

    A training that was broken off and taken up again goes back to an epoch after the first, and remains one.

    >>> start_of_last_training(np.array([0, 1, 2, 2, 3]), "log.csv")
    0
    """
    starts = np.flatnonzero((epochs[1:] < epochs[:-1]) & (epochs[1:] == epochs[:1])) + 1
    if not len(starts):
        return 0
    text = (
        f"{source} holds {len(starts) + 1} trainings, one appended to the other: its epochs drop back to {epochs[0]}. "
        f"Only the last, of {len(epochs) - starts[-1]} rows, is read."
    )
    warnings.warn(text, UserWarning, stacklevel=2)
    return int(starts[-1])
