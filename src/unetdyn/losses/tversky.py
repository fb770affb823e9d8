"""The Tversky loss, which weights false positives and false negatives, and its focal form."""

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
from keras import ops

from unetdyn._checks import check_positive, check_range, plain
from unetdyn.losses.region_loss import Aggregate, RegionLoss
from unetdyn.losses.regions import check_region_arguments, check_smooth, class_mean, regions, soft_counts
from unetdyn.metrics.constants import scalar

Tensor = Any

SMALLEST_ERROR = 1e-6
"""Where 1 − T is smaller, the root of the focal form goes on in a straight line to 0: its own slope has no bound."""


def _check_arguments(alpha: float, beta: float, gamma: float, smooth: float) -> None:
    check_range("alpha", alpha, 0)
    check_range("beta", beta, 0)
    if not alpha + beta > 0:
        raise ValueError(
            "`alpha` and `beta` weight false positives and false negatives: one must be above 0, or no error costs "
            f"anything. Received: alpha={alpha!r}, beta={beta!r}."
        )
    check_positive("gamma", gamma)
    check_smooth(smooth)


def _power(x: Tensor, exponent: float) -> Tensor:
    larger = ops.maximum(x, scalar(SMALLEST_ERROR, x.dtype))
    return ops.where(x > SMALLEST_ERROR, larger**exponent, x * SMALLEST_ERROR ** (exponent - 1))


def tversky_loss(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    gamma: float = 1.0,
    smooth: float = 1.0,
    aggregate: Aggregate = "batch",
    class_weights: Sequence[float] | None = None,
    from_logits: bool = False,
    sample_weight: Tensor | None = None,
    ignore_label: float | None = None,
) -> Tensor:
    """One minus the soft Tversky index, or a root of it, of each image, `(batch,)`, or of the batch, `()`.

    `T = (TP + s) / (TP + α FP + β FN + s)` with `TP = Σ y·p`, `FP = Σ (1 − y)·p` and `FN = Σ y·(1 − p)`, and
    `L = (1 − T)^(1/γ)`. `1 − T` is computed as `(α FP + β FN) / (TP + α FP + β FN + s)`, without cancellation.

    α = β = ½ is the plain `dice_loss` of twice the s, α = β = 1 the soft Jaccard loss of the same.

    Args:
        y_true: As in `dice_loss`.
        y_pred: As in `dice_loss`.
        alpha: Weight of false positives, 0 or above; 0.3 by default, the best of Salehi et al. (their table 1).
        beta: Weight of false negatives, 0 or above; 0.7 by default, with which a missed pixel costs more.
        gamma: The γ above, above 0; 1 by default: the Tversky loss itself. Abraham & Khan take 4/3, which holds up the
            gradient of regions that are nearly right; below 1 it is let go. Others write γ for the exponent, 0.75.
        smooth: The s above, in pixels, above 0; 1.0 by default. An empty prediction for an empty mask costs 0, n wrong
            pixels α n / (α n + s), to the power of 1/γ.
        aggregate: As in `dice_loss`.
        class_weights: As in `dice_loss`. The root is that of each class.
        from_logits: As in `dice_loss`.
        sample_weight: As in `dice_loss`.
        ignore_label: As in `dice_loss`.

    Returns:
        The loss, at least float32, from 0 to 1.

    Raises:
        ValueError: If shapes don't fit or an argument is out of range.

    With γ above 1 the slope of the root has no bound where 1 − T goes to 0. Below 1 − T = 1e-6 it goes on in a straight
    line to 0, with the slope 1e-6^(1/γ − 1).

    Example:
        >>> missed = tversky_loss([[[1.0], [1.0], [0.0]]], [[[1.0], [0.0], [0.0]]])
        >>> added = tversky_loss([[[1.0], [0.0], [0.0]]], [[[1.0], [1.0], [0.0]]])
        >>> round(float(missed), 4), round(float(added), 4)
        (0.2593, 0.1304)

    Reference:
        Salehi, Erdogmus & Gholipour, "Tversky loss function for image segmentation using 3D fully convolutional deep
        networks", MLMI 2017, equation 4. Abraham & Khan, "A novel focal Tversky loss function with improved attention
        U-Net for lesion segmentation", ISBI 2019, equations 3 and 4. Their α weights false negatives, ours, as that of
        Salehi et al., false positives. `keras.losses.Tversky` (Keras 3.15) says the same and does the reverse: its
        `alpha=0.7, beta=0.3` is our `alpha=0.3, beta=0.7`.
    """
    _check_arguments(alpha, beta, gamma, smooth)
    check_region_arguments(aggregate, class_weights, ignore_label)
    of = regions(y_true, y_pred, from_logits=from_logits, sample_weight=sample_weight, ignore_label=ignore_label)
    counts = soft_counts(of, aggregate)
    errors = alpha * counts.false_positive + beta * counts.false_negative
    losses = errors / (counts.true_positive + errors + smooth)
    return class_mean(losses if gamma == 1 else _power(losses, 1 / gamma), class_weights)


