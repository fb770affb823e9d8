"""What losses of regions are made of: soft counts of true and false pixels, of each class, and their mean."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

from unetdyn._checks import check_choice, check_positive, is_number
from unetdyn.metrics.constants import scalar, vector
from unetdyn.metrics.shapes import as_computable, check_ignore_label, match_rank, match_weight, require_same_shape

Tensor = Any

AGGREGATES = ("batch", "image")


class Regions(NamedTuple):
    """Labels and predictions of one channel a class, `(batch, …, classes)`, at least float32.

    Attributes:
        y: Labels, 0 where a pixel does not count.
        p: Probabilities of the class.
        q: 1 − p, from logits without cancellation.
        weight: What each pixel counts, which broadcasts against `y`; None where all count 1.
    """

    y: Tensor
    p: Tensor
    q: Tensor
    weight: Tensor | None

    def sum(self, values: Tensor, aggregate: str) -> Tensor:
        """Weighted sum over the pixels of each image, `(batch, classes)`, or of the whole batch, `(classes,)`."""
        values = values if self.weight is None else values * self.weight
        axes = tuple(range(1 if aggregate == "image" else 0, len(self.y.shape) - 1))
        return ops.sum(values, axis=axes) if axes else values  # PyTorch takes () for all


class Counts(NamedTuple):
    """Soft counts of pixels for each class: the usual ones where probabilities are 0 or 1."""

    true_positive: Tensor
    false_positive: Tensor
    false_negative: Tensor


def holds_class_numbers(y_true: Tensor, y_pred: Tensor) -> bool:
    """Whether labels are numbers of classes: one channel, or none, where the predictions have several."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    return bool(pred) and pred[-1] != 1 and (len(true) == len(pred) - 1 or (len(true) == len(pred) and true[-1] == 1))


def regions(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    from_logits: bool = False,
    sample_weight: Tensor | None = None,
    ignore_label: float | None = None,
) -> Regions:
    """Labels and predictions brought together: logits to probabilities, class numbers to channels.

    One channel is a class of its own, and its logits go through a sigmoid. Several channels are classes that exclude
    each other, and their logits go through a softmax.

    Args:
        y_true: Labels in [0, 1] of the shape of `y_pred`; of several channels also class numbers, with a last axis
            of 1 or without it. A number that is no channel's belongs to no class.
        y_pred: Probabilities or logits, `(batch, …, classes)`.
        from_logits: Whether `y_pred` holds logits.
        sample_weight: What each pixel counts: `(batch,)`, `(batch, height, width)` or `(batch, height, width, 1)`.
            Where it is 0 labels and predictions may be anything, NaN too.
        ignore_label: Label of pixels that are left out, or None.

    Raises:
        ValueError: If shapes don't fit.
    """
    y_pred = as_computable(y_pred)
    y_true = as_computable(y_true)
    of_numbers = holds_class_numbers(y_true, y_pred)
    y_true = ops.cast(match_rank(y_true, y_pred), y_pred.dtype)
    require_same_shape(y_true, y_pred, but_last=of_numbers)
    weight = None if sample_weight is None else ops.cast(match_weight(sample_weight, y_pred), y_pred.dtype)
    if ignore_label is not None:
        labelled = ops.cast(ops.not_equal(y_true, scalar(ignore_label, y_true.dtype)), y_pred.dtype)
        weight = labelled if weight is None else weight * labelled
    if weight is not None:
        counts, nothing = weight != 0, scalar(0.0, y_pred.dtype)
        y_true, y_pred = ops.where(counts, y_true, nothing), ops.where(counts, y_pred, nothing)
    if of_numbers:
        y_true = ops.cast(ops.equal(y_true, ops.arange(y_pred.shape[-1], dtype=y_pred.dtype)), y_pred.dtype)
    if not from_logits:
        return Regions(y_true, y_pred, 1 - y_pred, weight)
    if y_pred.shape[-1] == 1:
        return Regions(y_true, ops.sigmoid(y_pred), ops.sigmoid(-y_pred), weight)
    p = ops.softmax(y_pred, axis=-1)
    return Regions(y_true, p, 1 - p, weight)


def soft_counts(of: Regions, aggregate: str) -> Counts:
    """Σ y·p, Σ (1 − y)·p and Σ y·(1 − p) of each class: `(batch, classes)` of images, `(classes,)` of the batch."""
    return Counts(of.sum(of.y * of.p, aggregate), of.sum((1 - of.y) * of.p, aggregate), of.sum(of.y * of.q, aggregate))


def class_mean(losses: Tensor, class_weights: Sequence[float] | None, present: Tensor | None = None) -> Tensor:
    """Weighted mean over the last axis, the classes; over those that are `present`, 0 where none is.

    Raises:
        ValueError: If there is another number of weights than of classes.
    """
    classes = losses.shape[-1]
    if class_weights is not None and len(class_weights) != classes:
        raise ValueError(
            f"`class_weights` must have a weight for each of the {classes} channels of `y_pred`. "
            f"Received: class_weights={list(class_weights)!r}."
        )
    weights = np.ones(classes) if class_weights is None else np.asarray(class_weights, np.float64)
    if present is None:
        return ops.sum(losses * vector((weights / weights.sum()).tolist(), losses.dtype), axis=-1)
    present = present * vector(weights.tolist(), losses.dtype)
    return ops.divide_no_nan(ops.sum(losses * present, axis=-1), ops.sum(present, axis=-1))


def check_smooth(smooth: object) -> None:
    """Refuse what is no number of pixels above 0, which an empty mask against an empty prediction is divided by."""
    check_positive("smooth", smooth, otherwise="in pixels: an empty mask with an empty prediction is divided by it")


def check_region_arguments(
    aggregate: object, class_weights: Sequence[float] | None, ignore_label: float | None
) -> None:
    """Refuse arguments that every loss of regions has where they are out of range.

    >>> check_region_arguments("batch", [0, 0], None)
    Traceback (most recent call last):
    ValueError: `class_weights` must be finite numbers, 0 or above, of which one is above 0, or None. Received: ...
    """
    check_choice("aggregate", aggregate, AGGREGATES)
    check_ignore_label(ignore_label)
    if class_weights is None:
        return
    weights = list(class_weights) if isinstance(class_weights, Sequence | np.ndarray) else []
    right = all(is_number(each) and 0 <= each < math.inf for each in weights)
    if not right or not any(weights):
        raise ValueError(
            "`class_weights` must be finite numbers, 0 or above, of which one is above 0, or None. "
            f"Received: class_weights={class_weights!r}."
        )
