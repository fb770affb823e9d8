"""Labels and predictions that make a score meaningless: noted in the compiled step, warned of on the host.

A compiled step cannot read values and warn. So it keeps a small vector among the metric's state: flags, and the
extremes of the labels. The host reads it where it waits for the step anyway: see `CountingMetric`.
"""

from typing import Any

import keras
import numpy as np
from keras import ops

from unetdyn.metrics.counting import LABEL_THRESHOLD, Batch, CountingRule
from unetdyn.metrics.label_warnings import Labels, label_warnings

Tensor = Any

FLAGS = (
    "label_background",
    "label_nonfinite",
    "label_empty_row",
    "prediction_below_one",
    "prediction_outside",
    "prediction_nan",
    "label_largest",
    "label_lowest",  # of the negative
    "label_smallest",  # its reciprocal, of labels above 0
)
"""Each is the largest of what the batches gave, and 0 where nothing was seen."""

WARNINGS = {
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
"""What is said of predictions; `label_warnings` has the words for labels."""

CODES = {"prediction_outside": "outputs.range", "prediction_nan": "outputs.nonfinite", "constant": "outputs.constant"}
"""The codes of these warnings."""


def raise_flags(batch: Batch, rule: CountingRule) -> Tensor:
    """What the counted pixels of a batch give for each of `FLAGS`: float32, at least 0."""
    y_true, y_pred = batch.y_true, batch.y_pred
    probabilities = not rule.from_logits and rule.threshold is not None
    outside = ops.logical_or(y_pred < 0, y_pred > 1)
    background = y_true <= LABEL_THRESHOLD
    exclusive = rule.threshold is None and not batch.sparse
    raised = [
        background,
        ops.logical_not(ops.isfinite(y_true)),
        ops.all(background, axis=-1, keepdims=True) if exclusive else ops.zeros_like(background),
        y_pred != 1,
        outside if probabilities else ops.zeros_like(y_pred, dtype="bool"),
        ops.isnan(y_pred),
    ]
    zero = ops.zeros((), "float32")
    labels = ops.where(ops.isfinite(y_true), ops.cast(y_true, "float32"), zero)
    if batch.counted is not None:
        raised = [ops.logical_and(pixels, batch.counted) for pixels in raised]
        labels = ops.where(batch.counted, labels, zero)
    positive = labels > 0
    extremes = [labels, -labels, ops.where(positive, 1 / ops.where(positive, labels, zero + 1), zero)]
    flags = [ops.cast(ops.any(pixels), "float32") for pixels in raised]
    return ops.stack(flags + [ops.maximum(ops.max(values), zero) for values in extremes])


def warnings_due(flags: np.ndarray, *, channels: int, sparse: bool) -> list[tuple[str, str]]:
    """The codes and the texts that the flags of an epoch call for.

    Args:
        flags: As `raise_flags` gives them, the largest of all batches.
        channels: Of the predictions.
        sparse: Whether labels were class numbers.
    """
    seen = dict(zip(FLAGS, (float(flag) for flag in flags), strict=True))
    labels = Labels(
        lowest=-_rounded(seen["label_lowest"]),
        smallest=_rounded(1 / seen["label_smallest"]) if seen["label_smallest"] else 0.0,
        largest=_rounded(seen["label_largest"]),
        background=seen["label_background"] > 0,
        nonfinite=seen["label_nonfinite"] > 0,
        empty_row=seen["label_empty_row"] > 0,
        channels=channels,
        sparse=sparse,
    )
    due = [name for name in ("prediction_outside", "prediction_nan") if seen[name]]
    if channels == 1 and seen["label_background"] and not seen["prediction_below_one"]:
        due.append("constant")
    return [*label_warnings(labels), *((CODES[name], WARNINGS[name]) for name in due)]


def _rounded(value: float) -> float:
    """To six digits, so that a label and the reciprocal of its reciprocal are one."""
    return float(f"{value:.6g}")


def on_host(variable: keras.Variable) -> np.ndarray | None:
    """The largest that a variable holds on any replica, where the host can read it now; None in a trace."""
    value = variable.value
    if value is None or not is_readable(value):
        return None
    replicas = getattr(variable._value, "values", None)  # of TensorFlow; Keras would add them up
    if isinstance(replicas, tuple):
        return np.max([ops.convert_to_numpy(each) for each in replicas], axis=0)
    return ops.convert_to_numpy(value)


def is_readable(tensor: Tensor) -> bool:
    """Whether the host can read a tensor of the backend now; not in a trace."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.executing_eagerly()
    if backend == "jax":
        import jax

        return not isinstance(tensor, jax.core.Tracer)
    import torch

    return tensor.device.type != "meta" and not torch.compiler.is_compiling()
