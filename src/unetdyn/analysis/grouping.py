"""Long histories made short: means of groups of neighbouring epochs."""

import numpy as np
from numpy.typing import NDArray


def grouped(values: NDArray[np.float64], groups: int) -> NDArray[np.float64]:
    """Means of groups of neighbouring epochs, of equal length but for one; values of fewer epochs as they are.

    Args:
        values: `(..., n)`, oldest first.
        groups: How many groups to make of more epochs.

    Example:
        >>> grouped(np.arange(6.0), 3).tolist(), grouped(np.arange(2.0), 3).tolist()
        ([0.5, 2.5, 4.5], [0.0, 1.0])
    """
    n = values.shape[-1]
    if n <= groups:
        return values
    starts = group_starts(n, groups)
    return np.add.reduceat(values, starts, axis=-1) / np.diff(starts, append=n)


def group_starts(n: int, groups: int) -> NDArray[np.int64]:
    """The place of the first value of each group.

    >>> group_starts(6, 3).tolist(), group_starts(2, 3).tolist()
    ([0, 2, 4], [0, 1])
    """
    return np.arange(n) if n <= groups else np.linspace(0, n, groups, endpoint=False).astype(np.int64)
