"""What counts as a change of a curve from its beginning: one that matters, and that is more than its noise."""

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.robust import MAD_TO_SIGMA

LITTLE, NOISE_SCALES = 0.1, 6.0  # a change below a tenth, and below six noise scales, is none: rules of thumb
NOTHING = 0.02  # a change below a fiftieth is none, however calm the curve: rule of thumb
FALLS = 0.02  # part of itself by which a loss that still falls does so in the last quarter of its epochs: rule of thumb
LAST = 3  # values of which the median is where a curve ended: one alone may be an accident


def never_left(values: NDArray[np.float64], best: float) -> bool:
    """Whether the way from the first value to the best one is nothing, or less than a tenth and no more than noise.

    >>> never_left(np.array([0.050, 0.051, 0.049, 0.052]), 0.052), never_left(np.array([0.05, 0.3, 0.4]), 0.4)
    (True, False)
    >>> never_left(np.array([0.693, 0.6925, 0.692]), 0.692)
    True
    """
    first = values[np.isfinite(values)][0]
    way, size = abs(best - first), max(abs(best), abs(first))
    return bool(way <= NOTHING * size or (way <= LITTLE * size and way <= NOISE_SCALES * noise(values)))


def noise(values: NDArray[np.float64]) -> float:
    """1.4826 / sqrt(2) times the median absolute change from one finite value to the next.

    >>> round(noise(np.array([0.0, 1.0, 0.0, np.nan, 1.0])), 3)
    1.048
    """
    finite = values[np.isfinite(values)]
    return float(MAD_TO_SIGMA / np.sqrt(2) * np.median(np.abs(np.diff(finite)))) if len(finite) > 1 else 0.0


def ending(values: NDArray[np.float64]) -> float:
    """Where a curve ended: the median of its last three finite values; NaN where there is none.

    >>> ending(np.array([0.1, 0.8, 0.2, 0.81]))
    0.8
    """
    finite = values[np.isfinite(values)]
    return float(np.median(finite[-LAST:])) if len(finite) else float("nan")


def still_falls(loss: NDArray[np.float64]) -> bool:
    """Whether the last quarter of the epochs, two at least, still brought a loss down by a part of itself.

    >>> still_falls(np.array([0.8, 0.7, 0.6, 0.5, 0.4])), still_falls(np.array([0.8, 0.5, 0.5, 0.5, 0.5]))
    (True, False)
    >>> still_falls(np.array([-0.1, -0.7, -0.7, -0.7, -0.7]))
    False
    """
    finite = loss[np.isfinite(loss)]
    quarter = max(2, len(finite) // 4)
    if len(finite) <= quarter:
        return True
    before = float(finite[:-quarter].min())
    return bool(finite[-quarter:].min() < before - FALLS * abs(before))
