"""Medians of what is finite."""

import numpy as np
from numpy.typing import ArrayLike


def finite_median(values: ArrayLike) -> float:
    """The median of the finite values; NaN where there are none.

    >>> finite_median([1.0, np.nan, 3.0, np.inf]), finite_median([np.nan])
    (2.0, nan)
    """
    array = np.asarray(values, dtype=np.float64)
    finite = array[np.isfinite(array)]
    return float(np.median(finite)) if finite.size else float("nan")
