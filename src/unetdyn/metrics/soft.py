"""The soft Jaccard index, which many call IoU: for comparison, and for the loss that is made of it."""

from typing import Any, Literal

import keras
from keras import ops

from unetdyn._checks import check_choice, check_positive, plain
from unetdyn.metrics import counts
from unetdyn.metrics.constants import scalar
from unetdyn.metrics.shapes import as_computable, check_ignore_label, counted_pixels, match_rank, require_same_shape

Tensor = Any


def check_soft_arguments(smooth: float, aggregate: str, known: tuple[str, ...], ignore_label: float | None) -> None:
    """Raise where an argument is out of range."""
    check_ignore_label(ignore_label)
    check_positive("smooth", smooth)
    check_choice("aggregate", aggregate, known)


def _image_sums(
    y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None, from_logits: bool, ignore_label: float | None
) -> tuple[Tensor, Tensor, Tensor]:
    """Soft intersection, soft union and 1 or 0 for a counted image: float32, `(batch,)` each."""
    y_pred = as_computable(y_pred)
    y_true = match_rank(as_computable(y_true), y_pred)
    require_same_shape(y_true, y_pred)
    y_true = ops.cast(y_true, y_pred.dtype)
    y_pred = ops.sigmoid(y_pred) if from_logits else y_pred
    counted = ops.ones_like(y_pred, dtype="bool")
    chosen = counted_pixels(y_true, y_pred, sample_weight, ignore_label)
    if chosen is not None:
        counted = ops.logical_and(counted, chosen)
        nothing = scalar(0, y_pred.dtype)
        y_true, y_pred = ops.where(counted, y_true, nothing), ops.where(counted, y_pred, nothing)
    axes = tuple(range(1, len(y_pred.shape)))
    product = y_true * y_pred
    return (
        ops.sum(product, axis=axes),
        ops.sum(y_true + y_pred - product, axis=axes),
        ops.cast(ops.any(counted, axis=axes), y_pred.dtype),
    )


def soft_jaccard_scores(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    sample_weight: Tensor | None = None,
    smooth: float = 1.0,
    aggregate: Literal["batch", "image"] = "batch",
    from_logits: bool = False,
    ignore_label: float | None = None,
) -> Tensor:
    """Soft Jaccard index of each image, `(batch,)`, or of the whole batch, `()`; arguments as in `soft_jaccard`."""
    intersection, union, _ = _image_sums(y_true, y_pred, sample_weight, from_logits, ignore_label)
    if aggregate == "batch":
        intersection, union = ops.sum(intersection), ops.sum(union)
    return (intersection + smooth) / (union + smooth)


@keras.saving.register_keras_serializable(package="unetdyn")
def soft_jaccard(
    y_true: Tensor,
    y_pred: Tensor,
    *,
    sample_weight: Tensor | None = None,
    smooth: float = 1.0,
    aggregate: Literal["batch", "image"] = "batch",
    from_logits: bool = False,
    ignore_label: float | None = None,
) -> Tensor:
    """Jaccard index of the probabilities themselves, without a threshold.

    `J = (Σ y·p + s) / (Σ (y + p − y·p) + s)`. It is differentiable, and it is what the tutorial code's `jacard_coef`
    computes. It is not an IoU: it rises when correct predictions become more confident, though no pixel changes sides.

    Args:
        y_true: Labels in [0, 1], `(batch, height, width, channels)`.
        y_pred: Probabilities in [0, 1], same shape, or logits.
        sample_weight: Mask: pixels of weight 0 are left out.
        smooth: The s above, in pixels, above 0. 1.0 by default, the studies' value (docs/studies.md).
        aggregate: "batch" by default, as in the studies: one ratio of the sums; "image": the mean of the images'
            ratios.
        from_logits: Whether `y_pred` holds logits; False by default, as in Keras.
        ignore_label: Label of pixels that are left out, such as 255 or -1; None, the default: none.

    Returns:
        A scalar tensor in (0, 1].

    Raises:
        ValueError: If shapes do not fit or an argument is out of range.

    Example:
        >>> round(float(soft_jaccard([[1, 1, 0, 0]], [[0.5, 0.5, 0.5, 0.5]])), 4)
        0.5

    Reference:
        Rahman & Wang, "Optimizing intersection-over-union in deep neural networks for image segmentation", ISVC 2016.
    """
    check_soft_arguments(smooth, aggregate, ("batch", "image"), ignore_label)
    intersection, union, counted = _image_sums(y_true, y_pred, sample_weight, from_logits, ignore_label)
    if aggregate == "batch":
        return (ops.sum(intersection) + smooth) / (ops.sum(union) + smooth)
    return ops.divide_no_nan(ops.sum(counted * (intersection + smooth) / (union + smooth)), ops.sum(counted))


