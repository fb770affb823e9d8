"""Bring labels and sample weights to the shape of the predictions, or say why that is impossible."""

from typing import Any

import numpy as np
from keras import ops

from unetdyn._checks import is_number
from unetdyn.metrics.constants import scalar

Tensor = Any


def as_computable(x: Tensor) -> Tensor:
    """`x` as a tensor of at least single precision: half precision holds no count above 2048 exactly."""
    x = ops.convert_to_tensor(x)
    return x if str(x.dtype).endswith(("float32", "float64")) else ops.cast(x, "float32")


def match_rank(y_true: Tensor, y_pred: Tensor) -> Tensor:
    """`y_true` with a last axis of one added or dropped where that gives it the rank of `y_pred`."""
    if len(y_true.shape) == len(y_pred.shape) - 1:
        return ops.expand_dims(y_true, axis=-1)
    if len(y_true.shape) == len(y_pred.shape) + 1 and y_true.shape[-1] == 1:
        return ops.squeeze(y_true, axis=-1)
    return y_true


def require_same_shape(y_true: Tensor, y_pred: Tensor, *, but_last: bool = False) -> None:
    """Raise unless both have one shape; an axis that is unknown while a step is traced fits everything.

    Args:
        y_true: Labels.
        y_pred: Predictions.
        but_last: Whether the last axes, the channels, may differ.

    Raises:
        ValueError: If an axis differs. Without this, (batch, height, width) against (batch, height, width, 1)
            would broadcast to (batch, height, width, width) and train on nonsense.
    """
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    axes = list(zip(true, pred, strict=False))[: -1 if but_last else None]
    if len(true) != len(pred) or any(a is not None and b is not None and a != b for a, b in axes):
        raise ValueError(
            "`y_true` and `y_pred` must have the same shape (batch, height, width, channels); the last axis of "
            f"`y_true` may be left out where it is 1. Received: y_true.shape={true}, y_pred.shape={pred}. "
            "Resize, one-hot encode or reshape the labels to the model's output."
        )


def match_weight(sample_weight: Tensor, y_pred: Tensor) -> Tensor:
    """`sample_weight` with axes of one appended until it broadcasts against `y_pred` from the left.

    Args:
        sample_weight: `()`, `(batch,)`, `(batch, height, width)`, `(batch, height, width, 1)` or the shape of `y_pred`.
        y_pred: Predictions, `(batch, height, width, channels)`.

    Raises:
        ValueError: If an axis is neither 1 nor that of `y_pred`.
    """
    weight = ops.convert_to_tensor(sample_weight)
    missing = len(y_pred.shape) - len(weight.shape)
    pairs = list(zip(weight.shape, y_pred.shape, strict=False))
    if missing < 0 or any(None not in pair and pair[0] not in (1, pair[1]) for pair in pairs):
        raise ValueError(
            "`sample_weight` must have the leading axes of `y_pred`: (batch,), (batch, height, width) or "
            f"(batch, height, width, 1). Received: sample_weight.shape={tuple(weight.shape)}, "
            f"y_pred.shape={tuple(y_pred.shape)}."
        )
    for _ in range(missing):
        weight = ops.expand_dims(weight, axis=-1)
    return weight


def check_ignore_label(ignore_label: object) -> None:
    """Refuse what is neither None nor a finite number.

    >>> check_ignore_label("255")
    Traceback (most recent call last):
    ValueError: `ignore_label` must be the label of pixels to leave out, such as 255 or -1, or None. Received: ...
    """
    if ignore_label is not None and not (is_number(ignore_label) and np.isfinite(ignore_label)):  # type: ignore[call-overload]
        raise ValueError(
            "`ignore_label` must be the label of pixels to leave out, such as 255 or -1, or None. "
            f"Received: ignore_label={ignore_label!r}."
        )


def counted_pixels(
    y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None, ignore_label: float | None
) -> Tensor | None:
    """Where pixels count: those of another weight than 0 and of another label than the ignored one.

    Args:
        y_true: Labels of the rank of `y_pred`.
        y_pred: Predictions, `(batch, height, width, channels)`.
        sample_weight: As in `match_weight`, or None.
        ignore_label: The label of pixels to leave out, or None.

    Returns:
        Boolean tensor that broadcasts against `y_pred`; None where every pixel counts.
    """
    weight = None if sample_weight is None else match_weight(sample_weight, y_pred)
    counted = None if weight is None else ops.not_equal(weight, ops.zeros((), weight.dtype))
    if ignore_label is None:
        return counted
    labelled = ops.not_equal(y_true, scalar(ignore_label, y_true.dtype))
    return labelled if counted is None else ops.logical_and(labelled, counted)
