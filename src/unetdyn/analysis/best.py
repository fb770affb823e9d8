"""The best epoch of a logged value."""

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.declarations import Direction


def best_epoch(values: NDArray[np.float64], direction: Direction | None) -> int | None:
    """Where a logged value was best, the first of equals; None where it never was finite.

    Args:
        values: `(n,)`.
        direction: `"down"` for the lowest, anything else for the highest; see `metric_names.direction`.

    Returns:
        The place in `values`.

    Example:
        >>> best_epoch(np.array([0.1, 0.7, np.nan]), "up"), best_epoch(np.array([0.1, 0.7]), "down")
        (1, 0)
    """
    usable = np.isfinite(values)
    if not usable.any():
        return None
    if direction == "down":
        return int(np.argmin(np.where(usable, values, np.inf)))
    return int(np.argmax(np.where(usable, values, -np.inf)))
