"""Pixels that cross the threshold from one prediction to the next, and what that does to the Jaccard index."""

import numpy as np
from numpy.typing import NDArray

Masks = NDArray[np.bool_]

FEWEST = 4  # changes from which a pixel can be called a chronic flipper: of two, one is already a half


def jaccard_of(target: Masks, predicted: Masks) -> float:
    """Of all pixels pooled, and 1 where both are empty, as `unetdyn.metrics.ThresholdedJaccard` has it.

    >>> jaccard_of(np.array([True, True, False]), np.array([True, False, True]))
    0.3333333333333333
    """
    union = np.count_nonzero(target | predicted)
    return float(np.count_nonzero(target & predicted) / union) if union else 1.0


def soft_jaccard_of(target: Masks, probabilities: NDArray) -> float:
    """Σ yp / Σ (y + p − yp) over all pixels pooled, without smoothing; 1 where both are zero everywhere."""
    shared = float(probabilities[target].sum(dtype=np.float64))
    union = float(target.sum()) + float(probabilities.sum(dtype=np.float64)) - shared
    return shared / union if union else 1.0


def explained_change(target: Masks, before: Masks, after: Masks, part: Masks) -> tuple[float, float]:
    """How much of a change of the Jaccard index some of the flips explain, and how much all others do.

    A flip's effect depends on which flips came before it. So each share is the mean of two: its effect where its flips
    come first, and where they come last. The two add up to the change exactly, but for rounding of the last digit.

    Args:
        target: Masks, of any shape.
        before: Predicted masks, of the same shape.
        after: Predicted masks later on.
        part: Of which pixels flips are in the first share, such as those that are above the threshold now.

    Returns:
        Share of the flips within `part`, share of all others; their sum is `J(after) − J(before)`.

    Example:
        >>> target, before = np.array([True, True, False, False]), np.array([True, False, True, False])
        >>> after = np.array([True, True, False, False])
        >>> on, off = explained_change(target, before, after, part=after)
        >>> round(on, 4), round(off, 4), round(on + off, 4)
        (0.4167, 0.25, 0.6667)

    Reference:
        The Shapley value of two players: Shapley, "A value for n-person games", 1953.
    """
    first, last = np.where(part, after, before), np.where(part, before, after)
    start, end = jaccard_of(target, before), jaccard_of(target, after)
    within, others = jaccard_of(target, first), jaccard_of(target, last)
    return ((within - start) + (end - others)) / 2, ((others - start) + (end - within)) / 2


def boundary_of(target: Masks) -> Masks:
    """Pixels within one pixel, diagonally too, of a boundary between object and background.

    The edge of an image is no boundary.

    Args:
        target: `(images, height, width)`, or with more axes of space.

    Example:
        >>> boundary_of(np.array([[[False, False, False, True, True, True]]])).astype(int).tolist()
        [[[0, 0, 1, 1, 0, 0]]]
    """
    axes = tuple(range(1, target.ndim))
    padded = np.pad(target, [(0, 0), *[(1, 1)] * len(axes)], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3,) * len(axes), axis=axes)
    within = tuple(range(target.ndim, windows.ndim))
    return np.asarray(windows.any(axis=within) & ~windows.all(axis=within))


def chronic_share(flips: NDArray[np.bool_]) -> float:
    """Share of the pixels that flipped at more than half of the changes; NaN where there are fewer than four changes.

    Args:
        flips: `(changes, ...)`, whether each pixel flipped.

    Example:
        >>> chronic_share(np.array([[1, 0], [1, 0], [1, 1], [0, 1]], bool))
        0.5
    """
    if len(flips) < FEWEST:
        return float("nan")
    return float((flips.sum(axis=0) > len(flips) / 2).mean())
