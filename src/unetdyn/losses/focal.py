"""Binary focal loss computed in log space, so that value and gradient are right for every logit and every γ."""

from typing import Any

import keras
from keras import ops

from unetdyn._checks import check_fraction, check_positive, check_range, plain
from unetdyn.losses.label_watch import LabelWatch
from unetdyn.metrics.constants import scalar
from unetdyn.metrics.shapes import (
    as_computable,
    check_ignore_label,
    counted_pixels,
    match_rank,
    match_weight,
    require_same_shape,
)

Tensor = Any

SMALLEST_PROBABILITY = 1e-30
"""Where a probability is clipped from below: low enough to leave a sigmoid's confident miss its gradient (down to the
logit −69), high enough that 1/p stays finite in float32."""

LARGEST_PROBABILITY = 1 - 2.0**-24
"""The largest float32 below 1: where a probability is clipped from above."""

_MEANS = ("sum_over_batch_size", "mean")


def _check_arguments(
    gamma: float, pos_weight: float | None, label_smoothing: float | None, alpha: float | None
) -> None:
    check_range("gamma", gamma, 0)
    if pos_weight is not None:
        check_positive("pos_weight", pos_weight, otherwise="or None for no weighting")
    if label_smoothing is not None:
        check_fraction("label_smoothing", label_smoothing, zero=True, otherwise="or None")
    if alpha is not None:
        check_fraction("alpha", alpha, otherwise="or None for no balancing")


def _log_probabilities(y_pred: Tensor, from_logits: bool) -> tuple[Tensor, Tensor]:
    """ln p and ln(1 − p)."""
    if from_logits:
        return -ops.softplus(-y_pred), -ops.softplus(y_pred)
    one = ops.ones((), y_pred.dtype)  # a bound that is a number would be copied to the GPU, and the host wait for it
    p = ops.clip(y_pred, SMALLEST_PROBABILITY * one, LARGEST_PROBABILITY * one)
    return ops.log(p), ops.log1p(-p)


