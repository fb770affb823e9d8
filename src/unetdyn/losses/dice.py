"""The Dice loss, with plain or squared denominators."""

from collections.abc import Sequence
from typing import Any

import keras

from unetdyn._checks import plain
from unetdyn.losses.region_loss import Aggregate, RegionLoss
from unetdyn.losses.regions import Regions, check_region_arguments, check_smooth, class_mean, regions, soft_counts

Tensor = Any


def dice_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    squared: bool = False,
    smooth: float = 1.0,
    aggregate: Aggregate = "batch",
    class_weights: Sequence[float] | None = None,
    from_logits: bool = False,
    sample_weight: Tensor | None = None,
    ignore_label: float | None = None,
) -> Tensor:
    """One minus the soft Dice coefficient, of each image, `(batch,)`, or of the batch, `()`.

    Plain, as in Sudre et al.: `L = 1 − (2 Σ y·p + s) / (Σ y + Σ p + s)`. Squared, as in Milletari et al.:
    `L = 1 − (2 Σ y·p + s) / (Σ y² + Σ p² + s)`. Both are computed as a quotient of errors, `Σ (1 − y)·p + Σ y·(1 − p)`
    and `Σ (y − p)²` over the same denominators, so that nothing is lost where the prediction is nearly right.

    Args:
        y_true: Labels in [0, 1], soft ones too, of the shape of `y_pred`; a last axis of 1 may be missing. Of several
            channels also class numbers.
        y_pred: Probabilities in [0, 1], or logits, `(batch, …, classes)`. Half precision is computed in float32.
        squared: False by default: the plain form, which pushes down all false positives alike. The gradient of the
            squared one vanishes there with p.
        smooth: The s above, in pixels, above 0; 1.0 by default. It decides what empty masks cost: an empty prediction
            0, and n wrong pixels n / (n + s).
        aggregate: "batch" by default: one ratio over the whole batch; "image": one of each image.
        class_weights: Of several channels a weight each, 0 or above: the loss is the weighted mean over the channels,
            `[0, 1, 1]` leaves the background out. None, the default: all alike.
        from_logits: Whether `y_pred` holds logits; False by default. One channel goes through a sigmoid, several
            through a softmax.
        sample_weight: What each pixel counts in the sums.
        ignore_label: Label of pixels that are left out; None, the default: none.

    Returns:
        The loss, at least float32, from 0 to 1.

    Raises:
        ValueError: If shapes don't fit or an argument is out of range.

    Example:
        >>> round(float(dice_loss([[[1.0], [1.0], [0.0]]], [[[0.5], [1.0], [0.5]]])), 4)
        0.2
        >>> round(float(dice_loss([[[1.0], [1.0], [0.0]]], [[[0.5], [1.0], [0.5]]], squared=True)), 4)
        0.1111

    Reference:
        Milletari, Navab & Ahmadi, "V-Net: fully convolutional neural networks for volumetric medical image
        segmentation", 3DV 2016, section 3. Sudre, Li, Vercauteren, Ourselin & Cardoso, "Generalised Dice overlap as a
        deep learning loss function for highly unbalanced segmentations", DLMIA 2017, equation for DL2.
    """
    check_smooth(smooth)
    check_region_arguments(aggregate, class_weights, ignore_label)
    of = regions(y_true, y_pred, from_logits=from_logits, sample_weight=sample_weight, ignore_label=ignore_label)
    return class_mean(dice_of_classes(of, squared, smooth, aggregate), class_weights)


def dice_of_classes(of: Regions, squared: bool, smooth: float, aggregate: str) -> Tensor:
    """The loss of each class: `(batch, classes)`, or `(classes,)` of the batch."""
    if squared:
        errors = of.sum((of.y * of.q - (1 - of.y) * of.p) ** 2, aggregate)
        return errors / (of.sum(of.y**2 + of.p**2, aggregate) + smooth)
    counts = soft_counts(of, aggregate)
    errors = counts.false_positive + counts.false_negative
    return errors / (2 * counts.true_positive + errors + smooth)


@keras.saving.register_keras_serializable(package="unetdyn")
class DiceLoss(RegionLoss):
    """One minus the soft Dice coefficient: `L = 1 − (2 Σ y·p + s) / (Σ y + Σ p + s)`.

    `dice_loss` says more of the formula, and of the form with squares.

    Args:
        squared: False by default; True squares the terms of the denominator, as in V-Net.
        smooth: The s above, in pixels, above 0. 1.0 by default: an empty prediction for an empty mask costs 0, and one
            wrong pixel of an empty image ½.
        aggregate: "batch" by default, as in `SoftJaccardLoss`: one ratio over the whole batch. "image": the mean of
            the images' own losses.
        class_weights: Of several channels a weight each; None, the default: all alike.
        from_logits: Whether predictions are logits; False by default, as in Keras.
        ignore_label: Label of pixels that are left out, such as 255 or -1; None, the default: none.
        reduction: "sum_over_batch_size" by default; it acts on the images' losses with `aggregate="image"` and changes
            nothing with "batch", which has a single value.
        name: "dice_loss" by default.
        dtype: Dtype of the computation. Keras' floatx by default; half precision is raised to float32.

    `sample_weight` of shape `(batch,)` weights the images' losses with `aggregate="image"`. With "batch", and wherever
    it has a value for each pixel, `(batch, height, width)` or `(batch, height, width, 1)`, it weights pixels in the
    sums; those of weight 0 are left out.

    Raises:
        ValueError: If an argument is out of range or, when called, if shapes don't fit.

    Example:
        >>> loss = DiceLoss()
        >>> float(loss([[[1.0], [1.0], [0.0]]], [[[1.0], [1.0], [0.0]]]))
        0.0

    Reference:
        Milletari et al., 3DV 2016; Sudre et al., DLMIA 2017: see `dice_loss`.
    """

    formula = staticmethod(dice_loss)
    own = ("squared", "smooth")

    def __init__(
        self,
        squared: bool = False,
        smooth: float = 1.0,
        aggregate: Aggregate = "batch",
        *,
        class_weights: Sequence[float] | None = None,
        from_logits: bool = False,
        ignore_label: float | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str = "dice_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(aggregate, class_weights, from_logits, ignore_label, reduction, name, dtype)
        check_smooth(smooth)
        self.squared = squared
        self.smooth = plain(smooth)