@keras.saving.register_keras_serializable(package="unetdyn")
class SoftJaccard(keras.metrics.Metric):
    """Jaccard index of the probabilities themselves, to be compared with `ThresholdedJaccard`.

    `J = (Σ y·p + s) / (Σ (y + p − y·p) + s)`. Use it to see how far a published "IoU" that summed probabilities is from
    the thresholded one. A larger value is better (`mode="max"`).

    Args:
        smooth: The s above, in pixels, above 0. 1.0 by default, the studies' value (docs/studies.md).
        aggregate: "dataset" by default: one ratio of the sums over all batches; "image": the mean of the images'
            ratios; "batch": the mean of the batches' ratios, which is what the studies' function metric logged.
        from_logits: Whether predictions are logits; False by default, as in Keras.
        name: "soft_jaccard" by default.
        dtype: Kept for Keras' sake. Sums and result are float32 under every dtype policy.
        ignore_label: Label of pixels that are left out, such as 255 or -1; None, the default: none.

    `update_state` takes `sample_weight` as a mask, `(batch,)`, `(batch, height, width)` or `(batch, height, width, 1)`.

    Returns:
        `result()` is a scalar float32 tensor in (0, 1]; before the first update 1.0 for "dataset", else 0.0.

    Raises:
        ValueError: If shapes do not fit or an argument is out of range.

    Example:
        >>> metric = SoftJaccard()
        >>> metric.update_state([[1, 1, 0, 0]], [[0.5, 0.5, 0.5, 0.5]])
        >>> round(float(metric.result()), 4)
        0.5

    Reference:
        Rahman & Wang, "Optimizing intersection-over-union in deep neural networks for image segmentation", ISVC 2016.
    """

    def __init__(
        self,
        smooth: float = 1.0,
        aggregate: Literal["dataset", "image", "batch"] = "dataset",
        from_logits: bool = False,
        name: str = "soft_jaccard",
        dtype: Any = None,
        *,
        ignore_label: float | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        check_soft_arguments(smooth, aggregate, ("dataset", "image", "batch"), ignore_label)
        self.ignore_label = plain(ignore_label)
        self.smooth = plain(smooth)
        self.aggregate = aggregate
        self.from_logits = from_logits
        self.numerator = self.add_variable((2,), "zeros", dtype="float32", name="numerator")
        self.denominator = self.add_variable((2,), "zeros", dtype="float32", name="denominator")
        self._direction = "up"  # read by Keras' EarlyStopping and ModelCheckpoint with mode="auto"

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        """Add a batch: labels and predictions `(batch, height, width, channels)`, and a mask."""
        sums = _image_sums(y_true, y_pred, sample_weight, self.from_logits, self.ignore_label)
        intersection, union, counted = (ops.cast(part, "float32") for part in sums)
        if self.aggregate == "image":
            above, below = ops.sum(counted * (intersection + self.smooth) / (union + self.smooth)), ops.sum(counted)
        else:
            above, below = ops.sum(intersection), ops.sum(union)
        if self.aggregate == "batch":
            counted = ops.max(counted)
            above, below = counted * (above + self.smooth) / (below + self.smooth), counted
        self.numerator.assign(counts.add(self.numerator, counts.limbs_of_real(above)))
        self.denominator.assign(counts.add(self.denominator, counts.limbs_of_real(below)))

    def result(self) -> Tensor:
        """The score of everything since the last reset."""
        smooth = self.smooth if self.aggregate == "dataset" else 0.0
        return ops.divide_no_nan(counts.to_float(self.numerator) + smooth, counts.to_float(self.denominator) + smooth)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        return {
            **super().get_config(),
            "smooth": self.smooth,
            "aggregate": self.aggregate,
            "from_logits": self.from_logits,
            "ignore_label": self.ignore_label,
        }
