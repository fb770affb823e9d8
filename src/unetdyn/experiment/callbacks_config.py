"""What a configuration may say of the callbacks: what watches the training, and what may stop it."""

from typing import TYPE_CHECKING, Literal

from pydantic import Field, PositiveInt, create_model

from unetdyn._part import Fraction, Part
from unetdyn.experiment.monitors import section_fields


class EarlyStoppingConfig(Part):
    """See `keras.callbacks.EarlyStopping`; the studies have a patience of 15."""

    monitor: str = "val_jaccard"
    mode: Literal["auto", "min", "max"] = "auto"
    patience: PositiveInt = Field(10, description="epochs")
    min_delta: float = Field(0.0, ge=0, description="least change that counts as better")
    start_from_epoch: int = Field(0, ge=0, description="epochs without it; with `stages`, at the beginning of each")
    restore_best_weights: bool = Field(False, description="`model.keras` is of the best epoch in any case")


class ReduceLROnPlateauConfig(Part):
    """See `keras.callbacks.ReduceLROnPlateau`; factor, patience and least rate are those of the studies."""

    monitor: str = "val_loss"
    mode: Literal["auto", "min", "max"] = "auto"
    factor: Fraction = 0.5
    patience: PositiveInt = Field(8, description="epochs")
    min_delta: float = Field(1e-4, ge=0, description="least change that counts as better")
    cooldown: int = Field(0, ge=0, description="epochs after a reduction in which none is counted")
    min_lr: float = Field(1e-6, ge=0)


if TYPE_CHECKING:
    _Monitors = Part
else:
    _Monitors = create_model("_Monitors", __base__=Part, __module__=__name__, **section_fields(Part))


class CallbacksConfig(_Monitors):
    """What watches the training, with a section for each monitor that declares one, and what may stop it."""

    save_best: str = Field("val_jaccard", description="`model.keras` is the epoch where this was best")
    early_stopping: EarlyStoppingConfig | None = None
    reduce_lr_on_plateau: ReduceLROnPlateauConfig | None = None
