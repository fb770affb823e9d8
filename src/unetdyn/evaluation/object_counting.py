"""Objects that were found, missed, invented, split and merged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetdyn._checks import check_choice, check_fraction
from unetdyn.analysis.result import Result, number
from unetdyn.evaluation.confusion import Empty
from unetdyn.evaluation.inputs import counted_pixels, fitting, whole_numbers
from unetdyn.evaluation.object_matching import components, matches, overlaps

THRESHOLDS = (0.5, 0.75)
"""0.5, above which a match is unique and with which PQ is defined; 0.75 asks for a good outline too."""

OVERLAP = 0.1
"""IoU above which a pair of objects counts for splits and merges (Caicedo et al., 2019)."""


@dataclass(frozen=True)
class ObjectScores(Result):
    """Scores of `ObjectCounts`, one for each IoU threshold where they are tuples, else at 0.5.

    Attributes:
        thresholds: Of IoU.
        f1: 2 TP / (2 TP + FP + FN) at each.
        precision: TP / (TP + FP) at each.
        recall: TP / (TP + FN) at each.
        pq: Panoptic quality, SQ · RQ = Σ IoU of matches / (TP + FP/2 + FN/2).
        sq: Segmentation quality, the mean IoU of the matches; NaN without one.
        rq: Recognition quality, which is F1 at 0.5.
        area_bias: Mean of (predicted − true) / true area over the matches; NaN without one.
        area_error: Mean of its absolute value.
    """

    thresholds: tuple[float, ...]
    f1: tuple[float, ...]
    precision: tuple[float, ...]
    recall: tuple[float, ...]
    pq: float
    sq: float
    rq: float
    area_bias: float
    area_error: float

    def _rows(self) -> list[tuple[str, str]]:
        rows = [(f"F1 at IoU > {t:g}", number(f1)) for t, f1 in zip(self.thresholds, self.f1, strict=True)]
        rows.append(("PQ = SQ · RQ", f"{number(self.pq)} = {number(self.sq)} · {number(self.rq)}"))
        return [*rows, ("area of matches", self._area())]

    def _area(self) -> str:
        if np.isnan(self.area_bias):
            return "not defined: no match"
        way = "too small" if self.area_bias < 0 else "too large"
        mean = f"mean of absolute errors {number(100 * self.area_error)} %"
        return f"{way} by {number(100 * abs(self.area_bias))} % ({mean})"


@dataclass(frozen=True)
class ObjectCounts(Result):
    """What `object_counts` found. Counts of several images add up: `functools.reduce(operator.add, counts)`.

    Attributes:
        thresholds: Of IoU.
        true: Number of true objects.
        predicted: Number of predicted ones.
        matched: Pairs matched at each threshold (TP); FN = true − matched, FP = predicted − matched.
        matched_at_half: Pairs with IoU > 0.5, those of PQ and of the areas.
        iou_sum: The sum of their IoUs.
        area_bias_sum: The sum of their (predicted − true) / true area.
        area_error_sum: The sum of its absolute values.
        splits: True objects that overlap two predicted ones or more, each with an IoU above 0.1 (or `overlap`).
        merges: Predicted objects that overlap two true ones or more, likewise.
    """

    thresholds: tuple[float, ...]
    true: int
    predicted: int
    matched: tuple[int, ...]
    matched_at_half: int
    iou_sum: float
    area_bias_sum: float
    area_error_sum: float
    splits: int
    merges: int

    def __add__(self, other: ObjectCounts) -> ObjectCounts:
        if self.thresholds != other.thresholds:
            raise ValueError(
                "Counts at the same thresholds add up. Received: "
                f"thresholds={list(self.thresholds)} and {list(other.thresholds)}."
            )
        return ObjectCounts(
            self.thresholds,
            self.true + other.true,
            self.predicted + other.predicted,
            tuple(a + b for a, b in zip(self.matched, other.matched, strict=True)),
            self.matched_at_half + other.matched_at_half,
            self.iou_sum + other.iou_sum,
            self.area_bias_sum + other.area_bias_sum,
            self.area_error_sum + other.area_error_sum,
            self.splits + other.splits,
            self.merges + other.merges,
        )

    def scores(self, empty: Empty = 1.0) -> ObjectScores:
        """The quotients.

        Args:
            empty: What F1, precision, recall, RQ and PQ are where there is neither a true nor a predicted object: 1.0
                (default), as nothing is wrong; 0.0; or "skip" for NaN. Where there are objects on one side only, 0.

        Raises:
            ValueError: If `empty` is something else.
        """
        check_choice("empty", empty, (1.0, 0.0, "skip"))
        nothing = 0.0 if self.true + self.predicted else np.nan if empty == "skip" else float(empty)

        def quotient(above: float, below: float, otherwise: float = nothing) -> float:
            return above / below if below else otherwise

        half, mean = self.matched_at_half, (self.true + self.predicted) / 2
        return ObjectScores(
            thresholds=self.thresholds,
            f1=tuple(quotient(matched, mean) for matched in self.matched),
            precision=tuple(quotient(matched, self.predicted) for matched in self.matched),
            recall=tuple(quotient(matched, self.true) for matched in self.matched),
            pq=quotient(self.iou_sum, mean),
            sq=quotient(self.iou_sum, half, np.nan),
            rq=quotient(half, mean),
            area_bias=quotient(self.area_bias_sum, half, np.nan),
            area_error=quotient(self.area_error_sum, half, np.nan),
        )

    def _rows(self) -> list[tuple[str, str]]:
        counts = [("objects", f"{self.true} true, {self.predicted} predicted")]
        return [*counts, *self.scores()._rows(), ("splits and merges", f"{self.splits} and {self.merges}")]


def object_counts(
    prediction: ArrayLike,
    mask: ArrayLike,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    connectivity: Literal["full", "face"] | None = None,
    overlap: float = OVERLAP,
    ignore_label: float | None = None,
) -> ObjectCounts:
    """Match the objects of one image, section or volume by their IoU, and count.

    A predicted and a true object match where their IoU is above the threshold. Above 0.5 no object can have two
    partners (Kirillov et al., theorem 1); below, the most pairs that are possible are matched, with the largest sum of
    IoUs, by `scipy.optimize.linear_sum_assignment`.

    Args:
        prediction: A map of labels, 0 for background and another whole number for each object; or a mask, with
            `connectivity`.
        mask: The truth, likewise, same shape.
        thresholds: Of IoU, in [0, 1), for F1. Default 0.5 and 0.75.
        connectivity: None (default) for maps of labels. Else objects are what hangs together in each map taken as a
            mask: "full" over faces, edges and corners (8 neighbours in 2D, 26 in 3D), so that a thin slanting line is
            one object; "face" over faces alone (4, 6).
        overlap: IoU above which a pair counts for splits and merges; default 0.1.
        ignore_label: Value of the mask whose pixels are background in both; None (default): none.

    Returns:
        `ObjectCounts`; its `scores()` has F1, PQ and the errors of the areas.

    Raises:
        ValueError: If shapes differ, labels are no whole numbers, or an argument is out of range.

    Example:
        >>> true = np.array([[1, 1, 1, 0, 2, 2], [1, 1, 1, 0, 2, 2]])
        >>> predicted = np.array([[1, 1, 0, 0, 3, 4], [1, 1, 0, 0, 3, 4]])
        >>> print(object_counts(predicted, true))
        objects            2 true, 3 predicted
        F1 at IoU > 0.5    0.4
        F1 at IoU > 0.75   0
        PQ = SQ · RQ       0.267 = 0.667 · 0.4
        area of matches    too small by 33.3 % (mean of absolute errors 33.3 %)
        splits and merges  1 and 0

    Reference:
        PQ: Kirillov et al., "Panoptic segmentation", CVPR 2019. Splits and merges: Caicedo et al., "Evaluation of deep
        learning strategies for nucleus segmentation in fluorescence images", Cytometry A 95, 2019, whose code counts
        objects with more than one overlap of IoU > 0.1.
    """
    check_choice("connectivity", connectivity, ("full", "face", None))
    check_fraction("overlap", overlap, zero=True)
    levels = tuple(np.ravel(thresholds).tolist())
    for level in levels:
        check_fraction("thresholds", level, zero=True)
    predicted, true = fitting("prediction", prediction, "mask", mask)
    counted = counted_pixels(true, ignore_label)
    if connectivity is None and np.bool_ in (predicted.dtype, true.dtype):
        raise ValueError(
            "`prediction` and `mask` must be maps of labels, a number for each object. Received: booleans, which would "
            'be one object. Pass connectivity="full" to take what hangs together for an object.'
        )
    maps = [whole_numbers("prediction", predicted, counted), whole_numbers("mask", true, counted)]
    p, y = maps if connectivity is None else [components(labels > 0, connectivity) for labels in maps]
    return count_objects(p, y, levels, overlap)


def count_objects(
    p: NDArray[np.integer], y: NDArray[np.integer], thresholds: tuple[float, ...], overlap: float = OVERLAP
) -> ObjectCounts:
    """As `object_counts`, of maps of labels that are checked already."""
    found = overlaps(p, y)
    half = matches(found, 0.5)
    true_areas = found.true_areas[found.true[half]]
    errors = (found.predicted_areas[found.predicted[half]] - true_areas) / true_areas
    close = found.iou > overlap
    return ObjectCounts(
        thresholds=thresholds,
        true=len(found.true_areas),
        predicted=len(found.predicted_areas),
        matched=tuple(len(matches(found, threshold)) for threshold in thresholds),
        matched_at_half=len(half),
        iou_sum=float(found.iou[half].sum()),
        area_bias_sum=float(errors.sum()),
        area_error_sum=float(np.abs(errors).sum()),
        splits=_several(found.true[close]),
        merges=_several(found.predicted[close]),
    )


def _several(objects: NDArray[np.intp]) -> int:
    """How many occur more than once."""
    return int(np.count_nonzero(np.bincount(objects) > 1)) if len(objects) else 0
