"""One series of values with its epochs: what a single curve is, and the checks of what is passed as one."""

import os
import warnings
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LARGEST = 2**53  # above it a float no longer tells neighbouring whole numbers apart
_MOST_FALLS = 1000  # of a log that was appended to; more often only a table in no order goes back


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


def last_training(epochs: NDArray[np.int64], source: str, header: str = "") -> NDArray[np.bool_]:
    """Which rows of a log are of its last training; what is left out is told by a warning.

    Where the epochs drop back to the first, another training was appended, and so where they drop below it and then
    come to epochs that were there before. Where they drop back to a later one, the training was taken up again from
    there: what it had done from that epoch on is of a branch that was given up. Epochs in any other order are a table
    in another order, and all of it counts.

    Args:
        epochs: `(n,)`, as the rows stand in the log.
        source: What the log is called in the warning.
        header: What else is said of several trainings in it.

    Example:
        >>> last_training(np.array([0, 1, 2, 2, 3]), "log.csv").tolist()
        [True, True, True, True, True]
        >>> last_training(np.array([0, 1, 2, 1, 2]), "log.csv").tolist()
        [True, False, False, True, True]
        >>> last_training(np.array([2, 1, 0]), "log.csv").tolist()
        [True, True, True]
    """
    kept = np.ones(len(epochs), dtype=bool)
    falls = np.flatnonzero(np.diff(epochs) < 0) + 1
    if len(np.unique(epochs)) == len(epochs) or len(falls) > _MOST_FALLS:
        return kept
    trainings, given_up = 1, set[int]()
    for at in falls.tolist():
        before, to = epochs[:at][kept[:at]], epochs[at]
        first = before.min()
        if to == first or (to < first and np.isin(epochs[at:], before).any()):
            kept[:at], given_up, trainings = False, set(), trainings + 1
        elif to in before:
            given_up |= set(before[before > epochs[at:].max()].tolist())
            kept[:at] &= epochs[:at] < to
    if trainings > 1:
        text = (
            f"{source} holds {trainings} trainings, one appended to the other: its epochs drop back to "
            f"{epochs[kept][0]}. Only the last, of {kept.sum()} rows, is read{header}."
        )
        warnings.warn(text, UserWarning, stacklevel=2)
    if given_up:
        text = (
            f"{source} was taken up again from an earlier epoch: {len(given_up)} of its epochs, up to epoch "
            f"{max(given_up)}, are of what was given up then, and left out."
        )
        warnings.warn(text, UserWarning, stacklevel=2)
    return kept
