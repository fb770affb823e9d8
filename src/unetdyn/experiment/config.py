"""The one typed configuration of an experiment: what a YAML file may say, and what it means when it says nothing."""

from itertools import product
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    PositiveInt,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from unetdyn._checks import unknown_choice
from unetdyn._part import Part
from unetdyn.analysis.declarations import STABILITY
from unetdyn.experiment.callbacks_config import CallbacksConfig
from unetdyn.experiment.data_config import FetchData, FolderData, SyntheticData
from unetdyn.experiment.inherit import inherited
from unetdyn.experiment.loss_config import OF_CLASSES, OF_MASKS, LossConfig
from unetdyn.experiment.monitors import missing_controls, watched_names
from unetdyn.experiment.optimizer_config import OptimizerConfig
from unetdyn.experiment.paths import UserPath
from unetdyn.experiment.schedule_config import SCHEDULE_KINDS


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
    l1: float = Field(0.0, ge=0, description="of a penalty λ Σ|w| on each kernel, which is part of the loss")
    l2: float = Field(0.0, ge=0, description="of a penalty λ Σ w²")
    upsample: Literal["nearest", "linear", "transpose"] = "nearest"
    gate: Literal["oktay", "additive"] = "oktay"
    blocks: Literal["plain", "residual", "residual_encoder"] = Field(
        "plain", description="of UNet; AttentionResUNet has its own"
    )
    skips: Literal["plain", "nested"] = Field("plain", description="of UNet; nested: UNet++")
    output: Literal["probabilities", "logits"] = "probabilities"
    variant: Literal["default", "bnsreenu"] = "default"

    @model_validator(mode="after")
    def _blocks_and_skips_are_unets(self) -> "ModelConfig":
        chosen = [f"{name}={getattr(self, name)!r}" for name in ("blocks", "skips") if getattr(self, name) != "plain"]
        if chosen and self.architecture != "UNet":
            raise ValueError(
                "`blocks` and `skips` belong to architecture: UNet. Received: "
                f"{', '.join(chosen)}, architecture={self.architecture!r}"
            )
        return self


class StageConfig(Part):
    """A part of the training with a `fit` of its own; what it leaves out of a section is as at the top level.

    Each begins with a new optimizer, whose schedule is as long as the stage.
    """

    name: str = Field(pattern=r"^[\w.-]+$", description="absent: stage1, stage2, …")
    epochs: PositiveInt = Field(description="at most, where `callbacks.early_stopping` may end the stage")
    optimizer: OptimizerConfig = OptimizerConfig()
    loss: LossConfig = LossConfig()
    frozen: tuple[str, ...] = Field((), description="blocks that don't learn: enc1, …, bottleneck, gate1, dec1, head")


class FitConfig(Part):
    """How long and how `fit` runs."""

    epochs: PositiveInt = Field(30, description="with `stages`: absent, or their sum")
    batch_size: PositiveInt = 8
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    jit_compile: bool | Literal["auto"] = "auto"
    compile_forward: bool = Field(
        False, description="on PyTorch: the model and its gradient by torch.compile; see docs/backends.md"
    )
    steps_per_execution: PositiveInt = 1
    keep_state: bool = Field(True, description="what `unetdyn resume` carries on from; about three times the weights")

    @model_validator(mode="after")
    def _compiled_once(self) -> "FitConfig":
        if self.compile_forward and self.jit_compile is True:
            raise ValueError(
                "`compile_forward` compiles the model, and `jit_compile` the whole step around it: choose one. "
                "Received: compile_forward=True, jit_compile=True"
            )
        return self


AlsoMeasured = Literal["dice", "precision", "recall", "specificity", "accuracy"]


