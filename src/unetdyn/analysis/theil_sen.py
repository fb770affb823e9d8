"""Theil-Sen slopes over a sliding window, with intervals that outliers and autocorrelation do not mislead."""

from typing import NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.special import ndtri

from unetdyn.analysis.ar1 import LARGEST_PHI, robust_autocorrelation

SHORTEST_WINDOW = 10  # below it the autocorrelation of the residuals says nothing
LONGEST_WINDOW = 2000  # every pair is compared: two million of them

_WORK = 10_000_000  # pairs of values; some tenths of a second
_CHUNK = 1_000_000  # pairs of values at a time, 8 MB for each array of them
_LINE = 2  # parameters


class Slopes(NamedTuple):
    """The slope in each window looked at.

    Attributes:
        ends: `(windows,)` int64, the index of each window's last value, ascending; the last is the last of the series.
        slope: `(windows,)`, the change in an epoch; this and what follows are NaN where the window holds NaN.
        low: `(windows,)`, lower end of the confidence interval; −inf where the window is too short for one.
        high: `(windows,)`, upper end; inf where the window is too short for one.
        phi: `(windows,)`, the correlation of neighbouring values that the interval allows for.
    """

    ends: NDArray[np.int64]
    slope: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    phi: NDArray[np.float64]


def sliding_slopes(
    epochs: NDArray[np.int64], values: NDArray[np.float64], window: int, confidence: float, guard: float = 1.0
) -> Slopes:
    """Theil-Sen slopes and their intervals in every window of a series.

    The slope is the median of (vⱼ − vᵢ) / (eⱼ − eᵢ) over all pairs of the window; the ends of its interval are the
    pairs' slopes of ranks (pairs ∓ z · s) / 2, with s² = n (n − 1)(2 n + 5) / 18 · f the variance of Kendall's
    statistic. f = 1 for independent noise; for noise whose neighbours correlate by φ it is

    f = 1 + 2 / (n (n − 1)(n − 2)) · Σₖ (n − k)(n − k − 1)(n − k − 2) · (6/π) · arcsin(φᵏ / 2).

    φ is the `robust_autocorrelation` of what the line leaves of the window.

    Args:
        epochs: `(n,)` ascending.
        values: `(n,)`.
        window: How many values count, from `SHORTEST_WINDOW` to `LONGEST_WINDOW`.
        confidence: Of the two-sided interval, such as 0.9.
        guard: How many standard errors of φ to allow for, ≥ 0. With 1 (default), at most 5 % of the 90 % intervals lie
            wholly on either side of the true slope for φ up to 0.6 and windows of 20 or more.

    Returns:
        `Slopes`. Very long series are looked at in every second, third, ... window, so that it stays below a second.

    Reference:
        Sen, Estimates of the regression coefficient based on Kendall's tau (1968); Hamed and Rao, A modified
        Mann-Kendall trend test for autocorrelated data (1998), for f.
    """
    ends = _ends(len(values), window)
    result = np.full((4, len(ends)), np.nan)
    whole = np.isfinite(sliding_window_view(values, window)[ends - window + 1]).all(axis=1)
    usable = np.flatnonzero(whole)
    rows = max(_CHUNK // _pairs(window), 1)
    for start in range(0, len(usable), rows):
        chosen = usable[start : start + rows]
        first = ends[chosen] - window + 1
        x = sliding_window_view(epochs, window)[first].astype(float)
        y = sliding_window_view(values, window)[first]
        result[:, chosen] = _slopes(x, y, confidence, guard)
    return Slopes(ends, *result)


def window_for(half_width: float, wanted: float, window: int) -> int:
    """How many values would bring an interval's half width down to what is wanted: it falls with n^(3/2).

    >>> window_for(half_width=0.08, wanted=0.01, window=30)
    120
    """
    return int(np.ceil(window * (half_width / wanted) ** (2 / 3)))


def _pairs(window: int) -> int:
    return window * (window - 1) // 2


def _ends(count: int, window: int) -> NDArray[np.int64]:
    """The last index of each window looked at, ending at the last value."""
    windows = count - window + 1
    step = max(-(-windows * _pairs(window) // _WORK), 1)
    return np.arange(count - 1, window - 2, -step)[::-1].astype(np.int64)


def _slopes(x: NDArray, y: NDArray, confidence: float, guard: float) -> NDArray[np.float64]:
    """Slope, low, high and φ of windows given as rows."""
    window = y.shape[1]
    i, j = np.triu_indices(window, 1)
    slopes = np.sort((y[:, j] - y[:, i]) / (x[:, j] - x[:, i]), axis=1)
    slope = np.median(slopes, axis=1)
    phi = robust_autocorrelation(y - slope[:, None] * x, _LINE, guard)
    variance = window * (window - 1) * (2 * window + 5) / 18 * _factor(phi, window)
    reach = ndtri((1 + confidence) / 2) * np.sqrt(variance)
    pairs = slopes.shape[1]
    low, high = np.round((pairs - reach) / 2).astype(int) - 1, np.round((pairs + reach) / 2).astype(int)
    row, inside = np.arange(len(y)), (low >= 0) & (high < pairs)
    low_end = np.where(inside, slopes[row, np.maximum(low, 0)], -np.inf)
    high_end = np.where(inside, slopes[row, np.minimum(high, pairs - 1)], np.inf)
    return np.array([slope, low_end, high_end, phi])


def _factor(phi: NDArray, window: int) -> NDArray[np.float64]:
    """How much autocorrelation widens the variance of Kendall's statistic, f of `sliding_slopes`."""
    lag = np.arange(1, window - 2)
    weight = 2 * (window - lag) * (window - lag - 1) * (window - lag - 2) / (window * (window - 1) * (window - 2))
    grid = np.linspace(0, LARGEST_PHI, 191)
    factors = 1 + 6 / np.pi * np.arcsin(grid[:, None] ** lag / 2) @ weight
    return np.interp(phi, grid, factors)
