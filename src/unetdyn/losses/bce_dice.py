"""Cross-entropy and Dice, added."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from unetdyn._checks import check_fraction, check_range, plain
from unetdyn.losses.dice import dice_of_classes
from unetdyn.losses.focal import LARGEST_PROBABILITY, SMALLEST_PROBABILITY, binary_focal_loss
from unetdyn.losses.region_loss import Aggregate, RegionLoss
from unetdyn.losses.regions import Regions, check_region_arguments, check_smooth, class_mean, regions
from unetdyn.metrics.constants import scalar, vector
from unetdyn.metrics.shapes import as_computable

Tensor = Any


def _check_arguments(bce_weight: float, dice_weight: float, label_smoothing: float, smooth: float) -> None:
    check_range("bce_weight", bce_weight, 0)
    check_range("dice_weight", dice_weight, 0)
    if not bce_weight + dice_weight > 0:
        raise ValueError(
            "`bce_weight` or `dice_weight` must be above 0, or there is no loss. "
            f"Received: bce_weight={bce_weight!r}, dice_weight={dice_weight!r}."
        )
    check_fraction("label_smoothing", label_smoothing, zero=True)
    check_smooth(smooth)


def _cross_entropy(
    of: Regions, y_pred: Tensor, from_logits: bool, smoothing: float, class_weights: Sequence[float] | None
) -> tuple[Tensor, Tensor]:
    """The cross-entropy of every pixel, and what it counts: `(batch, …, 1)` both."""
    counts = ops.ones_like(of.y[..., :1])
    if of.weight is not None:
        shared = of.weight if of.weight.shape[-1] == 1 else ops.min(of.weight, axis=-1, keepdims=True)
        counts = counts * shared
        y_pred = ops.where(of.weight != 0, y_pred, scalar(0.0, y_pred.dtype))
    if of.y.shape[-1] == 1:
        return binary_focal_loss(of.y, y_pred, 0, from_logits=from_logits, label_smoothing=smoothing), counts
    bounds = [scalar(bound, y_pred.dtype) for bound in (SMALLEST_PROBABILITY, LARGEST_PROBABILITY)]
    clipped = y_pred if from_logits else ops.clip(y_pred, *bounds)
    log_p = ops.log_softmax(clipped, axis=-1) if from_logits else ops.log(clipped)
    smoothed = (1 - smoothing) * of.y + smoothing / of.y.shape[-1]
    if class_weights is None:
        return -ops.sum(smoothed * log_p, axis=-1, keepdims=True), counts
    weights = vector(class_weights, log_p.dtype)
    of_label = ops.sum(of.y * weights, axis=-1, keepdims=True)
    losses = -ops.sum(smoothed * weights * log_p, axis=-1, keepdims=True)
    return ops.divide_no_nan(losses, of_label), counts * of_label


def bce_dice_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    bce_weight: float = 1.0,
    dice_weight: float = 1.0,
    label_smoothing: float = 0.0,
    squared: bool = False,
    smooth: float = 1.0,
    aggregate: Aggregate = "batch",
    class_weights: Sequence[float] | None = None,
    from_logits: bool = False,
    sample_weight: Tensor | None = None,
    ignore_label: float | None = None,
) -> Tensor:
    """Cross-entropy and Dice loss, added, of each image, `(batch,)`, or of the batch, `()`.

    `L = a · CE + b · Dice`. CE is the mean over the pixels that count: binary cross-entropy of one channel, and of
    several channels that of the softmax. It is computed in log space from logits.

    Args:
        y_true: As in `dice_loss`.
        y_pred: As in `dice_loss`.
        bce_weight: The a above, 0 or above; 1.0 by default, as in nnU-Net.
        dice_weight: The b above, 0 or above; 1.0 by default, as in nnU-Net.
        label_smoothing: s in [0, 1), of the cross-entropy alone, `y ← (1 − s) y + s / 2`, of n channels s / n; 0 by
            default. Dice keeps the labels as they are: smoothed, an empty mask would want a prediction.
        squared: As in `dice_loss`.
        smooth: As in `dice_loss`, for Dice alone: the cross-entropy needs none.
        aggregate: As in `dice_loss`, for both.
        class_weights: As in `dice_loss`; the cross-entropy is then the weighted mean by the classes of the pixels.
        from_logits: As in `dice_loss`.
        sample_weight: What each pixel counts in both: the cross-entropy is the weighted mean.
        ignore_label: As in `dice_loss`.

    Returns:
        The loss, at least float32, 0 or above. An empty mask with an empty prediction costs 0.

    Raises:
        ValueError: If shapes don't fit or an argument is out of range.

    Probabilities are clipped as in `binary_focal_loss`.

    Example:
        >>> loss = bce_dice_loss([[[1.0], [1.0], [0.0]]], [[[0.5], [0.5], [0.5]]])
        >>> round(float(loss), 4)  # ln 2 and 1 − 3 / 4.5
        1.0265

    Reference:
        Isensee, Jaeger, Kohl, Petersen & Maier-Hein, "nnU-Net: a self-configuring method for deep learning-based
        biomedical image segmentation", Nature Methods 18, 2021: the sum of both, with weights of 1.
    """
    _check_arguments(bce_weight, dice_weight, label_smoothing, smooth)
    check_region_arguments(aggregate, class_weights, ignore_label)
    y_pred = as_computable(y_pred)
    of = regions(y_true, y_pred, from_logits=from_logits, sample_weight=sample_weight, ignore_label=ignore_label)
    dice = class_mean(dice_of_classes(of, squared, smooth, aggregate), class_weights)
    entropy, counts = _cross_entropy(of, y_pred, from_logits, label_smoothing, class_weights)
    axes = tuple(range(1 if aggregate == "image" else 0, len(entropy.shape)))
    mean = ops.divide_no_nan(ops.sum(entropy * counts, axis=axes), ops.sum(counts, axis=axes))
    return bce_weight * mean + dice_weight * dice


@keras.saving.register_keras_serializable(package="unetdyn")
class BCEDiceLoss(RegionLoss):
    """Cross-entropy and Dice loss, added: `L = a · CE + b · Dice`.

    `bce_dice_loss` says more of the formula. Of several channels the cross-entropy is that of the softmax.

    Args:
        bce_weight: The a above, 0 or above; 1.0 by default, as in nnU-Net.
        dice_weight: The b above, 0 or above; 1.0 by default, as in nnU-Net.
        label_smoothing: In [0, 1), of the cross-entropy alone; 0 by default.
        squared: As in `DiceLoss`.
        smooth: As in `DiceLoss`. An empty prediction for an empty mask costs 0.
        aggregate: As in `DiceLoss`.
        class_weights: As in `DiceLoss`.
        from_logits: As in `DiceLoss`. Prefer logits: a confident miss keeps its gradient.
        ignore_label: As in `DiceLoss`.
        reduction: As in `DiceLoss`.
        name: "bce_dice_loss" by default.
        dtype: As in `DiceLoss`.

    `sample_weight` is as in `DiceLoss`; by pixel, the cross-entropy is the weighted mean.

    Raises:
        ValueError: If an argument is out of range or, when called, if shapes don't fit.

    Example:
        >>> round(float(BCEDiceLoss()([[[1.0], [1.0], [0.0]]], [[[0.5], [0.5], [0.5]]])), 4)
        1.0265

    Reference:
        Isensee et al., Nature Methods 18, 2021: see `bce_dice_loss`.
    """

    formula = staticmethod(bce_dice_loss)
    own = ("bce_weight", "dice_weight", "label_smoothing", "squared", "smooth")

    def __init__(
        self,
        bce_weight: float = 1.0,
        dice_weight: float = 1.0,
        label_smoothing: float = 0.0,
        squared: bool = False,
        smooth: float = 1.0,
        aggregate: Aggregate = "batch",
        *,
        class_weights: Sequence[float] | None = None,
        from_logits: bool = False,
        ignore_label: float | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str = "bce_dice_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(aggregate, class_weights, from_logits, ignore_label, reduction, name, dtype)
        _check_arguments(bce_weight, dice_weight, label_smoothing, smooth)
        self.bce_weight = plain(bce_weight)
        self.dice_weight = plain(dice_weight)
        self.label_smoothing = plain(label_smoothing)
        self.squared = squared
        self.smooth = plain(smooth)