@keras.saving.register_keras_serializable(package="unetdyn")
class TverskyLoss(RegionLoss):
    """One minus the soft Tversky index: `L = 1 − (TP + s) / (TP + α FP + β FN + s)`.

    `tversky_loss` says more of the formula.

    Args:
        alpha: Weight of false positives, 0 or above; 0.3 by default, as in the paper.
        beta: Weight of false negatives, 0 or above; 0.7 by default: for objects that are few or small, and missed.
        smooth: The s above, in pixels, above 0. 1.0 by default: an empty prediction for an empty mask costs 0, and n
            wrong pixels of an empty image α n / (α n + 1).
        aggregate: As in `DiceLoss`.
        class_weights: As in `DiceLoss`.
        from_logits: As in `DiceLoss`.
        ignore_label: As in `DiceLoss`.
        reduction: As in `DiceLoss`.
        name: "tversky_loss" by default.
        dtype: As in `DiceLoss`.

    `sample_weight` is as in `DiceLoss`.

    Raises:
        ValueError: If an argument is out of range or, when called, if shapes don't fit.

    Example:
        >>> round(float(TverskyLoss()([[[1.0], [1.0], [0.0]]], [[[1.0], [0.0], [0.0]]])), 4)
        0.2593

    Reference:
        Salehi et al., MLMI 2017: see `tversky_loss`.
    """

    formula = staticmethod(tversky_loss)
    own: ClassVar[tuple[str, ...]] = ("alpha", "beta", "smooth")

    def __init__(
        self,
        alpha: float = 0.3,
        beta: float = 0.7,
        smooth: float = 1.0,
        aggregate: Aggregate = "batch",
        *,
        class_weights: Sequence[float] | None = None,
        from_logits: bool = False,
        ignore_label: float | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str = "tversky_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(aggregate, class_weights, from_logits, ignore_label, reduction, name, dtype)
        _check_arguments(alpha, beta, 1.0, smooth)
        self.alpha = plain(alpha)
        self.beta = plain(beta)
        self.smooth = plain(smooth)


@keras.saving.register_keras_serializable(package="unetdyn")
class FocalTverskyLoss(TverskyLoss):
    """A root of the Tversky loss: `L = (1 − T)^(1/γ)`, with the T of `TverskyLoss`.

    `tversky_loss` says more of the formula.

    Args:
        gamma: The γ above, above 0; 4/3 by default, the best of the paper: an exponent of ¾.
        alpha: Weight of false positives, 0 or above; 0.3 by default, as in the paper, which calls it β.
        beta: Weight of false negatives, 0 or above; 0.7 by default, as in the paper, which calls it α.
        smooth: As in `TverskyLoss`.
        aggregate: As in `DiceLoss`.
        class_weights: As in `DiceLoss`.
        from_logits: As in `DiceLoss`.
        ignore_label: As in `DiceLoss`.
        reduction: As in `DiceLoss`.
        name: "focal_tversky_loss" by default.
        dtype: As in `DiceLoss`.

    `sample_weight` is as in `DiceLoss`.

    Raises:
        ValueError: If an argument is out of range or, when called, if shapes don't fit.

    Example:
        >>> round(float(FocalTverskyLoss()([[[1.0], [1.0], [0.0]]], [[[1.0], [0.0], [0.0]]])), 4)
        0.3633

    Reference:
        Abraham & Khan, ISBI 2019: see `tversky_loss`.
    """

    own = (*TverskyLoss.own, "gamma")

    def __init__(
        self,
        gamma: float = 4 / 3,
        alpha: float = 0.3,
        beta: float = 0.7,
        smooth: float = 1.0,
        aggregate: Aggregate = "batch",
        *,
        class_weights: Sequence[float] | None = None,
        from_logits: bool = False,
        ignore_label: float | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str = "focal_tversky_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(
            alpha,
            beta,
            smooth,
            aggregate,
            class_weights=class_weights,
            from_logits=from_logits,
            ignore_label=ignore_label,
            reduction=reduction,
            name=name,
            dtype=dtype,
        )
        _check_arguments(alpha, beta, gamma, smooth)
        self.gamma = plain(gamma)
