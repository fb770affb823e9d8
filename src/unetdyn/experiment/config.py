"""The one typed configuration of an experiment: what a YAML file may say, and what it means when it says nothing."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, create_model, model_validator

from unetdyn._checks import nearest, unknown_choice
from unetdyn.analysis.declarations import STABILITY
from unetdyn.experiment.monitors import section_fields, watched_names

Sections = tuple[int, int]  # first and last, both included
Fraction = Annotated[float, Field(gt=0, lt=1)]


class Part(BaseModel):
    """A part of the configuration: immutable, closed to keys that it does not know, and to infinity and NaN."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, values: Any) -> Any:
        if isinstance(values, dict):
            for key in values:
                if key not in cls.model_fields:
                    known = ", ".join(cls.model_fields)
                    raise ValueError(f"unknown key {key!r}.{nearest(key, cls.model_fields)} Known keys: {known}")
        return values


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
    schedule: Literal["constant", "cosine"] = Field("constant", description="cosine: falls to 1 % of the rate")
    warmup_epochs: float = Field(0.0, ge=0, description="linear rise to the learning rate; with the cosine schedule")
    weight_decay: float | None = Field(None, ge=0)
    global_clipnorm: PositiveFloat | None = None

    @model_validator(mode="after")
    def _warmup_with_cosine(self) -> "OptimizerConfig":
        if self.warmup_epochs and self.schedule != "cosine":
            raise ValueError(f"`warmup_epochs` needs schedule: cosine. Received: schedule={self.schedule!r}")
        return self


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
    """See `keras.callbacks.EarlyStopping`."""

    monitor: str = "val_jaccard"
    mode: Literal["auto", "min", "max"] = "auto"
    patience: PositiveInt = 10


if TYPE_CHECKING:
    _Monitors = Part
else:
    _Monitors = create_model("_Monitors", __base__=Part, __module__=__name__, **section_fields(Part))


class CallbacksConfig(_Monitors):
    """What watches the training, with a section for each monitor that declares one, and what may stop it."""

    save_best: str = Field("val_jaccard", description="`model.keras` is the epoch where this was best")
    early_stopping: EarlyStoppingConfig | None = None


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
        stopping, watchable = settings.early_stopping, [*known, *STABILITY.named().columns]
        if stopping is not None and stopping.monitor not in watchable:
            raise ValueError(unknown_choice("callbacks.early_stopping.monitor", stopping.monitor, watchable))
        return self
