"""Labels and predictions that make a Jaccard index meaningless: flagged in the compiled step, warned of on the host.

A compiled step cannot read values and warn. So it keeps a small vector of flags among the metric's state. The host
reads them where it waits for the step anyway: see `ThresholdedJaccard`.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from unetdyn.metrics.jaccard import LABEL_THRESHOLD, Batch, CountingRule

Tensor = Any

FLAGS = (
    "label_above_one",
    "label_fractional",
    "label_without_class",
    "label_background",
    "prediction_below_one",
    "prediction_outside",
    "prediction_nan",
)

WARNINGS = {
    "label_above_one": (
        "`y_true` holds values above 1, as 8-bit masks of 0 and 255 do. Everything above 0.5 was counted as "
        "foreground; the loss, though, needs 0 and 1. Divide the masks by 255, or use `mask > 0`."
    ),
    "label_fractional": (
        "`y_true` holds values between 0 and 1, as masks do that were resized with interpolation. Values above 0.5 "
        "were counted as foreground. Resize masks with nearest-neighbour interpolation."
    ),
    "label_without_class": (
        "`y_true` holds class numbers that are none of the model's channels, such as 255 for unlabelled pixels. They "
        "were counted as belonging to no class. Give such pixels a `sample_weight` of 0."
    ),
    "prediction_outside": (
        "`y_pred` holds values outside [0, 1], as a model without a final activation gives. They were compared with a "
        "probability. Pass `from_logits=True`, or end the model with a sigmoid."
    ),
    "prediction_nan": (
        "`y_pred` holds NaN; these pixels were counted as background. The training has diverged: lower the learning "
        "rate, or look for NaN in the images."
    ),
    "constant": (
        "every value of `y_pred` is exactly 1.0, as a softmax over a single channel always gives. Such a model cannot "
        "learn. Use a sigmoid for one channel, or two channels for a softmax."
    ),
}

CODES = {
    "label_above_one": "labels.scale",
    "label_fractional": "labels.fractional",
    "label_without_class": "labels.unknown_class",
    "prediction_outside": "outputs.range",
    "prediction_nan": "outputs.nonfinite",
    "constant": "outputs.constant",
}
"""The codes of the warnings."""


def raise_flags(batch: Batch, rule: CountingRule) -> Tensor:
    """Which of `FLAGS` the counted pixels of a batch raise: float32 `(7,)` of 0 and 1."""
    y_true, y_pred = batch.y_true, batch.y_pred
    channels = y_pred.shape[-1]
    probabilities = not rule.from_logits and rule.threshold is not None
    none = ops.zeros_like(y_true, dtype="bool")
    dense = none if batch.sparse else ops.greater(y_true, 1)
    fractional = none if batch.sparse else ops.logical_and(ops.greater(y_true, 0), ops.less(y_true, 1))
    unknown = ops.logical_or(ops.less(y_true, 0), ops.greater(y_true, channels - 1)) if batch.sparse else none
    outside = ops.logical_or(ops.less(y_pred, 0), ops.greater(y_pred, 1))
    raised = [
        dense,
        fractional,
        unknown,
        ops.less_equal(y_true, LABEL_THRESHOLD),
        ops.not_equal(y_pred, 1),
        outside if probabilities else ops.zeros_like(y_pred, dtype="bool"),
        ops.isnan(y_pred),
    ]
    if batch.counted is not None:
        raised = [ops.logical_and(pixels, batch.counted) for pixels in raised]
    return ops.cast(ops.stack([ops.any(pixels) for pixels in raised]), "float32")


def warnings_due(flags: np.ndarray, *, single_channel: bool) -> list[str]:
    """The keys of `WARNINGS` that the flags of an epoch call for."""
    raised = {name for name, flag in zip(FLAGS, flags, strict=True) if flag > 0}
    due = [name for name in WARNINGS if name in raised]
    if single_channel and "label_background" in raised and "prediction_below_one" not in raised:
        due.append("constant")
    return due


def on_host(value: Tensor) -> np.ndarray | None:
    """`value` as NumPy where the host can read it now, None while a step is being traced."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        readable = tf.executing_eagerly()
    elif backend == "jax":
        import jax

        readable = value is not None and not isinstance(value, jax.core.Tracer)
    else:
        import torch

        readable = value.device.type != "meta" and not torch.compiler.is_compiling()
    return ops.convert_to_numpy(value) if readable else None
