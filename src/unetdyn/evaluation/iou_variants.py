"""Six numbers that papers call IoU, of one model, side by side."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_count, check_fraction
from unetdyn.analysis.result import Result, interval, number
from unetdyn.evaluation.confusion import PixelCounts, count, score_arrays
from unetdyn.evaluation.resampling import RESAMPLES, Estimate, bootstrap_over_sections, check_bootstrap
from unetdyn.evaluation.section_pairs import Section, sections_of

MEANINGS = {
    "object": "object pixels of all sections summed, one quotient (`ThresholdedJaccard`)",
    "background": "the same of the background, which is large and so nearly always right",
    "two_class_mean": "the mean of these two (`keras.metrics.MeanIoU`, scikit-learn's macro average)",
    "soft": "without a threshold, Σ y·p / Σ (y + p − y·p) (`SoftJaccard`); rises with confidence alone",
    "batch_mean": "the mean over batches, as Keras logs a metric that is a function; depends on the batch size",
    "image_mean": "the mean over sections of each one's own, where a small object weighs as much as a large one",
}
"""Which is which."""


@dataclass(frozen=True)
class SixIous(Result):
    """What `six_ious` found: an `Estimate` each, of the object's class where nothing else is said; see `MEANINGS`.

    Attributes:
        object: Of the summed counts.
        background: Of the summed counts, background taken for the object.
        two_class_mean: The mean of both.
        soft: Of summed probabilities, without a threshold.
        batch_mean: The mean over batches; not determined without a batch size. Its `n` counts batches.
        image_mean: The mean over sections.
        threshold: Above which a probability is object.
        batch_size: Sections in a batch; the last may be smaller, and counts as much as the others.
    """

    object: Estimate
    background: Estimate
    two_class_mean: Estimate
    soft: Estimate
    batch_mean: Estimate
    image_mean: Estimate
    threshold: float
    batch_size: int | None

    def table(self) -> list[tuple[str, Estimate, str]]:
        """Name, estimate and meaning of each of the six."""
        return [(name, getattr(self, name), meaning) for name, meaning in MEANINGS.items()]

    def _rows(self) -> list[tuple[str, str]]:
        return [(f.name.replace("_", " "), _shown(getattr(self, f.name))) for f in fields(self) if f.name in MEANINGS]


def _shown(estimate: Estimate) -> str:
    if np.isnan(estimate.value):
        return f"undetermined: {estimate.reason}"
    return f"{number(estimate.value)} ({interval(estimate.low, estimate.high)})"


class IouSums(NamedTuple):
    """What one section adds: counts, Σ y·p and Σ (y + p − y·p)."""

    counts: PixelCounts
    soft_intersection: float
    soft_union: float


def iou_sums(section: Section, threshold: float) -> IouSums:
    """The sums of one section."""
    p, y = section.counted_p, section.counted_y
    both = float(np.sum(p, where=y, dtype=np.float64))
    either = float(np.count_nonzero(y)) + float(np.sum(p, dtype=np.float64)) - both
    return IouSums(count(section.predicted(threshold), section.y, section.counted), both, either)


def six_ious(
    probabilities: Any,
    masks: Any = None,
    threshold: float = 0.5,
    *,
    batch_size: int | None = None,
    ignore_label: float | None = None,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> SixIous:
    """The IoU of one set of predictions as six definitions have it, so that one finds the one a paper means.

    Args:
        probabilities: In [0, 1], an array or iterable whose first axis counts sections; or `(probabilities, mask)`
            pairs, one a section, which are read one at a time.
        masks: 0 and 1, likewise; None (default) with pairs.
        threshold: A probability above it (`>`, as in `ThresholdedJaccard`) is object. Default 0.5.
        batch_size: Sections in a batch, in their order, for the mean over batches; None (default): that one is not
            determined.
        ignore_label: Value of the masks where nothing is counted; None (default): none. Sections without a pixel that
            counts are left out.
        confidence: Of the intervals, which are of a bootstrap over sections (that of `batch_mean`: over batches).
        resamples: Of the bootstrap, ≥ 100. Default 2000.
        seed: Of the bootstrap.

    Returns:
        `SixIous`. An empty prediction for an empty mask has an IoU of 1.

    Raises:
        ValueError: If probabilities lie outside [0, 1], masks hold anything but 0 and 1, or an argument is out of
            range.

    Example:
        >>> masks = np.zeros((4, 8, 8)); masks[:, :2] = 1; masks[3] = 0; masks[3, 0, 0] = 1
        >>> p = np.full(masks.shape, 0.1); p[:3, :2, :6] = 0.9
        >>> for name, estimate, _ in six_ious(p, masks, batch_size=2).table():
        ...     print(name, round(estimate.value, 3))
        object 0.735
        background 0.941
        two_class_mean 0.838
        soft 0.484
        batch_mean 0.728
        image_mean 0.562
    """
    check_threshold_and_batch(threshold, batch_size)
    check_bootstrap(confidence, resamples, seed)
    found = sections_of(probabilities, masks, ignore_label)
    sums = [iou_sums(section, threshold) for section in found if section.pixels]
    return six_ious_of(sums, threshold, batch_size, confidence=confidence, resamples=resamples, seed=seed)


def check_threshold_and_batch(threshold: float, batch_size: int | None) -> None:
    """Refuse what is out of range."""
    check_fraction("threshold", threshold, zero=True, one=True)
    if batch_size is not None:
        check_count("batch_size", batch_size, least=1, unit="sections", otherwise="or None")


def six_ious_of(sums: list[IouSums], threshold: float, batch_size: int | None, **options: Any) -> SixIous:
    """The six of sections whose sums are known; `options` are those of `bootstrap_over_sections`."""
    counts = np.array([(c.tp, c.fp, c.fn, c.tn) for c, _, _ in sums], dtype=np.float64)
    soft = np.array([(intersection, union) for _, intersection, union in sums])
    return SixIous(
        object=bootstrap_over_sections(counts, _object, **options),
        background=bootstrap_over_sections(counts, _background, **options),
        two_class_mean=bootstrap_over_sections(counts, _two_classes, **options),
        soft=bootstrap_over_sections(soft, _soft, **options),
        batch_mean=_batch_mean(counts, batch_size, options),
        image_mean=bootstrap_over_sections(_jaccard(*counts.T), **options),
        threshold=float(threshold),
        batch_size=batch_size,
    )


def _batch_mean(counts: NDArray, batch_size: int | None, options: dict[str, Any]) -> Estimate:
    if batch_size is None:
        nan = float("nan")
        return Estimate(nan, nan, nan, 0, confidence=options["confidence"], method="none", reason="no batch size given")
    starts = np.arange(0, len(counts), batch_size)
    return bootstrap_over_sections(_jaccard(*np.add.reduceat(counts, starts, axis=0).T), **options)


def _jaccard(tp: NDArray, fp: NDArray, fn: NDArray, tn: NDArray) -> NDArray:
    return score_arrays(tp, fp, fn, tn, 1.0)["jaccard"]


def _object(tp: NDArray, fp: NDArray, fn: NDArray, tn: NDArray, *, axis: int) -> NDArray:
    return _jaccard(*(part.sum(axis=axis) for part in (tp, fp, fn, tn)))


def _background(tp: NDArray, fp: NDArray, fn: NDArray, tn: NDArray, *, axis: int) -> NDArray:
    return _object(tn, fn, fp, tp, axis=axis)


def _two_classes(tp: NDArray, fp: NDArray, fn: NDArray, tn: NDArray, *, axis: int) -> NDArray:
    return (_object(tp, fp, fn, tn, axis=axis) + _background(tp, fp, fn, tn, axis=axis)) / 2


def _soft(intersection: NDArray, union: NDArray, *, axis: int) -> NDArray:
    above, below = intersection.sum(axis=axis), union.sum(axis=axis)
    return np.divide(above, below, out=np.ones_like(below), where=below > 0)