def binary_focal_loss(
    y_true: Tensor,
    y_pred: Tensor,
    gamma: float,
    *,
    pos_weight: float | None = None,
    from_logits: bool = False,
    label_smoothing: float | None = None,
    alpha: float | None = None,
) -> Tensor:
    """Binary focal loss of every element.

    `L = −w₊ y (1 − p)^γ ln p − w₋ (1 − y) p^γ ln(1 − p)`, in this order: labels are smoothed first,
    `y ← (1 − s) y + s/2`; then `w₊ = pos_weight · alpha` and `w₋ = 1 − alpha`, where `alpha` is given, or
    `w₊ = pos_weight` and `w₋ = 1`. The powers are computed as `exp(γ ln(1 − p))`, with ln p and ln(1 − p) straight from
    the logits.

    Args:
        y_true: Labels in [0, 1], soft ones too, `(batch, height, width, channels)`; a last axis of 1 may be missing.
        y_pred: Probabilities in [0, 1], or logits, same shape. Half precision is computed in float32.
        gamma: Focusing parameter γ ≥ 0: 0 is cross-entropy, 2 the value of the paper. No default, as in the
            `focal-loss` package.
        pos_weight: Weight of the positive class, above 0; None, the default, is 1.
        from_logits: Whether `y_pred` holds logits; False by default, as in Keras. Prefer logits: in float32 a sigmoid
            is exactly 1 above the logit 17, and a confident false positive has no gradient left.
        label_smoothing: The s above, in [0, 1); None, the default, is 0.
        alpha: Balance in (0, 1), the weight of the positive class, 0.25 in the paper; None, the default: no balancing.

    Returns:
        Loss of each element, the shape of `y_pred`, at least float32, not reduced.

    Raises:
        ValueError: If shapes differ or an argument is out of range.

    Probabilities are clipped to [1e-30, 1 − 2⁻²⁴]; the gradient is 0 outside. Keras and the `focal-loss` package clip
    at 1e-7, which takes the gradient from every miss more confident than the logit −16.

    Soft labels follow the formula above, and so does the package's `label_smoothing`. Labels that are soft without it
    get another factor elsewhere: in the package any label above 0 has the factor of 1, and
    `keras.losses.BinaryFocalCrossentropy` has `(1 − y p − (1 − y)(1 − p))^γ`.

    Example:
        >>> loss = binary_focal_loss([0.0, 1.0, 1.0], [0.1, 0.7, 0.9], gamma=2)
        >>> [round(float(value), 4) for value in loss]
        [0.0011, 0.0321, 0.0011]

    Reference:
        Lin, Goyal, Girshick, He & Dollár, "Focal loss for dense object detection", ICCV 2017.
    """
    _check_arguments(gamma, pos_weight, label_smoothing, alpha)
    y_pred = as_computable(y_pred)
    y_true = match_rank(ops.convert_to_tensor(y_true), y_pred)
    require_same_shape(y_true, y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    if label_smoothing is not None:
        y_true = (1 - label_smoothing) * y_true + label_smoothing / 2
    positive = (1 if pos_weight is None else pos_weight) * (1 if alpha is None else alpha)
    negative = 1 if alpha is None else 1 - alpha
    log_p, log_q = _log_probabilities(y_pred, from_logits)
    loss = positive * y_true * ops.exp(gamma * log_q) * log_p
    return -loss - negative * (1 - y_true) * ops.exp(gamma * log_p) * log_q


@keras.saving.register_keras_serializable(package="unetdyn")
class BinaryFocalLoss(keras.losses.Loss):
    """Binary focal loss, its value and gradient right for every logit and every γ ≥ 0.

    `L = −w₊ y (1 − p)^γ ln p − w₋ (1 − y) p^γ ln(1 − p)`, the mean over all pixels of the batch. `binary_focal_loss`
    says how smoothing and weights enter. The arguments are those of the `focal-loss` package, and `alpha`.

    `keras.losses.BinaryFocalCrossentropy(from_logits=True)` (Keras 3.15) turns logits into probabilities first. On JAX
    and PyTorch the gradient of a confident miss (logit −20, label 1, γ = 2) is then −6.6e-8, where −1 is right; on
    every backend that of a confident hit (logit 19, γ = 0.5) is NaN. Here both are right.

    Args:
        gamma: Focusing parameter γ ≥ 0: 0 is cross-entropy, 2 the value of the paper. No default, as in the package.
        pos_weight: Weight of the positive class, above 0; None, the default, is 1.
        from_logits: Whether predictions are logits; False by default, as in Keras. Prefer logits.
        label_smoothing: In [0, 1); None, the default, is 0.
        alpha: Balance in (0, 1), 0.25 in the paper; None, the default: no balancing.
        ignore_label: Label of pixels that are left out, such as 255 or -1; None, the default: none. They have no part
            in a mean either, as with `ignore_class` of Keras' `SparseCategoricalCrossentropy`.
        reduction: "sum_over_batch_size" by default: the mean over every pixel of every image. "sum", None (the loss of
            each pixel, `(batch, height, width, channels)`) and Keras' others work too.
        name: "binary_focal_loss" by default.
        dtype: Dtype of the computation. Keras' floatx by default; half precision is raised to float32, where a
            mean over pixels does not overflow.

    `sample_weight` may have the shape `(batch,)`, `(batch, height, width)` or `(batch, height, width, 1)`; the mean is
    still taken over all pixels (with "mean_with_sample_weight": over the weights).

    Raises:
        ValueError: If an argument is out of range or, when called, if shapes differ.

    Example:
        >>> loss = BinaryFocalLoss(2.0, from_logits=True)
        >>> float(loss([[1.0]], [[-20.0]]))
        20.0

    Reference:
        Lin, Goyal, Girshick, He & Dollár, "Focal loss for dense object detection", ICCV 2017.
    """

    def __init__(
        self,
        gamma: float,
        *,
        pos_weight: float | None = None,
        from_logits: bool = False,
        label_smoothing: float | None = None,
        alpha: float | None = None,
        ignore_label: float | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str = "binary_focal_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if self.dtype in ("float16", "bfloat16"):
            super().__init__(name=name, reduction=reduction, dtype="float32")
        _check_arguments(gamma, pos_weight, label_smoothing, alpha)
        self.gamma = plain(gamma)
        self.pos_weight = plain(pos_weight)
        self.from_logits = from_logits
        self.label_smoothing = plain(label_smoothing)
        self.alpha = plain(alpha)
        check_ignore_label(ignore_label)
        self.ignore_label = plain(ignore_label)
        self._watch = LabelWatch()

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The reduced loss; `sample_weight` is aligned with the predictions from the left.

        Keras aligns it from the right, where (batch,) would meet the width.
        """
        self._watch.look(self, y_true, sample_weight)
        if sample_weight is not None:
            shape = ops.shape(ops.convert_to_tensor(y_pred))
            sample_weight = ops.broadcast_to(match_weight(sample_weight, ops.convert_to_tensor(y_pred)), shape)
        if self.ignore_label is not None:
            y_true, sample_weight = self._without_ignored(y_true, y_pred, sample_weight)
        return super().__call__(y_true, y_pred, sample_weight)

    def _without_ignored(self, y_true: Tensor, y_pred: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
        """Labels with 0 in place of the ignored one, and weights of 0 there.

        A mean over all pixels becomes one over those that are left: their weights grow as they become fewer.
        """
        y_pred = as_computable(y_pred)
        y_true = match_rank(as_computable(y_true), y_pred)
        require_same_shape(y_true, y_pred)
        counted = counted_pixels(y_true, y_pred, None, self.ignore_label)
        kept = ops.cast(counted, "float32")
        if self.reduction in _MEANS:
            kept = ops.divide_no_nan(kept, ops.mean(kept))
        y_true = ops.where(counted, y_true, scalar(0.0, y_true.dtype))
        return y_true, kept if weight is None else kept * ops.cast(weight, kept.dtype)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each element, the shape of `y_pred`."""
        return binary_focal_loss(
            y_true,
            y_pred,
            self.gamma,
            pos_weight=self.pos_weight,
            from_logits=self.from_logits,
            label_smoothing=self.label_smoothing,
            alpha=self.alpha,
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        return {
            **super().get_config(),
            "gamma": self.gamma,
            "pos_weight": self.pos_weight,
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "alpha": self.alpha,
            "ignore_label": self.ignore_label,
            "dtype": self.dtype,
        }
