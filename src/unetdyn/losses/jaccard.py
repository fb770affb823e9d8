"""The soft Jaccard loss: one minus the soft Jaccard index."""

from typing import Any, Literal

import keras
from keras import ops

from unetdyn._checks import plain
from unetdyn.losses.label_watch import LabelWatch
from unetdyn.metrics.constants import scalar
from unetdyn.metrics.shapes import counted_pixels, match_rank, require_same_shape
from unetdyn.metrics.soft import check_soft_arguments, soft_jaccard_scores

Tensor = Any


@keras.saving.register_keras_serializable(package="unetdyn")
class SoftJaccardLoss(keras.losses.Loss):
    """One minus the soft Jaccard index.

    `L = 1 − (Σ y·p + s) / (Σ (y + p − y·p) + s)`. Minimising it maximises `soft_jaccard`,
    the stand-in with a gradient for the Jaccard index of the thresholded mask.

    Args:
        smooth: The s above, in pixels, above 0. 1.0 by default: an empty prediction for an empty mask costs 0,
            and one wrong pixel of an empty image costs ½. A larger s softens the gradient of small objects.
        aggregate: "batch" by default, the usual form: one ratio over the whole batch. "image": the mean of the
            images' own losses, which does not depend on which images share a batch.
        from_logits: Whether predictions are logits; False by default, as in Keras.
        ignore_label: Label of pixels that are left out, such as 255 or -1; None, the default: none.
        reduction: "sum_over_batch_size" by default; it acts on the images' losses with `aggregate="image"` and changes
            nothing with "batch", which has a single value.
        name: "soft_jaccard_loss" by default.
        dtype: Dtype of the computation. Keras' floatx by default; half precision is raised to float32.

    `sample_weight` of shape `(batch,)` weights the images' losses with `aggregate="image"`. With "batch", and wherever
    it has a value for each pixel, `(batch, height, width)` or `(batch, height, width, 1)`, it is a mask: pixels of
    weight 0 are left out, all others count once.

    Raises:
        ValueError: If an argument is out of range or, when called, if shapes differ.

    Example:
        >>> loss = SoftJaccardLoss()
        >>> float(loss([[1.0, 1.0, 0.0, 0.0]], [[0.5, 0.5, 0.5, 0.5]]))
        0.5

    Reference:
        Rahman & Wang, "Optimizing intersection-over-union in deep neural networks for image segmentation", ISVC 2016.
    """

    def __init__(
        self,
        smooth: float = 1.0,
        aggregate: Literal["batch", "image"] = "batch",
        *,
        from_logits: bool = False,
        ignore_label: float | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str = "soft_jaccard_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if self.dtype in ("float16", "bfloat16"):
            super().__init__(name=name, reduction=reduction, dtype="float32")
        check_soft_arguments(smooth, aggregate, ("batch", "image"), ignore_label)
        self.smooth = plain(smooth)
        self.aggregate = aggregate
        self.from_logits = from_logits
        self.ignore_label = plain(ignore_label)
        self._watch = LabelWatch()

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The reduced loss."""
        self._watch.look(self, y_true, sample_weight)
        of_images = self.aggregate == "image" and sample_weight is not None and len(ops.shape(sample_weight)) == 1
        if self.ignore_label is None and (sample_weight is None or of_images):
            return super().__call__(y_true, y_pred, sample_weight)
        y_pred = ops.convert_to_tensor(y_pred, dtype=self.dtype)
        y_true = match_rank(ops.convert_to_tensor(y_true, dtype=self.dtype), y_pred)
        require_same_shape(y_true, y_pred)
        counted = counted_pixels(y_true, y_pred, None if of_images else sample_weight, self.ignore_label)
        zero = scalar(0.0, y_pred.dtype)
        nothing = scalar(float("-inf"), y_pred.dtype) if self.from_logits else zero
        y_true, y_pred = ops.where(counted, y_true, zero), ops.where(counted, y_pred, nothing)
        return super().__call__(y_true, y_pred, sample_weight if of_images else None)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each image, `(batch,)`, or of the batch, `()`."""
        return 1 - soft_jaccard_scores(
            y_true, y_pred, smooth=self.smooth, aggregate=self.aggregate, from_logits=self.from_logits
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        return {
            **super().get_config(),
            "smooth": self.smooth,
            "aggregate": self.aggregate,
            "from_logits": self.from_logits,
            "ignore_label": self.ignore_label,
            "dtype": self.dtype,
        }
