"""One loss at every resolution of a model that has an output at each: deep supervision."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import keras
from keras import ops

from unetdyn._checks import check_count, is_number, plain
from unetdyn.losses.regions import holds_class_numbers

Tensor = Any


def supervision_weights(outputs: int) -> list[float]:
    """Weights of the outputs, the finest first: each half of the one before, 1 together.

    >>> supervision_weights(2)
    [0.6666666666666666, 0.3333333333333333]
    """
    return [2.0**-level / sum(2.0**-each for each in range(outputs)) for level in range(outputs)]


def _factors(y_true: Tensor, y_pred: Tensor) -> list[int]:
    """How many pixels of the labels there are for one of the output, along each axis of space."""
    true, pred = tuple(y_true.shape), tuple(y_pred.shape)
    pairs = list(zip(true[1:], pred[1:-1], strict=False))
    if any(None in pair for pair in pairs):
        raise ValueError(
            "Deep supervision knows the level of an output by its size, which must be known while a step is traced. "
            f"Received: y_true.shape={true}, y_pred.shape={pred}. Give `fit` images of one size."
        )
    factors = [larger // smaller for larger, smaller in pairs]
    if any(f < 1 or f & (f - 1) or f * pair[1] != pair[0] for f, pair in zip(factors, pairs, strict=True)):
        raise ValueError(
            "Labels must have the size of the output at full resolution, which is a power of 2 times that of each "
            f"other. Received: y_true.shape={true}, y_pred.shape={pred}. Give the model images whose sides it can "
            "halve that often, and labels of the size of the images."
        )
    return factors


def nearest_labels(values: Tensor, factors: Sequence[int]) -> Tensor:
    """Every `f`-th pixel along each axis of space, from `f // 2` on: the nearest where centres of pixels meet.

    That is what a resize by nearest neighbour with half-pixel centres takes (`keras.ops.image.resize` on TensorFlow,
    "nearest-exact" of PyTorch), and it makes no label that was none before.

    Args:
        values: `(batch, height, width, …)`.
        factors: A whole number for each axis of space.
    """
    return values[(slice(None), *(slice(factor // 2, None, factor) for factor in factors))]


@keras.saving.register_keras_serializable(package="unetdyn")
class DeepSupervisionLoss(keras.losses.Loss):
    """A loss for a model with an output at several resolutions: the weighted sum of one loss at each.

    Labels stay at full resolution, and are thinned out inside by `nearest_labels`; so are weights of pixels. An output
    of 1/2^k of the labels' size is of level k. Distances of a `BoundaryLoss` stay those of full resolution.

    For `fit`, Keras wants as many targets as outputs, so pass the same ones for each, `fit(x, [y] * 4)`, or
    `TileDataset(..., targets=lambda masks, epoch: [masks] * 4)`; it calls this one loss for each output. In a loop of
    your own it takes all outputs at once, as a list or a dictionary, with one `y`.

    Args:
        loss: Of one output, Keras' or ours.
        outputs: How many the model has.
        weights: Of the outputs, the finest first, 0 or above; None, the default: 1, 1/2, 1/4, … divided by their sum,
            as in nnU-Net, which also leaves the coarsest out: `[4/7, 2/7, 1/7, 0]` of four.
        name: "deep_supervision_loss" by default.

    Raises:
        ValueError: If an argument is out of range or, when called, where an output is of no size that is halved.

    Example:
        >>> from keras import ops
        >>> from unetdyn.losses import DiceLoss
        >>> loss = DeepSupervisionLoss(DiceLoss(), outputs=2)
        >>> y = ops.ones((1, 4, 4, 1))
        >>> round(float(loss(y, [y, ops.zeros((1, 2, 2, 1))])), 4)  # 1/3 of 1 − 1 / (4 + 1)
        0.2667

    Reference:
        Isensee et al., "nnU-Net", Nature Methods 18, 2021. Lee, Xie, Gallagher, Zhang & Tu, "Deeply-supervised nets",
        AISTATS 2015.
    """

    def __init__(
        self,
        loss: keras.losses.Loss,
        outputs: int,
        weights: Iterable[float] | None = None,
        *,
        name: str = "deep_supervision_loss",
    ) -> None:
        super().__init__(name=name)
        if not isinstance(loss, keras.losses.Loss):
            raise ValueError(f"`loss` must be a `keras.losses.Loss`. Received: loss={loss!r}.")
        check_count("outputs", outputs, least=1, unit="")
        self.loss = loss
        self.outputs = plain(outputs)
        self.weights = None if weights is None else [plain(weight) for weight in weights]
        self._weights = supervision_weights(outputs) if self.weights is None else self.weights
        right = all(is_number(weight) and 0 <= weight < math.inf for weight in self._weights)
        if len(self._weights) != outputs or not right or not any(self._weights):
            raise ValueError(
                f"`weights` must be finite numbers, 0 or above, one for each of the {outputs} outputs and one above 0, "
                f"or None. Received: weights={self.weights!r}."
            )

    @property
    def from_logits(self) -> bool:
        """Whether the loss takes logits."""
        return bool(getattr(self.loss, "from_logits", False))

    @property
    def ignore_label(self) -> float | None:
        """The label that the loss leaves out."""
        return getattr(self.loss, "ignore_label", None)

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The weighted loss of one output, or the sum of those of all of them."""
        if hasattr(y_pred, "shape"):
            return self.call(y_true, y_pred, sample_weight)
        outputs = list(y_pred.values() if isinstance(y_pred, dict) else y_pred)
        if len(outputs) != self.outputs:
            raise ValueError(
                f"`outputs` must be how many the model has. Received: outputs={self.outputs}, and {len(outputs)} "
                "predictions."
            )
        return sum(self.call(y_true, each, sample_weight) for each in outputs)

    def call(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The loss of one output, with its weight."""
        labels, predicted = ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred)
        watch = getattr(self.loss, "_watch", None)
        if watch is not None:  # the loss inside is not the one that Keras was given
            channels = predicted.shape[-1] if holds_class_numbers(labels, predicted) else None
            watch.look(self, labels, sample_weight, channels)
        factors = _factors(labels, predicted)
        level = max(factors, default=1).bit_length() - 1
        if level >= self.outputs:
            raise ValueError(
                f"An output of 1/{2**level} of the labels' size is none of the {self.outputs} finest. "
                f"Received: outputs={self.outputs}, y_true.shape={tuple(labels.shape)}, "
                f"y_pred.shape={tuple(predicted.shape)}."
            )
        if sample_weight is not None and len(ops.shape(sample_weight)) > 1:
            sample_weight = nearest_labels(ops.convert_to_tensor(sample_weight), factors)
        return self._weights[level] * self.loss(nearest_labels(labels, factors), predicted, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        return {
            "loss": keras.saving.serialize_keras_object(self.loss),
            "outputs": self.outputs,
            "weights": self.weights,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "DeepSupervisionLoss":
        """The loss that a configuration describes."""
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})
