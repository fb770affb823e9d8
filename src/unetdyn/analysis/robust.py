"""Robust statistics: medians, and scales that outliers do not move."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

MAD_TO_SIGMA = 1.4826
"""The median absolute deviation of a normal variable is its standard deviation over this; Hampel (1974)."""


def finite_median(values: ArrayLike) -> float:
    """The median of the finite values; NaN where there are none.

    >>> finite_median([1.0, np.nan, 3.0, np.inf]), finite_median([np.nan])
    (2.0, nan)
    """
    array = np.asarray(values, dtype=np.float64)
    finite = array[np.isfinite(array)]
    return float(np.median(finite)) if finite.size else float("nan")


def finite_medians(values: NDArray) -> NDArray[np.float64]:
    """`finite_median` of each row, all at once.

    Args:
        values: `(rows, n)`.

    Returns:
        `(rows,)` float64, NaN where a row has no finite value.

    Example:
        >>> finite_medians(np.array([[1.0, np.nan, 3.0], [np.inf, 5.0, np.nan]])).tolist()
        [2.0, 5.0]
    """
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    finite = np.isfinite(values)
    ordered = np.sort(np.where(finite, values, np.nan), axis=1)  # NaN come last
    rows, count = np.arange(len(values)), finite.sum(axis=1)
    return (ordered[rows, (count - 1) // 2] + ordered[rows, count // 2]) / 2.0


def scaled_mad(values: NDArray[np.float64], centre: NDArray[np.float64] | float | None = None) -> NDArray[np.float64]:
    """The median absolute deviation times 1.4826: the standard deviation, where the values are normal.

    Args:
        values: `(..., n)`; NaN is left out.
        centre: What they deviate from, of a shape that fits; None (default) for their median.

    Returns:
        `(..., 1)`.

    Example:
        >>> scaled_mad(np.array([1.0, 2.0, 3.0, 4.0, 100.0])).round(4).tolist()
        [1.4826]
    """
    median = np.nanmedian if np.isnan(values).any() else np.median
    centre = median(values, axis=-1, keepdims=True) if centre is None else centre
    return MAD_TO_SIGMA * median(np.abs(values - centre), axis=-1, keepdims=True)
