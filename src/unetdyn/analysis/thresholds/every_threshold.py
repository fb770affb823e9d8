"""Jaccard, Dice, precision and recall at every threshold, and which threshold is the best."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetdyn._checks import check_choice, check_count, check_fraction
from unetdyn.analysis.result import Determinable, interval, number
from unetdyn.analysis.thresholds.counts import Counts, count_above
from unetdyn.analysis.thresholds.images import images_of

THRESHOLDS = np.arange(101) / 100
"""0, 0.01 … 1: a best threshold is rarely known to 0.01, and 0.5 is among them."""

RESAMPLES = 1000
"""Enough for a 95 % interval: the 25th smallest and largest of 1,000 bound it."""

FEW_IMAGES = 10
"""Below so many the bootstrap's interval is too narrow, as benchmarks/truth/threshold_curve.py measures."""

_BLOCK = 2**20  # weights of resamples held at once: 8 MB


@dataclass(frozen=True, eq=False)
class ThresholdCurve(Determinable):
    """What `threshold_curve` found. All scores are of all pixels pooled.

    Attributes:
        thresholds: `(thresholds,)`, ascending.
        jaccard: `(thresholds,)`, in [0, 1]; the value of `empty` where labels and predictions are both empty.
        dice: `(thresholds,)`, likewise.
        precision: `(thresholds,)`, in [0, 1]; NaN where nothing is predicted.
        recall: `(thresholds,)`, in [0, 1]; NaN where the labels hold no object.
        best_threshold: The one of `thresholds` with the largest Jaccard, of several the nearest to `threshold`; NaN
            where the labels hold no object.
        best_threshold_interval: Its bootstrap interval; NaN twice where there is one image, or no object.
        best_jaccard: The Jaccard at `best_threshold`.
        jaccard_at_half: The Jaccard at 0.5, also where `thresholds` hold no 0.5.
        threshold: The threshold in use.
        epsilon: Half width of the band around it.
        share_near: Fraction of the pixels with |p − threshold| ≤ epsilon.
        pixels: How many pixels were counted.
        images: In how many images.
        comparison: ">" or ">=".
        confidence: Of the interval.
        reason: In words, why the best threshold or its interval is not defined; empty where both are.
    """

    thresholds: NDArray[np.float64]
    jaccard: NDArray[np.float64]
    dice: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    best_threshold: float
    best_threshold_interval: tuple[float, float]
    best_jaccard: float
    jaccard_at_half: float
    threshold: float
    epsilon: float
    share_near: float
    pixels: int
    images: int
    comparison: Literal[">", ">="] = ">"
    confidence: float = 0.95
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("best threshold", self._best()),
            ("Jaccard there", number(self.best_jaccard)),
            ("Jaccard at 0.5", number(self.jaccard_at_half)),
            (
                "near the threshold",
                f"{number(100 * self.share_near)} % of the pixels within ±{self.epsilon:g} of {self.threshold:g}: "
                "small changes of the model flip these",
            ),
            ("counted", f"{self.pixels} pixels in {self.images} image{'s' * (self.images != 1)}"),
        ]

    def _best(self) -> str:
        few = f"; too narrow, as from {self.images} images only" if self.images < FEW_IMAGES else ""
        bounds = f"{100 * self.confidence:g} % interval {interval(*self.best_threshold_interval)}{few}"
        ends = self._if_determined(bounds)
        return ends if np.isnan(self.best_threshold) else f"{self.best_threshold:g} ({ends})"


