"""One series of values with its epochs, as the functions about a single curve take it."""

import numpy as np
from numpy.typing import ArrayLike

from unetdyn.analysis.curves import Curve


def series(values: ArrayLike, epochs: ArrayLike | None = None) -> Curve:
    """Checked arrays of what was passed as `values` and `epochs`.

    Args:
        values: `(n,)`, oldest first; NaN and infinity are let through.
        epochs: `(n,)` ascending whole numbers; default 0, 1, 2 …

    Raises:
        ValueError: if the values are no series, or the epochs do not fit them.

    Example:
        >>> series([0.1, 0.2])
        Curve(epochs=array([0, 1]), values=array([0.1, 0.2]))
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"`values` must be one value an epoch, of shape (epochs,). Received: shape {array.shape}.")
    when = np.arange(len(array)) if epochs is None else np.asarray(epochs, dtype=np.int64)
    if when.shape != array.shape or np.any(np.diff(when) <= 0):
        raise ValueError(
            f"`epochs` must be ascending whole numbers, one for each of the {len(array)} values. "
            f"Received: {str(when.tolist())[:80]}."
        )
    return Curve(when, array)
