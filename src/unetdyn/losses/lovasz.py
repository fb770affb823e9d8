"""The Lovász losses: the Jaccard index of the thresholded mask, made convex between its corners."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from unetdyn.losses.region_loss import Aggregate, RegionLoss
from unetdyn.losses.regions import check_region_arguments, class_mean, regions
from unetdyn.metrics.constants import scalar

Tensor = Any


def _rows(values: Tensor, aggregate: str) -> Tensor:
    """The pixels of each class in a row: `(batch, classes, pixels)`, or `(classes, pixels)` of the batch."""
    classes = values.shape[-1]
    if aggregate == "batch":
        return ops.transpose(ops.reshape(values, (-1, classes)))
    return ops.transpose(ops.reshape(values, (ops.shape(values)[0], -1, classes)), (0, 2, 1))


def _extension(errors: Tensor, foreground: Tensor) -> Tensor:
    """The Lovász extension of the Jaccard loss at the errors of pixels, along the last axis.

    Where the i-th largest error joins the mistakes, the Jaccard loss rises by 1/U if it is of the foreground, and by
    I / (U (U − 1)) if not, with I pixels of the foreground still right and a union of U. These are the differences of
    the paper's algorithm 1, without its cancellation.
    """
    order = ops.argsort(-errors, axis=-1)
    errors = ops.take_along_axis(errors, order, axis=-1)
    foreground = ops.take_along_axis(foreground, order, axis=-1)
    whole = ops.sum(foreground, axis=-1, keepdims=True)
    right = whole - ops.cumsum(foreground, axis=-1)
    union = whole + ops.cumsum(1 - foreground, axis=-1)
    one = scalar(1.0, union.dtype)
    first = union <= 1  # of no foreground at all, one pixel of it is as wrong as all
    added = ops.where(first, one, right / (union * ops.maximum(union - 1, one)))
    rises = ops.where(foreground > 0, 1 / ops.maximum(union, one), added)
    return ops.sum(errors * ops.stop_gradient(rises), axis=-1)


def _of_foreground(y: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """1 where a pixel is of the foreground and counts, and 1 where it counts."""
    counts = ops.ones_like(y) if weight is None else ops.ones_like(y) * ops.cast(weight != 0, y.dtype)
    return ops.cast(y > 0.5, y.dtype) * counts, counts


def lovasz_hinge(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    aggregate: Aggregate = "image",
    class_weights: Sequence[float] | None = None,
    sample_weight: Tensor | None = None,
    ignore_label: float | None = None,
) -> Tensor:
    """The Lovász hinge of logits, of each image, `(batch,)`, or of the batch, `()`.

    Errors are the hinge's, `max(0, 1 − x (2 y − 1))` of the logit x; the loss is the Lovász extension of
    1 − Jaccard at them. Of logits −1 and 1 it is exactly twice 1 − Jaccard.

    Args:
        y_true: Masks, `(batch, …, channels)`: a label above ½ is foreground. A last axis of 1 may be missing.
        y_pred: Logits of the same shape. Half precision is computed in float32.
        aggregate: "image" by default, as in the paper: the mean of the images is what is scored. "batch" sorts all
            pixels of the batch at once.
        class_weights: As in `dice_loss`; every channel is a mask of its own.
        sample_weight: A mask: pixels of weight 0 are left out, all others count once.
        ignore_label: Label of pixels that are left out; None, the default: none.

    Returns:
        The loss, at least float32, 0 or above. An image without foreground costs its largest error.

    Raises:
        ValueError: If shapes don't fit or an argument is out of range.

    Example:
        >>> float(lovasz_hinge([[[1.0], [1.0], [0.0]]], [[[3.0], [-1.0], [-3.0]]])[0])
        1.0

    Reference:
        Berman, Rannen Triki & Blaschko, "The Lovász-softmax loss: a tractable surrogate for the optimization of the
        intersection-over-union measure in neural networks", CVPR 2018, section 3.1 and algorithm 1.
    """
    check_region_arguments(aggregate, class_weights, ignore_label)
    of = regions(y_true, y_pred, sample_weight=sample_weight, ignore_label=ignore_label)
    foreground, counts = _of_foreground(of.y, of.weight)
    errors = ops.relu(1 - of.p * (2 * foreground - 1)) * counts
    return class_mean(_extension(_rows(errors, aggregate), _rows(foreground, aggregate)), class_weights)


def lovasz_softmax(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    aggregate: Aggregate = "image",
    class_weights: Sequence[float] | None = None,
    from_logits: bool = False,
    sample_weight: Tensor | None = None,
    ignore_label: float | None = None,
) -> Tensor:
    """The Lovász-softmax loss of probabilities, of each image, `(batch,)`, or of the batch, `()`.

    Errors are `1 − p` of a pixel's own class and `p` of another; the loss is the Lovász extension of 1 − Jaccard at
    them, of each class. Of probabilities 0 and 1 it is exactly 1 − Jaccard.

    Args:
        y_true: Masks of the shape of `y_pred`: a label above ½ is foreground. Of several channels also class numbers.
        y_pred: Probabilities, or logits, `(batch, …, classes)`. Half precision is computed in float32.
        aggregate: As in `lovasz_hinge`.
        class_weights: As in `dice_loss`. Of several classes the mean is over those that are in the labels of the
            image, or of the batch, as in the paper.
        from_logits: Whether `y_pred` holds logits; False by default. One channel goes through a sigmoid, several
            through a softmax.
        sample_weight: A mask: pixels of weight 0 are left out, all others count once.
        ignore_label: Label of pixels that are left out; None, the default: none.

    Returns:
        The loss, at least float32, from 0 to 1. With one channel, an image without foreground costs its largest
        probability; of several, a class that is not in the labels costs nothing.

    Raises:
        ValueError: If shapes don't fit or an argument is out of range.

    Example:
        >>> round(float(lovasz_softmax([[[1.0], [1.0], [0.0]]], [[[1.0], [0.0], [1.0]]])[0]), 4)
        0.6667

    Reference:
        Berman, Rannen Triki & Blaschko, CVPR 2018, equations 7 to 9 and algorithm 1.
    """
    check_region_arguments(aggregate, class_weights, ignore_label)
    of = regions(y_true, y_pred, from_logits=from_logits, sample_weight=sample_weight, ignore_label=ignore_label)
    foreground, counts = _of_foreground(of.y, of.weight)
    errors = ops.where(foreground > 0, of.q, of.p) * counts
    rows = _rows(foreground, aggregate)
    present = ops.cast(ops.any(rows > 0, axis=-1), rows.dtype) if rows.shape[-2] != 1 else None
    return class_mean(_extension(_rows(errors, aggregate), rows), class_weights, present)


@keras.saving.register_keras_serializable(package="unetdyn")
class LovaszSoftmaxLoss(RegionLoss):
    """The Lovász-softmax loss: 1 − Jaccard of the thresholded mask, and what lies between its corners.

    `lovasz_softmax` says more of it. With one channel it is that of a sigmoid.

    Args:
        aggregate: "image" by default, as in the paper; "batch" sorts all pixels of the batch at once.
        class_weights: Of several channels a weight each; None, the default: all alike. The mean is over the classes
            that are in the labels.
        from_logits: Whether predictions are logits; False by default, as in Keras.
        ignore_label: Label of pixels that are left out, such as 255 or -1; None, the default: none.
        reduction: "sum_over_batch_size" by default; it acts on the images' losses.
        name: "lovasz_softmax_loss" by default.
        dtype: Dtype of the computation. Keras' floatx by default; half precision is raised to float32.

    `sample_weight` of shape `(batch,)` weights the images' losses with `aggregate="image"`. With "batch", and wherever
    it has a value for each pixel, it is a mask: pixels of weight 0 are left out, all others count once. An image
    without foreground costs its largest probability.

    Raises:
        ValueError: If an argument is out of range or, when called, if shapes don't fit.

    Example:
        >>> round(float(LovaszSoftmaxLoss()([[[1.0], [1.0], [0.0]]], [[[1.0], [0.0], [1.0]]])), 4)
        0.6667

    Reference:
        Berman et al., CVPR 2018: see `lovasz_softmax`.
    """

    formula = staticmethod(lovasz_softmax)

    def __init__(
        self,
        aggregate: Aggregate = "image",
        *,
        class_weights: Sequence[float] | None = None,
        from_logits: bool = False,
        ignore_label: float | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str = "lovasz_softmax_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(aggregate, class_weights, from_logits, ignore_label, reduction, name, dtype)


def _hinge_of_logits(*arrays: Tensor, from_logits: bool, **options: Any) -> Tensor:  # noqa: ARG001
    """With the argument that all losses of regions have, and that is always True here."""
    return lovasz_hinge(*arrays, **options)


@keras.saving.register_keras_serializable(package="unetdyn")
class LovaszHingeLoss(RegionLoss):
    """The Lovász hinge: the hinge loss with the weights of the Jaccard index. It takes logits only.

    `lovasz_hinge` says more of it.

    Args:
        aggregate: "image" by default, as in the paper; "batch" sorts all pixels of the batch at once.
        class_weights: Of several channels, each a mask of its own, a weight each; None, the default: all alike.
        from_logits: True, and nothing else: a hinge is one of logits.
        ignore_label: Label of pixels that are left out, such as 255 or -1; None, the default: none.
        reduction: "sum_over_batch_size" by default; it acts on the images' losses.
        name: "lovasz_hinge_loss" by default.
        dtype: Dtype of the computation. Keras' floatx by default; half precision is raised to float32.

    `sample_weight` is as in `LovaszSoftmaxLoss`. An image without foreground costs its largest error, 1 + x of the
    largest logit x.

    Raises:
        ValueError: If an argument is out of range or, when called, if shapes don't fit.

    Example:
        >>> float(LovaszHingeLoss()([[[1.0], [1.0], [0.0]]], [[[3.0], [-1.0], [-3.0]]]))
        1.0

    Reference:
        Berman et al., CVPR 2018: see `lovasz_hinge`.
    """

    formula = staticmethod(_hinge_of_logits)

    def __init__(
        self,
        aggregate: Aggregate = "image",
        *,
        class_weights: Sequence[float] | None = None,
        from_logits: bool = True,
        ignore_label: float | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str = "lovasz_hinge_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(aggregate, class_weights, from_logits, ignore_label, reduction, name, dtype)
        if from_logits is not True:
            raise ValueError(
                "The Lovász hinge takes logits only: leave `from_logits` out, or use `LovaszSoftmaxLoss`, which takes "
                f"probabilities. Received: from_logits={from_logits!r}."
            )