class MetricsConfig(Part):
    """What is measured beside the loss: always the thresholded Jaccard, as `jaccard`."""

    threshold: float = Field(0.5, gt=0, lt=1)
    soft_jaccard: bool = Field(False, description="add the soft Jaccard, as `soft_jaccard`, for comparison")
    also: tuple[AlsoMeasured, ...] = Field((), description="beside it, of the same counts, each by its name")

    @field_validator("also")
    @classmethod
    def _each_once(cls, also: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(also)) < len(also):
            raise ValueError(f"name each metric once. Received: {list(also)}")
        return also

    @property
    def names(self) -> list[str]:
        """As they are logged, without `val_`."""
        return ["jaccard", *(["soft_jaccard"] if self.soft_jaccard else []), *self.also]


class Config(Part):
    """One experiment: with nothing but the data named, a sensible one."""

    name: str = Field("experiment", pattern=r"^[\w.-]+$", description="part of the run directory's name")
    seed: int = Field(0, ge=0, lt=2**32)
    run_directory: UserPath | None = Field(None, description="absent: runs/NAME-DATE-TIME")
    data: Annotated[SyntheticData | FolderData | FetchData, Field(discriminator="kind")]
    model: ModelConfig = ModelConfig()
    loss: LossConfig = LossConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    stages: tuple[StageConfig, ...] = Field((), description="one after the other; absent: a training of one piece")
    fit: FitConfig = FitConfig()
    metrics: MetricsConfig = MetricsConfig()
    callbacks: CallbacksConfig = CallbacksConfig()

    @field_validator("stages", mode="before")
    @classmethod
    def _stages_inherit(cls, stages: Any, info: ValidationInfo) -> Any:
        if not isinstance(stages, list | tuple):
            return stages
        sections: list[str] = ["optimizer", "loss"]
        general = {key: info.data[key] for key in sections if key in info.data}  # those that are right
        return [inherited(stage, number, general) for number, stage in enumerate(stages, start=1)]

    @field_validator("stages")
    @classmethod
    def _stages_are_told_apart(cls, stages: tuple[StageConfig, ...]) -> tuple[StageConfig, ...]:
        names = [stage.name for stage in stages]
        if len(set(names)) < len(names):
            raise ValueError(f"stages must have different names. Received: {names}")
        return stages

    @model_serializer(mode="wrap")
    def _without_epochs_beside_stages(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Who changes the epochs of a stage in what was recorded need not know their sum."""
        dumped: dict[str, Any] = dump(self)
        if self.stages and isinstance(dumped.get("fit"), dict):
            dumped["fit"].pop("epochs", None)
        return dumped

    @field_validator("fit")
    @classmethod
    def _epochs_are_those_of_the_stages(cls, fit: FitConfig, info: ValidationInfo) -> FitConfig:
        stages = info.data.get("stages")
        if not stages:
            return fit
        total = sum(stage.epochs for stage in stages)
        if "epochs" in fit.model_fields_set and fit.epochs != total:
            raise ValueError(
                f"`epochs` has no place beside `stages`, which have {total} together: leave it out, or change "
                f"`stages.0.epochs` and the like. Received: epochs={fit.epochs}"
            )
        return fit.model_copy(update={"epochs": total})

    @property
    def trained(self) -> tuple[StageConfig, ...]:
        """The stages; of a training of one piece, that one."""
        whole = StageConfig(name="whole", epochs=self.fit.epochs, optimizer=self.optimizer, loss=self.loss)
        return self.stages or (whole,)

    def _placed(self) -> list[tuple[str, StageConfig]]:
        """What is trained, each with how its keys begin: `stages.1.`, and nothing in a training of one piece."""
        return [(f"stages.{place}." if self.stages else "", stage) for place, stage in enumerate(self.trained)]

    def of_stage(self, stage: StageConfig) -> "Config":
        """The configuration of a training that is this stage alone."""
        fit = self.fit.model_copy(update={"epochs": stage.epochs})
        own = {"optimizer": stage.optimizer, "loss": stage.loss, "fit": fit, "stages": ()}
        return self.model_copy(update=own)

    @model_validator(mode="after")
    def _loss_fits_classes(self) -> "Config":
        classes, many = self.model.classes, self.model.classes > 1
        for place, stage in self._placed():
            weights = stage.loss.class_weights
            if stage.loss.kind in (OF_MASKS if many else OF_CLASSES):
                raise ValueError(
                    f"{', '.join(OF_CLASSES)} goes with `model.classes` of 2 or more, {', '.join(OF_MASKS)} with 1. "
                    f"Received: {place}loss.kind={stage.loss.kind!r}, model.classes={classes}"
                )
            if weights is not None and len(weights) != classes:
                raise ValueError(
                    f"`{place}loss.class_weights` must have one for each class. Received: {len(weights)} weights, "
                    f"model.classes={classes}"
                )
        if many and self.metrics.soft_jaccard:
            raise ValueError("`metrics.soft_jaccard` is for binary masks. Received: soft_jaccard=True, several classes")
        return self

    @model_validator(mode="after")
    def _monitors_are_measured(self) -> "Config":
        measured = ["loss", *self.metrics.names]
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
    def _controls_have_what_they_turn(self) -> "Config":
        for argument, name in missing_controls(self.callbacks):
            raise ValueError(
                f"`callbacks.{argument}` needs the section `callbacks.{name}`, which is not there: add it, as `{name}: "
                f"{{}}`, or leave this out. Received: {argument}={name!r}"
            )
        return self

    @model_validator(mode="after")
    def _one_hand_on_the_rate(self) -> "Config":
        lowering = {
            name: getattr(self.callbacks, name) for name in ("reduce_lr_on_plateau", "stability_control", "rollback")
        }
        turned = {name: section for name, section in lowering.items() if getattr(section, "clip", None) is None}
        found = [name for name, section in turned.items() if getattr(section, "factor", 1) < 1]
        for name, (place, stage) in product(found, self._placed()):
            optimizer, key = stage.optimizer, f"{place}optimizer"
            if optimizer.rate_is_scheduled:
                raise ValueError(
                    f"`callbacks.{name}` needs a rate that nothing else moves: leave out "
                    f"`{key}.schedule` and `{key}.warmup_epochs`, or this section. Received: "
                    f"schedule={optimizer.schedule.kind!r}, warmup_epochs={optimizer.warmup_epochs}"
                )
        return self

    @model_validator(mode="after")
    def _epochs_have_equal_steps_for_a_schedule(self) -> "Config":
        settings: Any = self.callbacks  # its sections are made from the declarations
        for place, stage in self._placed():
            if settings.batch_size is not None and stage.optimizer.rate_is_scheduled:
                raise ValueError(
                    "`callbacks.batch_size` changes how many steps an epoch has, and a schedule of the learning rate "
                    f"counts steps: leave out `{place}optimizer.schedule` and `{place}optimizer.warmup_epochs`, or "
                    f"this section. Received: schedule={stage.optimizer.schedule.kind!r}, "
                    f"warmup_epochs={stage.optimizer.warmup_epochs}"
                )
        return self

    @model_validator(mode="after")
    def _rate_is_that_of_the_batch(self) -> "Config":
        images = self.fit.batch_size
        own = [stage.model_copy(update={"optimizer": stage.optimizer.for_batch(images)}) for stage in self.stages]
        object.__setattr__(self, "optimizer", self.optimizer.for_batch(images))
        object.__setattr__(self, "stages", tuple(own))
        return self

    @model_validator(mode="after")
    def _warmup_ends(self) -> "Config":
        for place, stage in self._placed():
            if stage.optimizer.warmup_epochs >= stage.epochs:
                whole = "stage" if place else "training"
                raise ValueError(
                    f"`{place}optimizer.warmup_epochs` must be less than the epochs of the {whole}; 0 for no warm-up. "
                    f"Received: warmup_epochs={stage.optimizer.warmup_epochs}, {place or 'fit.'}epochs={stage.epochs}"
                )
        return self


KINDS = {"data": ("synthetic", "folder", "fetch"), "schedule": SCHEDULE_KINDS}
"""By key, what its `kind` may be."""
