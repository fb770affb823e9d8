"""Everything that there is to say about predictions, in one pass over the sections."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_choice, check_range
from unetdyn.analysis.thresholds.every_threshold import threshold_curve
from unetdyn.evaluation.confusion import SCORES, PixelCounts
from unetdyn.evaluation.inputs import check_ignore_label
from unetdyn.evaluation.iou_variants import check_threshold_and_batch, six_ious_of
from unetdyn.evaluation.object_counting import ObjectCounts
from unetdyn.evaluation.record import DISTANCES, Evaluation, SectionScores
from unetdyn.evaluation.reliability import calibration_of
from unetdyn.evaluation.resampling import RESAMPLES, Estimate, bootstrap_over_sections, check_bootstrap
from unetdyn.evaluation.section_pairs import sections_of
from unetdyn.evaluation.section_scoring import ScoringRule, SectionPass


def evaluate_sections(
    probabilities: Any,
    masks: Any = None,
    *,
    threshold: float = 0.5,
    spacing: float | Sequence[float] | None = None,
    unit: str = "",
    tolerance: float | None = None,
    objects: bool = False,
    connectivity: Literal["full", "face"] = "full",
    ignore_label: float | None = None,
    batch_size: int | None = None,
    empty: Literal["perfect", "skip"] = "perfect",
    missed: Literal["inf", "diagonal"] = "inf",
    names: Iterable[str] | None = None,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Score the probabilities of one class against masks: each section, and all of them with intervals.

    Sections are read once, one at a time; of each a few kilobytes are kept. A section may be an image or a volume; of
    a volume that is handed over as sections, distances and objects are those within its sections.

    Args:
        probabilities: In [0, 1], an array or iterable whose first axis counts sections: `(sections, height, width)`, a
            last axis of 1 may follow; or, without `masks`, an iterable of `(probabilities, mask)` pairs, one a section.
            Of a softmax, the one channel that is the object.
        masks: 0 and 1, likewise; None (default) with pairs.
        threshold: A probability above it is object. Default 0.5; choose it on validation data, not on these.
        spacing: Distance of neighbours, one number or one an axis of a section. None (default): 1, in pixels.
        unit: Of `spacing`, such as "nm"; for texts only. Default "", and "pixel" without a spacing.
        tolerance: Of NSD, in that unit; None (default): no NSD.
        objects: Whether to score objects too: what hangs together above the threshold, and in the masks.
        connectivity: Of objects, "full" (default) or "face"; see `object_counts`.
        ignore_label: Value of the masks where nothing is counted; None (default): none. A section without a pixel that
            counts has no score.
        batch_size: For the mean over batches among the six IoUs; None (default): without it.
        empty: "perfect" (default): a section without an object in mask and prediction scores 1, at distance 0; "skip":
            it has no score, and is left out of means over sections.
        missed: Distance of an object that is missed or invented: "inf" (default) or "diagonal"; see `surface_scores`.
        names: Of the sections, as many as there are; None (default): their numbers, counted from 0.
        confidence: Of all intervals. Default 0.95.
        resamples: Of the bootstrap over sections, ≥ 100. Default 2000.
        seed: Of the bootstrap.

    Returns:
        An `Evaluation`.

    Raises:
        ValueError: If there is no section; if shapes differ; if probabilities are NaN or outside [0, 1], such as
            logits; if masks hold anything but 0, 1 and `ignore_label`; if an argument is out of range. Arguments are
            looked at before the first section is asked for.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> masks = np.zeros((12, 32, 32), dtype=bool); masks[:, 8:20, 6:24] = True
        >>> p = np.clip(np.where(np.roll(masks, 1, axis=1), 0.8, 0.2) + rng.normal(0, 0.1, masks.shape), 0, 1)
        >>> found = evaluate_sections(p, masks, spacing=4.0, unit="nm", tolerance=4.0)
        >>> found.counts.pixels, found.whole["jaccard"].n, found.worst(1)[0].name
        (12288, 12, '10')
    """
    check_threshold_and_batch(threshold, batch_size)
    check_ignore_label(ignore_label)
    check_choice("empty", empty, ("perfect", "skip"))
    check_choice("missed", missed, ("inf", "diagonal"))
    check_choice("connectivity", connectivity, ("full", "face"))
    check_bootstrap(confidence, resamples, seed)
    if tolerance is not None:
        check_range("tolerance", tolerance, 0)
        tolerance = float(tolerance)
    linked = connectivity if objects else None
    rule = ScoringRule(float(threshold), spacing, tolerance, linked, empty, missed)
    found = SectionPass(rule, None if names is None else iter(names))
    options: dict[str, Any] = {"confidence": confidence, "resamples": resamples, "seed": seed}
    pixels = found.over(sections_of(probabilities, masks, ignore_label))
    curve = threshold_curve(pixels, threshold=threshold, **options)
    counted = [section.objects for section in found.scores if section.objects is not None]
    return Evaluation(
        sections=tuple(found.scores),
        whole=_whole(found.scores, 1.0 if empty == "perfect" else "skip", options),
        counts=sum((section.counts for section in found.scores), PixelCounts()),
        objects=functools.reduce(operator.add, counted) if counted else None,
        thresholds=curve,
        calibration=calibration_of(found.bins, found.edges, **options),
        ious=six_ious_of(found.ious, threshold, batch_size, **options),
        threshold=float(threshold),
        spacing=found.spacing,
        unit=unit or ("pixel" if spacing is None else ""),
        tolerance=tolerance,
        ignore_label=None if ignore_label is None else float(ignore_label),
        empty=empty,
        missed=missed,
        connectivity=linked,
    )


