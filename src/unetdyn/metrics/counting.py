"""Labels and predictions in, true and false positives and negatives out: the core of every thresholded metric."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from keras import ops

from unetdyn._checks import check_choice, check_fraction, is_count
from unetdyn.metrics.constants import vector
from unetdyn.metrics.shapes import as_computable, check_ignore_label, counted_pixels, match_rank, require_same_shape

Tensor = Any

LABEL_THRESHOLD = 0.5
"""A label above one half is foreground, whatever the threshold of the predictions: 0.99 counts as 1 and 255 do."""


@dataclass(frozen=True)
class CountingRule:
    """Which pixels are foreground, and how counts become a score: the checked arguments of the metrics."""

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


def validate(y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None, rule: CountingRule) -> Batch:
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
    return y_pred > threshold if rule.comparison == ">" else y_pred >= threshold


def _class_maps(batch: Batch, rule: CountingRule) -> tuple[Tensor, Tensor]:
    """Boolean maps of labels and predictions, `(batch, ..., classes)`."""
    channels, ids = batch.y_pred.shape[-1], rule.class_ids
    if ids is None and not batch.sparse and rule.threshold is not None:
        return batch.y_true > LABEL_THRESHOLD, _foreground(batch.y_pred, rule)
    if channels == 1 and ids is not None:
        true, pred = batch.y_true > LABEL_THRESHOLD, _foreground(batch.y_pred, rule)
        return _background_and_foreground(true, ids), _background_and_foreground(pred, ids)
    numbers = ops.arange(channels, dtype="int32") if ids is None else vector(ids, "int32")
    if batch.sparse:
        true = ops.equal(batch.y_true, ops.cast(numbers, batch.y_true.dtype))
    else:
        true = ops.take(batch.y_true, numbers, axis=-1) > LABEL_THRESHOLD
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


def image_counts(batch: Batch, rule: CountingRule, pixelwise: bool = False) -> Tensor:
    """True positives, false positives, false negatives and true negatives of each image.

    Args:
        batch: What `validate` gives.
        rule: Which pixels are foreground, and which classes are told apart.
        pixelwise: Whether a pixel counts once, however many channels it has: true positive where all of them are right,
            else false negative.

    Returns:
        Whole numbers as int32, `(images, 4, scores)`; exact below 2³¹ pixels an image. They are pixels of one class,
        or of all channels together where `class_ids` is None. An image whose pixels are all left out has four zeros.
    """
    true, pred = _class_maps(batch, rule)
    counted = batch.counted
    if counted is not None and rule.class_ids is not None and counted.shape[-1] == batch.y_pred.shape[-1] > 1:
        counted = ops.take(counted, vector(rule.class_ids, "int32"), axis=-1)
    if pixelwise:
        true, pred, counted = _right_pixels(true, pred, counted)
    if counted is None:
        axes = ops.shape(true)[1:] if rule.class_ids is None else ops.shape(true)[1:-1]
        pixels = math.prod(axes)
    else:
        counted = ops.logical_and(ops.ones_like(true), counted)
        true, pred = ops.logical_and(true, counted), ops.logical_and(pred, counted)
        pixels = _count(counted, rule)
    both = _count(ops.logical_and(true, pred), rule)
    extra, missed = _count(pred, rule) - both, _count(true, rule) - both
    return ops.stack([both, extra, missed, pixels - both - extra - missed], axis=1)


def _right_pixels(true: Tensor, pred: Tensor, counted: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
    """One channel of pixels, all of them foreground, predicted where every channel that counts is as labelled."""
    right = ops.equal(true, pred)
    if counted is not None:
        right = ops.logical_or(right, ops.logical_not(counted))
        counted = ops.any(counted, axis=-1, keepdims=True)
    right = ops.all(right, axis=-1, keepdims=True)
    return ops.ones_like(right), right, counted
