"""What counts as a change of a curve from its beginning: more than a tenth of it, or more than its noise."""

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.robust import MAD_TO_SIGMA

LITTLE, NOISE_SCALES = 0.1, 6.0  # a change below a tenth, and below six noise scales, is none: rules of thumb


def never_left(values: NDArray[np.float64], best: float) -> bool:
    """Whether the way from the first value to the best one is less than a tenth, and no more than noise.

    >>> never_left(np.array([0.050, 0.051, 0.049, 0.052]), 0.052), never_left(np.array([0.05, 0.3, 0.4]), 0.4)
    (True, False)
    """
    first = values[np.isfinite(values)][0]
    way = abs(best - first)
    return bool(way <= LITTLE * max(abs(best), abs(first)) and way <= NOISE_SCALES * noise(values))


def noise(values: NDArray[np.float64]) -> float:
    """1.4826 / sqrt(2) times the median absolute change from one finite value to the next.

    >>> round(noise(np.array([0.0, 1.0, 0.0, np.nan, 1.0])), 3)
    1.048
    """
    finite = values[np.isfinite(values)]
    return float(MAD_TO_SIGMA / np.sqrt(2) * np.median(np.abs(np.diff(finite)))) if len(finite) > 1 else 0.0