def _whole(sections: list[SectionScores], empty: float | str, options: dict[str, Any]) -> dict[str, Estimate]:
    sections = [section for section in sections if section.counts.pixels]
    counts = [section.counts for section in sections]
    found = {name: bootstrap_over_sections(counts, name, empty=empty, **options) for name in SCORES}
    surfaces = [section.surfaces for section in sections]
    for name in (*DISTANCES, "nsd") if surfaces[0].nsd is not None else DISTANCES:
        found[name] = bootstrap_over_sections([getattr(s, name) for s in surfaces], **options)
    objects = [section.objects for section in sections if section.objects is not None]
    return found | (_whole_objects(objects, empty, options) if objects else {})


def _whole_objects(objects: list[ObjectCounts], empty: float | str, options: dict[str, Any]) -> dict[str, Estimate]:
    """PQ and its parts, F1 at each threshold, and errors of areas, of the sums."""
    filler = np.nan if empty == "skip" else float(empty)
    both = [(o.true + o.predicted) / 2 for o in objects]

    def estimate(above: Sequence[float], below: Sequence[float], otherwise: float) -> Estimate:
        def quotient(a: NDArray, b: NDArray, *, axis: int) -> NDArray:
            a, b = a.sum(axis=axis), b.sum(axis=axis)
            return np.divide(a, b, out=np.full(np.shape(b), otherwise), where=b > 0)

        return bootstrap_over_sections(np.column_stack([above, below]), quotient, of="the summed counts", **options)

    matched = [float(o.matched_at_half) for o in objects]
    iou_sums = [o.iou_sum for o in objects]
    found = {
        "pq": estimate(iou_sums, both, filler),
        "sq": estimate(iou_sums, matched, np.nan),
        "rq": estimate(matched, both, filler),
    }
    for i, threshold in enumerate(objects[0].thresholds):
        found[f"f1@{threshold:g}"] = estimate([float(o.matched[i]) for o in objects], both, filler)
    found["area_bias"] = estimate([o.area_bias_sum for o in objects], matched, np.nan)
    found["area_error"] = estimate([o.area_error_sum for o in objects], matched, np.nan)
    return found
