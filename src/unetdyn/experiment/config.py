"""The one typed configuration of an experiment: what a YAML file may say, and what it means when it says nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, create_model, model_validator

from unetdyn._checks import unknown_choice
from unetdyn.analysis.declarations import STABILITY
from unetdyn.experiment.monitors import section_fields, watched_names
from unetdyn.experiment.part import Fraction, Part
from unetdyn.experiment.schedule_config import RISING, SCHEDULE_KINDS, ConstantSchedule, Schedule

Sections = tuple[int, int]  # first and last, both included


class SplitConfig(Part):
    """Which sections train, validate and test: all as inclusive ranges, or as shares of the stack in its own order."""

    train: Sections | None = Field(None, description="first and last section; absent: what the shares leave")
    validation: Sections | Fraction = 0.2
    test: Sections | Fraction | None = None
    gap: int = Field(1, ge=0, description="sections left out between two parts, because neighbours look alike")

    @model_validator(mode="after")
    def _ranges_or_shares(self) -> "SplitConfig":
        kinds = {isinstance(part, tuple) for part in (self.validation, self.test) if part is not None}
        if kinds != {self.train is not None}:
            raise ValueError(
                "give `train`, `validation` and `test` all as [first, last] sections, or leave `train` out and give "
                f"the others as shares. Received: train={self.train}, validation={self.validation}, test={self.test}"
            )
        return self


class AugmentationConfig(Part):
    """Random changes to training tiles, image and mask together; see `unetdyn.data.Augmentation`."""

    flip: bool = True
    rotate90: bool = True
    rotation: float = Field(0.0, ge=0, le=180, description="largest angle, degrees")
    brightness: float = Field(0.0, ge=0, description="largest shift, in standard deviations of the image")
    contrast: float = Field(0.0, ge=0, lt=1, description="largest relative change")


class _Images(Part):
    downsample: PositiveInt = 1
    tile: PositiveInt = Field(128, description="side of the square tiles, pixels after downsampling")
    stride: PositiveInt | None = Field(None, description="step between training tiles, pixels; absent: the tile's side")
    normalise: Literal["per_image", "unit"] = "per_image"
    split: SplitConfig = SplitConfig()
    augmentation: AugmentationConfig | None = None


class SyntheticData(_Images):
    """The embedded synthetic electron microscope."""

    kind: Literal["synthetic"] = "synthetic"
    sections: PositiveInt = 16
    size: PositiveInt = Field(256, description="side of a section, pixels")
    seed: int = 0


class FolderData(_Images):
    """A folder of images and masks, or of one multi-page TIFF of each."""

    kind: Literal["folder"] = "folder"
    path: Path
    images: str = "images"
    masks: str = "masks"
    mask_threshold: Fraction | None = Field(None, description="for masks with greys between background and object")


class ModelConfig(Part):
    """The network; see `unetdyn.models`."""

    architecture: Literal["UNet", "AttentionUNet", "AttentionResUNet"] = "AttentionResUNet"
    classes: PositiveInt = 1
    filters: PositiveInt = 16
    depth: PositiveInt = 4
    norm: Literal["batch", "group", "instance", "layer"] | None = "batch"
    norm_momentum: float | None = Field(None, gt=0, lt=1, description="absent: 0.9, and 0.99 in variant bnsreenu")
    activation: str = "relu"
    dropout: float = Field(0.0, ge=0, lt=1)
    upsample: Literal["nearest", "linear", "transpose"] = "nearest"
    gate: Literal["oktay", "additive"] = "oktay"
    output: Literal["probabilities", "logits"] = "probabilities"
    variant: Literal["default", "bnsreenu"] = "default"


class LossConfig(Part):
    """The loss; `gamma`, `alpha`, `pos_weight` and `label_smoothing` belong to the binary focal loss."""

    kind: Literal["binary_focal", "binary_crossentropy", "soft_jaccard", "sparse_categorical_crossentropy"] = (
        "binary_focal"
    )
    gamma: float = Field(2.0, ge=0)
    alpha: float | None = Field(None, gt=0, lt=1)
    pos_weight: PositiveFloat | None = None
    label_smoothing: float | None = Field(None, ge=0, lt=1)

    @model_validator(mode="after")
    def _focal_arguments_with_focal_loss(self) -> "LossConfig":
        focal = {"gamma", "alpha", "pos_weight", "label_smoothing"} & self.model_fields_set
        if focal and self.kind != "binary_focal":
            raise ValueError(f"{sorted(focal)} belong to kind: binary_focal. Received: kind={self.kind!r}")
        return self


class OptimizerConfig(Part):
    """The optimizer, and the path of its learning rate."""

    kind: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    learning_rate: PositiveFloat = 1e-3
    schedule: Schedule = ConstantSchedule()
    warmup_epochs: float = Field(0.0, ge=0, description="rise to the learning rate, before the schedule begins")
    warmup_shape: Literal["linear", "exponential", "cosine", "constant"] = "linear"
    warmup_start: float = Field(0.1, ge=0, lt=1, description="of the learning rate, at the first step")
    weight_decay: float | None = Field(None, ge=0)
    global_clipnorm: PositiveFloat | None = None

    @model_validator(mode="after")
    def _warmup_fits(self) -> "OptimizerConfig":
        if self.warmup_epochs and self.schedule.kind in RISING:
            raise ValueError(
                f"`warmup_epochs` has no place before schedule: {self.schedule.kind}, which rises by itself. "
                f"Received: warmup_epochs={self.warmup_epochs}"
            )
        if self.warmup_epochs and self.warmup_start == 0 and self.warmup_shape in ("exponential", "constant"):
            raise ValueError(
                f"`warmup_start` must be above 0 with warmup_shape: {self.warmup_shape}. Received: warmup_start=0"
            )
        return self

    @property
    def rate_is_scheduled(self) -> bool:
        """Whether the rate follows a plan, which no callback can change."""
        return bool(self.warmup_epochs) or not isinstance(self.schedule, ConstantSchedule)


class FitConfig(Part):
    """How long and how `fit` runs."""

    epochs: PositiveInt = 30
    batch_size: PositiveInt = 8
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    jit_compile: bool | Literal["auto"] = "auto"
    steps_per_execution: PositiveInt = 1


class MetricsConfig(Part):
    """What is measured beside the loss: always the thresholded Jaccard, as `jaccard`."""

    threshold: float = Field(0.5, gt=0, lt=1)
    soft_jaccard: bool = Field(False, description="add the soft Jaccard, as `soft_jaccard`, for comparison")


class EarlyStoppingConfig(Part):
    """See `keras.callbacks.EarlyStopping`; the studies have a patience of 15."""

    monitor: str = "val_jaccard"
    mode: Literal["auto", "min", "max"] = "auto"
    patience: PositiveInt = Field(10, description="epochs")
    min_delta: float = Field(0.0, ge=0, description="least change that counts as better")
    start_from_epoch: int = Field(0, ge=0)
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


class Config(Part):
    """One experiment: with nothing but the data named, a sensible one."""

    name: str = Field("experiment", pattern=r"^[\w.-]+$", description="part of the run directory's name")
    seed: int = Field(0, ge=0, lt=2**32)
    run_directory: Path | None = Field(None, description="absent: runs/NAME-DATE-TIME")
    data: Annotated[SyntheticData | FolderData, Field(discriminator="kind")]
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    fit: FitConfig = FitConfig()
    metrics: MetricsConfig = MetricsConfig()
    callbacks: CallbacksConfig = CallbacksConfig()

    @model_validator(mode="after")
    def _loss_fits_classes(self) -> "Config":
        many = self.loss.kind == "sparse_categorical_crossentropy"
        if many != (self.model.classes > 1):
            raise ValueError(
                "sparse_categorical_crossentropy goes with `model.classes` of 2 or more, every other loss with 1. "
                f"Received: loss.kind={self.loss.kind!r}, model.classes={self.model.classes}"
            )
        if many and self.metrics.soft_jaccard:
            raise ValueError("`metrics.soft_jaccard` is for binary masks. Received: soft_jaccard=True, several classes")
        return self

    @model_validator(mode="after")
    def _monitors_are_measured(self) -> "Config":
        measured = ["loss", "jaccard", *(["soft_jaccard"] if self.metrics.soft_jaccard else [])]
        known = [prefix + name for prefix in ("val_", "") for name in measured]
        settings = self.callbacks
        for argument, name in watched_names(settings):
            if name not in known:
                raise ValueError(unknown_choice(f"callbacks.{argument}", name, known))
        if settings.save_best not in known:
            raise ValueError(unknown_choice("callbacks.save_best", settings.save_best, known))
        watchable = [*known, *STABILITY.named().columns]
        for name in ("early_stopping", "reduce_lr_on_plateau"):
            section = getattr(settings, name)
            if section is not None and section.monitor not in watchable:
                raise ValueError(unknown_choice(f"callbacks.{name}.monitor", section.monitor, watchable))
        return self

    @model_validator(mode="after")
    def _one_hand_on_the_rate(self) -> "Config":
        if self.callbacks.reduce_lr_on_plateau is not None and self.optimizer.rate_is_scheduled:
            raise ValueError(
                "`callbacks.reduce_lr_on_plateau` needs a rate that nothing else moves: leave out `optimizer.schedule` "
                "and `optimizer.warmup_epochs`, or this section. Received: "
                f"schedule={self.optimizer.schedule.kind!r}, warmup_epochs={self.optimizer.warmup_epochs}"
            )
        return self

    @model_validator(mode="after")
    def _warmup_ends(self) -> "Config":
        if self.optimizer.warmup_epochs >= self.fit.epochs:
            raise ValueError(
                "`optimizer.warmup_epochs` must be less than the epochs of the training; 0 for no warm-up. "
                f"Received: warmup_epochs={self.optimizer.warmup_epochs}, fit.epochs={self.fit.epochs}"
            )
        return self


KINDS = {"data": ("synthetic", "folder"), "schedule": SCHEDULE_KINDS}
"""By key, what its `kind` may be."""