def threshold_curve(
    y_true: ArrayLike | Iterable[Any],
    p: ArrayLike | None = None,
    thresholds: ArrayLike = THRESHOLDS,
    *,
    threshold: float = 0.5,
    comparison: Literal[">", ">="] = ">",
    epsilon: float = 0.05,
    empty: float | Literal["skip"] = 1.0,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> ThresholdCurve:
    """Scores at every threshold, from one pass over the pixels.

    With the object pixels P, those predicted above the threshold M and their common ones TP, over all pixels:
    J = TP / (P + M − TP), Dice = 2 TP / (P + M), precision = TP / M, recall = TP / P. Each probability is sorted in
    among the thresholds once; cumulative sums of the counts give all scores. At the thresholds given the scores are
    exact, also where a probability equals one. Between them nothing is known, so the best threshold is no finer than
    their distance.

    Pixels of one image are not independent; images nearly are. So the bootstrap draws images with replacement and takes
    the best threshold of each resample; the interval's ends are quantiles of these. From fewer than ten images it is
    too narrow, and the text says so. The best Jaccard was chosen on these data, so it is too high for others: choose
    the threshold on validation data, report on test data.

    Args:
        y_true: Labels, 0 and 1: `(images, height, width, channels)` or another shape whose first axis counts images.
            One or two axes, or `(height, width, 1)`, are a single image. Channels are pooled. Or an iterable of
            `(y_true, p)` pairs, such as batches or sections, each read by the same rule, so that the result does not
            depend on the batching. NumPy arrays, memory-mapped ones too, are read in place; what NumPy must copy, such
            as an HDF5 data set, is better given in pairs.
        p: Probabilities in [0, 1], same shape; a last axis of 1 may be left out on either side. None with pairs.
        thresholds: `(thresholds,)` in [0, 1]; sorted, each taken once. Default 0, 0.01 … 1. They are rounded to the
            precision of `p`, float32 at least, as NumPy and Keras do in a comparison.
        threshold: The one in use, in [0, 1], for `share_near`; default 0.5, as in `ThresholdedJaccard`.
        comparison: ">" (default), as in `ThresholdedJaccard` and the studies, or ">=".
        epsilon: Half width of the band around `threshold`, in [0, 1]. Default 0.05, a tenth of the way from
            0.5 to certainty.
        empty: The Jaccard and Dice of empty labels and empty predictions: 1.0 (default, nothing is wrong there), 0.0,
            or "skip" for NaN.
        confidence: Of the interval, in (0, 1). Default 0.95.
        resamples: Of the bootstrap, ≥ 100. Default 1000, enough for the tails of a 95 % interval.
        seed: Of the bootstrap; the same data give the same interval.

    Returns:
        A `ThresholdCurve`. Memory: a few megabytes and, for each image, 32 bytes for each threshold.

    Raises:
        ValueError: If shapes differ; if labels are not 0 and 1, or probabilities are NaN or outside [0, 1], such as
            logits; if there is no pixel; if an argument is out of range.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> y = rng.random((20, 32, 32)) < 0.2
        >>> p = np.where(y, rng.beta(2, 2, y.shape), rng.beta(1, 8, y.shape)).astype("float32")
        >>> print(threshold_curve(y, p))
        best threshold      0.32 (95 % interval 0.31 to 0.35)
        Jaccard there       0.643
        Jaccard at 0.5      0.489
        near the threshold  3.77 % of the pixels within ±0.05 of 0.5: small changes of the model flip these
        counted             20480 pixels in 20 images

    Reference:
        Bootstrap over groups: Field and Welsh, "Bootstrapping clustered data", Journal of the Royal Statistical
        Society B 69, 2007. Maximising F1 or J by the threshold: Lipton, Elkan and Naryanaswamy, "Optimal thresholding
        of classifiers to maximize F1 measure", 2014.
    """
    grid = _checked_thresholds(thresholds)
    _check_arguments(threshold, comparison, epsilon, empty, confidence, resamples)
    counts = _count(y_true, p, grid, threshold, epsilon, comparison)
    hit, marked = counts.hit.sum(axis=0), counts.marked.sum(axis=0)
    objects, pixels = counts.objects.sum(), counts.pixels.sum()
    filler, n = np.nan if empty == "skip" else float(empty), len(grid)
    jaccard, far = _ratio(hit, objects + marked - hit, filler), np.abs(grid - threshold)
    best = int(_best(jaccard[:n], far)) if objects else None
    return ThresholdCurve(
        thresholds=grid,
        jaccard=jaccard[:n],
        dice=_ratio(2 * hit, objects + marked, filler)[:n],
        precision=_ratio(hit, marked, np.nan)[:n],
        recall=_ratio(hit, objects, np.nan)[:n],
        best_threshold=np.nan if best is None else float(grid[best]),
        best_threshold_interval=_best_interval(counts, grid, far, confidence, resamples, seed),
        best_jaccard=np.nan if best is None else float(jaccard[best]),
        jaccard_at_half=float(jaccard[n]),
        threshold=float(threshold),
        epsilon=float(epsilon),
        share_near=float((marked[n + 1] - marked[n + 2]) / pixels),
        pixels=int(pixels),
        images=len(counts.pixels),
        comparison=comparison,
        confidence=confidence,
        reason=_undetermined_because(counts),
    )


def _undetermined_because(counts: Counts) -> str:
    if not counts.objects.any():
        return "`y_true` holds no object"
    return "one image, whose pixels are not independent" if len(counts.pixels) < 2 else ""


def _count(
    y_true: ArrayLike | Iterable[Any],
    p: ArrayLike | None,
    grid: NDArray,
    threshold: float,
    epsilon: float,
    comparison: str,
) -> Counts:
    """Counts above the thresholds, then above 0.5, then from the lower end of the band on and above its upper end."""
    edges = np.concatenate([grid, [0.5, threshold - epsilon, threshold + epsilon]])
    inclusive = np.array([comparison == ">="] * (len(grid) + 1) + [True, False])
    counts = count_above(images_of(y_true, p), edges, inclusive)
    if not counts.pixels.sum():
        raise ValueError("`y_true` and `p` must hold at least one pixel. Received: none. Look at where they come from.")
    return counts


def _ratio(above: NDArray, below: NDArray, otherwise: float) -> NDArray[np.float64]:
    """The quotient, and `otherwise` where it would be 0/0."""
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.full(above.shape, otherwise), where=below > 0)


