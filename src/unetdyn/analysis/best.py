"""The best epoch of a logged value."""

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.declarations import Direction
from unetdyn.analysis.metric_names import less_is_better


def best_epoch(name: str, values: NDArray[np.float64], direction: Direction | None = None) -> int | None:
    """Where a logged value was best, the first of equals; None where it never was finite.

    Args:
        name: Under which it was logged.
        values: `(n,)`.
        direction: `"down"` for the lowest, anything else for the highest; None (default) for what its name says: the
            lowest for a loss or an error, the highest for others.

    Returns:
        The place in `values`.

    Example:
        >>> best_epoch("val_jaccard", np.array([0.1, 0.7, np.nan])), best_epoch("val_loss", np.array([0.1, 0.7]))
        (1, 0)
    """
    usable = np.isfinite(values)
    if not usable.any():
        return None
    if less_is_better(name) if direction is None else direction == "down":
        return int(np.argmin(np.where(usable, values, np.inf)))
    return int(np.argmax(np.where(usable, values, -np.inf)))
