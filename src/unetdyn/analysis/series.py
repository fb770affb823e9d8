"""One series of values with its epochs: what a single curve is, and the checks of what is passed as one."""

import os
import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LARGEST = 2**53  # above it a float no longer tells neighbouring whole numbers apart


class Curve(NamedTuple):
    """One logged value over the epochs.

    Attributes:
        epochs: `(n,)` int64, ascending, from 0: those in which the value was logged.
        values: `(n,)` float64, NaN and infinity where they were logged.
    """

    epochs: NDArray[np.int64]
    values: NDArray[np.float64]


def series(values: ArrayLike | Curve, epochs: ArrayLike | None = None) -> Curve:
    """Checked arrays of what was passed as `values` and `epochs`.

    Args:
        values: `(n,)`, oldest first; NaN and infinity are let through. Or a `Curve`, which brings its epochs.
        epochs: `(n,)` ascending whole numbers; default the curve's, or else 0, 1, 2 …

    Raises:
        TypeError: If a whole history was passed.
        ValueError: If the values are no series, or the epochs do not fit them.

    Example:
        >>> series([0.1, 0.2])
        Curve(epochs=array([0, 1]), values=array([0.1, 0.2]))
    """
    values, epochs = parts(values, epochs)
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"`values` must be one value an epoch, of shape (epochs,). Received: shape {array.shape}.")
    when = np.arange(len(array)) if epochs is None else whole_epochs(epochs)
    if when.shape != array.shape or np.any(np.diff(when) <= 0):
        raise ValueError(
            f"`epochs` must be ascending whole numbers, one for each of the {len(array)} values. "
            f"Received: {str(when.tolist())[:80]}."
        )
    return Curve(when, array)


def parts(values: ArrayLike | Curve, epochs: ArrayLike | None = None) -> tuple[ArrayLike, ArrayLike | None]:
    """Values and epochs as they were passed, a `Curve` taken apart; a whole history is refused.

    >>> parts({"loss": [0.5]})
    Traceback (most recent call last):
    TypeError: `values` must be one curve: of a history take `read_history(history)["val_loss"]`. Received: dict.
    """
    if isinstance(values, Curve):
        return values.values, values.epochs if epochs is None else epochs
    if isinstance(values, Mapping | str | os.PathLike) or hasattr(values, "history"):
        raise TypeError(
            '`values` must be one curve: of a history take `read_history(history)["val_loss"]`. '
            f"Received: {type(values).__name__}."
        )
    return values, epochs


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
