"""The boundary loss: probabilities weighted with how far they are from the boundary, beside a loss of regions."""

from typing import Any

import keras
from keras import ops

from unetdyn._checks import check_positive, plain
from unetdyn.losses.dice import DiceLoss
from unetdyn.losses.regions import regions
from unetdyn.metrics.constants import scalar

Tensor = Any


def _channels(y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """Masks and distances."""
    classes, given = y_pred.shape[-1], y_true.shape[-1] if len(y_true.shape) == len(y_pred.shape) else None
    if given != 2 * classes:
        raise ValueError(
            f"`y_true` must have {2 * classes} channels, masks and then their distances, for predictions of {classes}: "
            "`boundary_targets(masks)` makes them, `TileDataset(..., targets=boundary_targets)` of each batch. "
            f"Received: y_true.shape={tuple(y_true.shape)}, y_pred.shape={tuple(y_pred.shape)}."
        )
    return y_true[..., :classes], y_true[..., classes:]


def boundary_loss(
    y_true: Tensor, y_pred: Tensor, *, from_logits: bool = False, sample_weight: Tensor | None = None
) -> Tensor:
    """Mean of φ·p of each image, `(batch,)`: φ the signed distance of a pixel, p its probability.

    `L = (Σ w·φ·p) / Σ w` over the pixels and the channels of an image. It is least where every pixel inside has p = 1
    and every pixel outside p = 0, and below 0 there. By itself it is also small where nothing is predicted: an answer
    without foreground costs 0. So it belongs beside a loss of regions.

    Args:
        y_true: Masks, then signed distances, `(batch, …, 2 · classes)`: of `boundary_targets`.
        y_pred: Probabilities, or logits, `(batch, …, classes)`. Half precision is computed in float32.
        from_logits: Whether `y_pred` holds logits; False by default. One channel goes through a sigmoid, several
            through a softmax.
        sample_weight: The w above, `(batch,)`, `(batch, height, width)` or `(batch, height, width, 1)`.

    Returns:
        The loss of each image, in pixels or the unit of the distances, of either sign. 0 for an empty mask, which has
        no boundary.

    Raises:
        ValueError: If shapes don't fit.

    Example:
        >>> y_true = [[[0.0, 1.0], [1.0, 0.0], [1.0, -1.0], [1.0, 0.0], [0.0, 1.0]]]
        >>> float(boundary_loss(y_true, [[[0.5], [1.0], [1.0], [1.0], [0.0]]])[0])
        -0.10000000149011612

    Reference:
        Kervadec et al., "Boundary loss for highly unbalanced segmentation", MIDL 2019, equation 6; the mean over pixels
        instead of the sum is that of the authors' code.
    """
    y_pred, y_true = ops.convert_to_tensor(y_pred), ops.convert_to_tensor(y_true)
    masks, distances = _channels(y_true, y_pred)
    of = regions(masks, y_pred, from_logits=from_logits, sample_weight=sample_weight)
    counts = ops.ones_like(of.p) if of.weight is None else ops.ones_like(of.p) * of.weight
    distances = ops.where(counts > 0, ops.cast(distances, of.p.dtype), scalar(0.0, of.p.dtype))
    axes = tuple(range(1, len(of.p.shape)))
    return ops.divide_no_nan(ops.sum(counts * distances * of.p, axis=axes), ops.sum(counts, axis=axes))


@keras.saving.register_keras_serializable(package="unetdyn")
class BoundaryLoss(keras.losses.Loss):
    """A loss of regions, and the boundary loss beside it: `L = region + weight · mean(φ·p)`.

    `boundary_loss` says more of the second. Targets are those of `boundary_targets`, masks and then distances: a
    distance map can't be made within a compiled step. A metric takes the masks alone; docs/losses.md shows how.

    Args:
        region: A loss of the masks, Keras' or ours; None, the default: `DiceLoss`, with this `from_logits`.
        weight: Of the boundary, above 0; 0.01 by default, with which the paper's begins. Distances are of the order of
            a tile's size, and region losses of 1. It is a constant of the compiled step: `step` of `boundary_targets`
            lets it grow.
        from_logits: Whether predictions are logits; False by default, as in Keras.
        reduction: "sum_over_batch_size" by default; it acts on the images' boundary losses. `region` has its own.
        name: "boundary_loss" by default.
        dtype: Dtype of the computation. Keras' floatx by default; half precision is raised to float32.

    `sample_weight` of shape `(batch,)` weights images, and of any other shape pixels; `region` is given it as well.
    An empty mask has no boundary: `region` alone says what a prediction costs there.

    Raises:
        ValueError: If an argument is out of range or, when called, if shapes don't fit.

    Example:
        >>> from unetdyn.losses import boundary_targets
        >>> targets = boundary_targets([[[0, 1, 1, 1, 0]]])
        >>> round(float(BoundaryLoss(weight=0.1)(targets, targets[..., :1])), 4)
        -0.02

    Reference:
        Kervadec et al., MIDL 2019: see `boundary_loss`.
    """

    def __init__(
        self,
        region: keras.losses.Loss | None = None,
        weight: float = 0.01,
        *,
        from_logits: bool = False,
        reduction: str | None = "sum_over_batch_size",
        name: str = "boundary_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if self.dtype in ("float16", "bfloat16"):
            super().__init__(name=name, reduction=reduction, dtype="float32")
        check_positive("weight", weight)
        self.region = DiceLoss(from_logits=from_logits) if region is None else region
        if not isinstance(self.region, keras.losses.Loss):
            raise ValueError(f"`region` must be a `keras.losses.Loss`, or None. Received: region={region!r}.")
        if bool(getattr(self.region, "from_logits", from_logits)) != from_logits:
            raise ValueError(
                "`region` and the boundary loss must take the same predictions. Received: "
                f"from_logits={from_logits}, and region.from_logits={not from_logits}."
            )
        self.weight = plain(weight)
        self.from_logits = from_logits

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The reduced loss."""
        predicted = ops.convert_to_tensor(y_pred)
        targets = ops.convert_to_tensor(y_true, dtype=self.dtype)
        masks, _ = _channels(targets, predicted)
        region = self.region(masks, predicted, sample_weight)
        if sample_weight is None or len(ops.shape(sample_weight)) == 1:
            boundary = super().__call__(targets, predicted, sample_weight)
        else:
            weight = ops.convert_to_tensor(sample_weight, dtype=self.dtype)
            boundary = super().__call__((targets, weight), predicted)
        return region + self.weight * boundary

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The boundary loss of each image, `(batch,)`, without its weight."""
        targets, weight = y_true if isinstance(y_true, tuple) else (y_true, None)
        return boundary_loss(targets, y_pred, from_logits=self.from_logits, sample_weight=weight)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments, JSON-able."""
        return {
            **super().get_config(),
            "region": keras.saving.serialize_keras_object(self.region),
            "weight": self.weight,
            "from_logits": self.from_logits,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "BoundaryLoss":
        """The loss that a configuration describes."""
        return cls(**{**config, "region": keras.saving.deserialize_keras_object(config["region"])})
