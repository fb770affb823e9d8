"""What the classes of losses of regions share: arguments, weights of images and of pixels, a look at the labels."""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

import keras
from keras import ops

from unetdyn._checks import plain
from unetdyn.losses.label_watch import LabelWatch
from unetdyn.losses.regions import check_region_arguments, holds_class_numbers

Tensor = Any
Aggregate = Literal["batch", "image"]


class RegionLoss(keras.losses.Loss):
    """A loss of whole regions: one value of the batch, or one of each image.

    A subclass names its `formula`, and the attributes that this takes of its `own`, which are arguments of both.

    Args:
        aggregate: "batch" or "image".
        class_weights: A weight for each channel, or None.
        from_logits: Whether predictions are logits.
        ignore_label: Label of pixels that are left out, or None.
        reduction: As Keras has it; it acts on the images' losses.
        name: Of the loss.
        dtype: Of the computation; half precision is raised to float32.

    Raises:
        ValueError: If an argument is out of range.
    """

    formula: ClassVar[Callable[..., Tensor]]
    own: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        aggregate: Aggregate,
        class_weights: Sequence[float] | None,
        from_logits: bool,
        ignore_label: float | None,
        reduction: str | None,
        name: str,
        dtype: Any,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if self.dtype in ("float16", "bfloat16"):
            super().__init__(name=name, reduction=reduction, dtype="float32")
        check_region_arguments(aggregate, class_weights, ignore_label)
        self.aggregate = aggregate
        self.class_weights = None if class_weights is None else [plain(weight) for weight in class_weights]
        self.from_logits = from_logits
        self.ignore_label = plain(ignore_label)
        self._watch = LabelWatch()

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The reduced loss."""
        predicted = ops.convert_to_tensor(y_pred)
        labels = ops.convert_to_tensor(y_true, dtype=self.dtype)
        channels = predicted.shape[-1] if holds_class_numbers(labels, predicted) else None
        self._watch.look(self, y_true, sample_weight, channels)
        if sample_weight is None or (self.aggregate == "image" and len(ops.shape(sample_weight)) == 1):
            return super().__call__(labels, predicted, sample_weight)
        return super().__call__((labels, ops.convert_to_tensor(sample_weight, dtype=self.dtype)), predicted)

    def call(self, y_true: Any, y_pred: Tensor) -> Tensor:
        """The loss of each image, `(batch,)`, or of the batch, `()`."""
        # Labels, and what their pixels count, which `__call__` sends through Keras as one.
        labels, weight = y_true if isinstance(y_true, tuple) else (y_true, None)
        return type(self).formula(labels, y_pred, sample_weight=weight, **self.options)

    @property
    def options(self) -> dict[str, Any]:
        """What the formula takes beside labels, predictions and weights."""
        shared = ("aggregate", "class_weights", "from_logits", "ignore_label")
        return {name: getattr(self, name) for name in (*self.own, *shared)}

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        return {**super().get_config(), **self.options, "dtype": self.dtype}