def _best(jaccard: NDArray, far: NDArray) -> NDArray[np.intp]:
    """Where the last axis is largest; among equals, where `far` is smallest: nothing speaks for moving away."""
    return np.where(jaccard == jaccard.max(axis=-1, keepdims=True), far, np.inf).argmin(axis=-1)


def _best_interval(
    counts: Counts, grid: NDArray, far: NDArray, confidence: float, resamples: int, seed: int
) -> tuple[float, float]:
    """Quantiles of the best threshold over resamples of the images that hold an object at all."""
    images, best = len(counts.pixels), [np.zeros(0)]
    if images < 2 or not counts.objects.any():
        return np.nan, np.nan
    generator = np.random.default_rng(seed)
    block = max(1, _BLOCK // images)
    for start in range(0, resamples, block):
        drawn = [generator.integers(images, size=images) for _ in range(min(block, resamples - start))]
        weights = np.stack([np.bincount(draw, minlength=images) for draw in drawn]).astype(np.float64)
        objects = weights @ counts.objects
        weights, objects = weights[objects > 0], objects[objects > 0, None]
        hit, marked = (weights @ part[:, : len(grid)] for part in (counts.hit, counts.marked))
        best.append(grid[_best(hit / (objects + marked - hit), far)])
    tail = (1 - confidence) / 2
    found = np.concatenate(best)
    return float(np.quantile(found, tail, method="lower")), float(np.quantile(found, 1 - tail, method="higher"))


def _checked_thresholds(thresholds: ArrayLike) -> NDArray[np.float64]:
    grid = np.asarray(thresholds, dtype=np.float64)
    if grid.ndim != 1 or not grid.size or not ((grid >= 0) & (grid <= 1)).all():
        shown = (
            f"shape {grid.shape}" if grid.ndim != 1 or not grid.size else f"values from {grid.min()} to {grid.max()}"
        )
        raise ValueError(
            f"`thresholds` must be probabilities in [0, 1], in one axis. Received: {shown}. "
            "For instance, pass np.linspace(0, 1, 101)."
        )
    return np.unique(grid)


def _check_arguments(
    threshold: float, comparison: object, epsilon: float, empty: object, confidence: float, resamples: int
) -> None:
    check_fraction("threshold", threshold, zero=True, one=True)
    check_fraction("epsilon", epsilon, zero=True, one=True)
    check_choice("comparison", comparison, (">", ">="))
    check_choice("empty", empty, (1.0, 0.0, "skip"))
    check_fraction("confidence", confidence)
    check_count("resamples", resamples, least=100, unit="resamples")
