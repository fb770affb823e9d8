"""The thresholded Jaccard index as pure functions: validate, update to sums, compute."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from keras import ops

from unetdyn._checks import check_choice, check_fraction, is_count
from unetdyn.metrics import counts
from unetdyn.metrics.shapes import as_computable, check_ignore_label, counted_pixels, match_rank, require_same_shape

Tensor = Any

LABEL_THRESHOLD = 0.5
"""A label above one half is foreground, whatever the threshold of the predictions: 0.99 counts as 1 and 255 do."""

SCORE_UNITS = 2**22
"""Scores of images are summed in whole units of 2⁻²², so that their sum does not depend on the order either."""


@dataclass(frozen=True)
class CountingRule:
    """Which pixels are foreground, and how counts become a score: the checked arguments of `ThresholdedJaccard`."""

    threshold: float | None = 0.5
    comparison: Literal[">", ">="] = ">"
    aggregate: Literal["dataset", "image", "batch"] = "dataset"
    empty: float | Literal["skip"] = 1.0
    from_logits: bool = False
    class_ids: Sequence[int] | None = None
    ignore_label: float | None = None

    def __post_init__(self) -> None:
        check_ignore_label(self.ignore_label)
        if self.threshold is not None:
            otherwise = "also with from_logits=True, or None for the largest channel"
            check_fraction("threshold", self.threshold, zero=True, one=True, otherwise=otherwise)
        check_choice("comparison", self.comparison, (">", ">="))
        check_choice("aggregate", self.aggregate, ("dataset", "image", "batch"))
        check_choice("empty", self.empty, (1.0, 0.0, "skip"))
        if self.class_ids is not None:
            _check_class_ids(self.class_ids)

    @property
    def scores(self) -> int:
        """How many scores are kept apart: one a class, or a single one where all channels are pooled."""
        return 1 if self.class_ids is None else len(self.class_ids)


def _check_class_ids(ids: Sequence[int]) -> None:
    numbers = isinstance(ids, Sequence) and len(ids) > 0 and all(is_count(i) and i >= 0 for i in ids)
    if not numbers or len(set(ids)) < len(ids):
        raise ValueError(
            "`class_ids` must be a list of different channel numbers, whole as in [1, 2], or None. "
            f"Received: class_ids={ids!r}."
        )


@dataclass(frozen=True)
class Batch:
    """Labels, predictions and mask of one batch, brought to fitting shapes."""

    y_true: Tensor
    y_pred: Tensor
    counted: Tensor | None
    sparse: bool


def _validate(y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None, rule: CountingRule) -> Batch:
    """Tensors of fitting shapes, or a ValueError. Only shapes are looked at, so it works while a step is traced."""
    y_pred = as_computable(y_pred)
    y_true = match_rank(as_computable(y_true), y_pred)
    channels = y_pred.shape[-1]
    sparse = channels != 1 and len(y_true.shape) == len(y_pred.shape) > 1 and y_true.shape[-1] == 1
    require_same_shape(y_true, y_pred, but_last=sparse)
    if rule.threshold is None and channels == 1:
        raise ValueError(
            "`threshold=None` takes the largest channel and needs predictions with more than one. Received: "
            f"y_pred.shape={tuple(y_pred.shape)}. Give a threshold, such as 0.5."
        )
    if rule.class_ids is not None and max(rule.class_ids) >= max(channels, 2):
        raise ValueError(
            f"`class_ids` must be below the number of classes, {max(channels, 2)}. "
            f"Received: class_ids={list(rule.class_ids)}, y_pred.shape={tuple(y_pred.shape)}."
        )
    counted = counted_pixels(y_true, y_pred, sample_weight, rule.ignore_label)
    return Batch(y_true, y_pred, counted, sparse)


def _logit(probability: float) -> float:
    if probability in (0, 1):
        return math.inf if probability else -math.inf
    return math.log(probability / (1 - probability))


def _foreground(y_pred: Tensor, rule: CountingRule) -> Tensor:
    """Where the predictions pass the threshold; a NaN never does."""
    threshold = rule.threshold
    if rule.from_logits and threshold is not None:  # σ(z) > t is z > ln(t / (1 − t)), without σ's rounding
        threshold = _logit(threshold)
    return ops.greater(y_pred, threshold) if rule.comparison == ">" else ops.greater_equal(y_pred, threshold)


def _class_maps(batch: Batch, rule: CountingRule) -> tuple[Tensor, Tensor]:
    """Boolean maps of labels and predictions, `(batch, ..., classes)`."""
    channels, ids = batch.y_pred.shape[-1], rule.class_ids
    if ids is None and not batch.sparse and rule.threshold is not None:
        return ops.greater(batch.y_true, LABEL_THRESHOLD), _foreground(batch.y_pred, rule)
    if channels == 1 and ids is not None:
        true, pred = ops.greater(batch.y_true, LABEL_THRESHOLD), _foreground(batch.y_pred, rule)
        return _background_and_foreground(true, ids), _background_and_foreground(pred, ids)
    numbers = ops.convert_to_tensor(list(range(channels) if ids is None else ids), dtype="int32")
    if batch.sparse:
        true = ops.equal(batch.y_true, ops.cast(numbers, batch.y_true.dtype))
    else:
        true = ops.greater(ops.take(batch.y_true, numbers, axis=-1), LABEL_THRESHOLD)
    if rule.threshold is None:
        pred = ops.equal(ops.cast(ops.argmax(batch.y_pred, axis=-1, keepdims=True), "int32"), numbers)
    else:
        pred = _foreground(ops.take(batch.y_pred, numbers, axis=-1), rule)
    return true, pred


def _background_and_foreground(foreground: Tensor, ids: Sequence[int]) -> Tensor:
    """One map for each class of a single channel: 0 is what is not foreground."""
    return ops.concatenate([foreground if i else ops.logical_not(foreground) for i in ids], axis=-1)


def _count(maps: Tensor, rule: CountingRule) -> Tensor:
    """Pixels set in each image: boolean `(batch, ..., classes)` to int32 `(batch, scores)`.

    Rows are summed in float32, exact below 2²⁴ and fast everywhere; the rest in int32. `ops.count_nonzero` would do, if
    it did not transpose its result on PyTorch (Keras 3.15).
    """
    pooled = rule.class_ids is None
    maps = ops.expand_dims(maps, axis=-1) if pooled else maps
    last = 3 if pooled else 2  # width, channels and score, or width and score
    while len(maps.shape) < last + 2:
        maps = ops.expand_dims(maps, axis=1)
    rank = len(maps.shape)
    rows = ops.sum(ops.cast(maps, "float32"), axis=tuple(range(rank - last, rank - 1)))
    return ops.sum(ops.cast(rows, "int32"), axis=tuple(range(1, rank - last)))


def _image_counts(batch: Batch, rule: CountingRule) -> tuple[Tensor, Tensor, Tensor]:
    """Intersection and union of each image, int32 `(batch, scores)`, and which images have a counted pixel."""
    true, pred = _class_maps(batch, rule)
    both, either, counted = ops.logical_and(true, pred), ops.logical_or(true, pred), batch.counted
    if counted is None:
        union = _count(either, rule)
        return _count(both, rule), union, ops.ones_like(union, dtype="bool")
    if rule.class_ids is not None and counted.shape[-1] == batch.y_pred.shape[-1] > 1:
        counted = ops.take(counted, ops.convert_to_tensor(list(rule.class_ids), dtype="int32"), axis=-1)
    counted = ops.logical_and(ops.ones_like(both), counted)
    both, either = ops.logical_and(both, counted), ops.logical_and(either, counted)
    return _count(both, rule), _count(either, rule), ops.greater(_count(counted, rule), 0)


def _score_sums(intersection: Tensor, union: Tensor, included: Tensor, rule: CountingRule) -> tuple[Tensor, Tensor]:
    """Sum of scores in units of 2⁻²², and their number: both in limbs, `(2, scores)`."""
    filled = ops.greater(union, 0)
    value = 0.0 if rule.empty == "skip" else rule.empty
    score = ops.where(filled, ops.divide_no_nan(intersection, union), value)
    if rule.empty == "skip":
        included = ops.logical_and(included, filled)
    included = ops.cast(included, "int32")
    units = ops.cast(ops.round(score * SCORE_UNITS), "int32")
    return counts.limbs_of_sum(units * included), counts.limbs_of_sum(included)


def _update(batch: Batch, rule: CountingRule) -> tuple[Tensor, Tensor]:
    """What the batch adds to numerator and denominator: two totals in limbs, `(2, scores)` each.

    They are intersection and union for `aggregate="dataset"`; sum and number of scores for "image" and "batch".
    """
    intersection, union, included = _image_counts(batch, rule)
    if rule.aggregate == "image":
        return _score_sums(ops.cast(intersection, "float32"), ops.cast(union, "float32"), included, rule)
    totals = counts.limbs_of_sum(intersection), counts.limbs_of_sum(union)
    if rule.aggregate == "dataset":
        return totals
    above, below = (ops.expand_dims(counts.to_float(total), axis=0) for total in totals)
    return _score_sums(above, below, ops.any(included, axis=0, keepdims=True), rule)


def _compute(numerator: Tensor, denominator: Tensor, rule: CountingRule) -> Tensor:
    """The score from the sums: the mean over the classes that have one; NaN where "skip" leaves none."""
    below = counts.to_float(denominator)
    unit = 1.0 if rule.aggregate == "dataset" else SCORE_UNITS
    defined = ops.greater(below, 0)
    ratio = ops.divide_no_nan(counts.to_float(numerator) / unit, below)
    if rule.empty != "skip":
        return ops.mean(ops.where(defined, ratio, rule.empty))
    number = ops.sum(ops.cast(defined, "float32"))
    return ops.where(number > 0, ops.sum(ratio) / ops.maximum(number, 1.0), float("nan"))


def thresholded_jaccard(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    sample_weight: Tensor | None = None,
    threshold: float | None = 0.5,
    comparison: Literal[">", ">="] = ">",
    aggregate: Literal["dataset", "image", "batch"] = "dataset",
    empty: float | Literal["skip"] = 1.0,
    from_logits: bool = False,
    class_ids: Sequence[int] | None = None,
    ignore_label: float | None = None,
) -> Tensor:
    """Jaccard index of the arrays given, the predictions binarised first.

    `J = |{y > ½} ∩ {p > t}| / |{y > ½} ∪ {p > t}|`. The arguments are those of `ThresholdedJaccard`; "dataset" means
    all that is given here.

    Args:
        y_true: Labels, `(batch, height, width, channels)`.
        y_pred: Predictions, same shape.
        sample_weight: Mask: pixels of weight 0 are left out.
        threshold: Probability that a pixel's prediction must exceed, 0.5 by default; None takes the largest channel.
        comparison: ">" by default, as in the studies (docs/studies.md), or ">=".
        aggregate: "dataset" by default; "image" for the mean over images.
        empty: Score where labels and predictions are both empty, 1.0 by default because nothing is wrong there.
        from_logits: Whether `y_pred` holds logits; False by default, as in Keras.
        class_ids: Classes to average over; None, the default, pools all channels.
        ignore_label: Label of pixels that are left out, such as 255 or -1; None, the default: none.

    Returns:
        A scalar float32 tensor in [0, 1], or NaN where `empty="skip"` leaves nothing.

    Raises:
        ValueError: If shapes do not fit or an argument is out of range.

    Example:
        >>> round(float(thresholded_jaccard([[1, 1, 0, 0]], [[0.9, 0.4, 0.8, 0.1]])), 4)
        0.3333

    Reference:
        Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11, 1912.
    """
    rule = CountingRule(threshold, comparison, aggregate, empty, from_logits, class_ids, ignore_label)
    sums = _update(_validate(y_true, y_pred, sample_weight, rule), rule)
    return _compute(*sums, rule)
