"""Which predicted object is which true one."""

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.optimize import linear_sum_assignment

UNIQUE = 0.5
"""Above this IoU an object has at most one partner (Kirillov et al., 2019)."""


class Overlaps(NamedTuple):
    """Pairs of objects that share pixels.

    Attributes:
        true: `(pairs,)`, index of the true object.
        predicted: `(pairs,)`, index of the predicted one.
        iou: `(pairs,)`, in (0, 1].
        true_areas: `(true objects,)`, in pixels.
        predicted_areas: `(predicted objects,)`.
    """

    true: NDArray[np.intp]
    predicted: NDArray[np.intp]
    iou: NDArray[np.float64]
    true_areas: NDArray[np.int64]
    predicted_areas: NDArray[np.int64]


def components(mask: NDArray[np.bool_], connectivity: Literal["full", "face"]) -> NDArray[np.int32]:
    """A map of labels, 0 for background: what hangs together is one object.

    >>> [int(components(np.eye(3, dtype=bool), connectivity).max()) for connectivity in ("full", "face")]
    [1, 3]
    """
    reach = mask.ndim if connectivity == "full" else 1
    return ndimage.label(mask, ndimage.generate_binary_structure(mask.ndim, reach))[0]


def overlaps(predicted: NDArray[np.integer], true: NDArray[np.integer]) -> Overlaps:
    """Count the pixels that each pair of objects shares; the labels may be any whole numbers, 0 is background."""
    p_labels, p_areas = np.unique(predicted[predicted > 0], return_counts=True)
    y_labels, y_areas = np.unique(true[true > 0], return_counts=True)
    both = (predicted > 0) & (true > 0)
    places = np.searchsorted(y_labels, true[both]) * len(p_labels) + np.searchsorted(p_labels, predicted[both])
    pairs, shared = np.unique(places, return_counts=True)
    i, j = np.divmod(pairs, max(1, len(p_labels)))
    return Overlaps(i, j, shared / (y_areas[i] + p_areas[j] - shared), y_areas, p_areas)


def matches(found: Overlaps, threshold: float) -> NDArray[np.intp]:
    """Indices of the pairs that are matched: IoU above the threshold, each object in one pair at most.

    At 0.5 and above no object has two candidates. Below, as many pairs are matched as can be, and of such matchings
    the one with the largest sum of IoUs is taken.
    """
    candidates = np.flatnonzero(found.iou > threshold)
    if threshold >= UNIQUE or not len(candidates):
        return candidates
    rows, i = np.unique(found.true[candidates], return_inverse=True)
    columns, j = np.unique(found.predicted[candidates], return_inverse=True)
    pair = np.full((len(rows), len(columns)), -1)
    pair[i, j] = candidates
    # One more match is worth more than all IoUs together can be.
    gain = np.where(pair >= 0, 1 + found.iou[pair] / (1 + min(pair.shape)), 0)
    chosen = pair[linear_sum_assignment(gain, maximize=True)]
    return np.sort(chosen[chosen >= 0])
