"""Which points of a long curve its picture needs."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def envelope(values: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    """Places of the first lowest and first highest value of each of `bins` stretches, and of a gap where it begins.

    A line through these looks as the whole line does, once a stretch is narrower than a pixel.

    >>> envelope(np.array([3.0, 1.0, 2.0, 5.0, np.nan, 4.0]), bins=2).tolist()
    [0, 1, 3, 4, 5]
    """
    edges = np.linspace(0, len(values), bins + 1).astype(np.int64)
    kept: set[int] = set()
    for start, end in pairwise(edges):
        part = values[start:end]
        usable = np.isfinite(part)
        if usable.any():
            kept.add(int(start + np.argmin(np.where(usable, part, np.inf))))
            kept.add(int(start + np.argmax(np.where(usable, part, -np.inf))))
        if not usable.all():
            kept.add(int(start + np.argmin(usable)))
    return np.array(sorted(kept), dtype=np.int64)
