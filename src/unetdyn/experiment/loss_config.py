"""The loss, as a configuration may say it: its kind, and the arguments of that kind.

Where an argument is absent, the default of the loss counts.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, model_validator

from unetdyn._part import Part

OF_MASKS = ("binary_focal", "binary_crossentropy", "soft_jaccard")
"""Kinds for a model with one class."""

OF_CLASSES = ("sparse_categorical_crossentropy",)
"""Kinds for a model with several; all that are neither take both."""

_TVERSKY = ("tversky", "focal_tversky")
_REGIONS = ("dice", *_TVERSKY, "lovasz", "bce_dice")

ARGUMENTS_OF_KINDS = {
    "gamma": ("binary_focal", "focal_tversky"),
    "alpha": ("binary_focal", *_TVERSKY),
    "beta": _TVERSKY,
    "pos_weight": ("binary_focal",),
    "label_smoothing": ("binary_focal", "bce_dice"),
    "bce_weight": ("bce_dice",),
    "dice_weight": ("bce_dice",),
    "squared": ("dice", "bce_dice"),
    "smooth": ("soft_jaccard", "dice", *_TVERSKY, "bce_dice"),
    "aggregate": ("soft_jaccard", *_REGIONS),
    "class_weights": _REGIONS,
}
"""Every argument, with the kinds that have it."""

FOCAL_TVERSKY_GAMMA = 4 / 3  # as in `unetdyn.losses.FocalTverskyLoss`; that of a focal loss is another number


class LossConfig(Part):
    """The loss; see `unetdyn.losses`."""

    kind: Literal[
        "binary_focal",
        "binary_crossentropy",
        "soft_jaccard",
        "dice",
        "tversky",
        "focal_tversky",
        "lovasz",
        "bce_dice",
        "sparse_categorical_crossentropy",
    ] = "binary_focal"
    gamma: float = Field(2.0, ge=0, description="absent: 2, and 4/3 in focal_tversky")
    alpha: PositiveFloat | None = None
    beta: PositiveFloat | None = None
    pos_weight: PositiveFloat | None = None
    label_smoothing: float | None = Field(None, ge=0, lt=1)
    bce_weight: PositiveFloat | None = None
    dice_weight: PositiveFloat | None = None
    squared: bool | None = None
    smooth: PositiveFloat | None = None
    aggregate: Literal["batch", "image"] | None = None
    class_weights: tuple[Annotated[float, Field(ge=0)], ...] | None = Field(None, description="one for each class")

    @model_validator(mode="after")
    def _kind_has_the_arguments(self) -> "LossConfig":
        fields = type(self).model_fields  # their defaults are no claim: a recorded configuration says them all
        for argument, kinds in ARGUMENTS_OF_KINDS.items():
            value = getattr(self, argument)
            if value != fields[argument].default and self.kind not in kinds:
                raise ValueError(
                    f"`{argument}` belongs to kind: {' or '.join(kinds)}. Received: kind={self.kind!r}, "
                    f"{argument}={value!r}. Leave it out, or change the kind"
                )
        if self.kind == "binary_focal" and self.alpha is not None and self.alpha >= 1:
            raise ValueError(f"`alpha` of kind: binary_focal must be less than 1. Received: alpha={self.alpha}")
        if self.class_weights is not None and not any(self.class_weights):
            raise ValueError(f"`class_weights` must not all be 0. Received: class_weights={list(self.class_weights)}")
        if self.kind == "focal_tversky" and "gamma" not in self.model_fields_set:
            object.__setattr__(self, "gamma", FOCAL_TVERSKY_GAMMA)
        if self.kind == "focal_tversky" and self.gamma == 0:
            raise ValueError("`gamma` of kind: focal_tversky must be above 0. Received: gamma=0")
        return self

    @property
    def arguments(self) -> dict[str, Any]:
        """What the loss of this kind is given; without what is absent."""
        own = {name: getattr(self, name) for name, kinds in ARGUMENTS_OF_KINDS.items() if self.kind in kinds}
        return {name: value for name, value in own.items() if value is not None}
