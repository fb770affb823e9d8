"""One series of values with its epochs, as the functions about a single curve take it."""

import os
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from unetdyn.analysis.curves import Curve
from unetdyn.analysis.epochs import whole_epochs


def series(values: ArrayLike | Curve, epochs: ArrayLike | None = None) -> Curve:
    """Checked arrays of what was passed as `values` and `epochs`.

    Args:
        values: `(n,)`, oldest first; NaN and infinity are let through. Or a `Curve`, which brings its epochs.
        epochs: `(n,)` ascending whole numbers; default the curve's, or else 0, 1, 2 …

    Raises:
        TypeError: if a whole history was passed.
        ValueError: if the values are no series, or the epochs do not fit them.

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
