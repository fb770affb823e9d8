"""The best epoch of a logged value."""

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.metric_names import less_is_better


def best_epoch(name: str, values: NDArray[np.float64]) -> int | None:
    """Where a logged value was best: lowest for a loss or an error, highest for others; None where it never was finite.

    Args:
        name: The name under which it was logged, which tells whether more or less is better.
        values: `(n,)`, one for each epoch in which it was logged.

    Returns:
        The place in `values`, the first of equals.

    Example:
        >>> best_epoch("val_jaccard", np.array([0.1, 0.7, np.nan])), best_epoch("val_loss", np.array([0.1, 0.7]))
        (1, 0)
    """
    usable = np.isfinite(values)
    if not usable.any():
        return None
    if less_is_better(name):
        return int(np.argmin(np.where(usable, values, np.inf)))
    return int(np.argmax(np.where(usable, values, -np.inf)))
