"""The optimizer, as a configuration may say it: its kind, Keras' own arguments of that kind, and the path of its rate.

Where an argument is absent, Keras' default counts.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from unetdyn._part import Part
from unetdyn.analysis import scale_learning_rate
from unetdyn.experiment.schedule_config import RISING, ConstantSchedule, Schedule

Share = Annotated[float, Field(ge=0, lt=1)]

ARGUMENTS_OF_KINDS = {
    "beta_1": ("adam", "adamw"),
    "beta_2": ("adam", "adamw"),
    "amsgrad": ("adam", "adamw"),
    "epsilon": ("adam", "adamw", "rmsprop", "adagrad"),
    "momentum": ("sgd", "rmsprop"),
    "nesterov": ("sgd",),
    "rho": ("rmsprop",),
    "centered": ("rmsprop",),
    "initial_accumulator_value": ("adagrad",),
}
"""What only some kinds have."""

CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")

KERAS_ARGUMENTS = (
    *ARGUMENTS_OF_KINDS,
    *CLIPS,
    *("weight_decay", "gradient_accumulation_steps", "loss_scale_factor"),
    *("use_ema", "ema_momentum", "ema_overwrite_frequency"),
)
"""What Keras' optimizer is given as it stands."""


class DynamicLossScale(Part):
    """See `keras.optimizers.LossScaleOptimizer`, in which the optimizer is put; `{}` asks for its defaults."""

    initial_scale: PositiveFloat = 2.0**15
    dynamic_growth_steps: PositiveInt = Field(2000, description="steps without overflow, after which it doubles")


class OptimizerConfig(Part):
    """The optimizer, and the path of its learning rate."""

    kind: Literal["adam", "adamw", "sgd", "rmsprop", "adagrad"] = "adam"
    learning_rate: PositiveFloat = 1e-3
    scale_from_batch: PositiveInt | None = Field(
        None, description="images in a step for which the rate is meant; it is scaled to those of this training"
    )
    scale_rule: Literal["linear", "sqrt"] = Field("linear", description="see `unetdyn.analysis.scale_learning_rate`")
    schedule: Schedule = ConstantSchedule()
    warmup_epochs: float = Field(0.0, ge=0, description="rise to the learning rate, before the schedule begins")
    warmup_shape: Literal["linear", "exponential", "cosine", "constant"] = "linear"
    warmup_start: float = Field(0.1, ge=0, lt=1, description="of the learning rate, at the first step")
    beta_1: Share | None = None
    beta_2: Share | None = None
    amsgrad: bool | None = None
    epsilon: PositiveFloat | None = None
    momentum: Share | None = None
    nesterov: bool | None = None
    rho: Share | None = None
    centered: bool | None = None
    initial_accumulator_value: float | None = Field(None, ge=0)
    weight_decay: float | None = Field(None, ge=0, description="absent: none, and 0.004 in adamw")
    weight_decay_groups: bool = Field(False, description="kernels alone decay; see `unetdyn.optimizers`")
    clipnorm: PositiveFloat | None = Field(None, description="largest norm of the gradient of each weight by itself")
    clipvalue: PositiveFloat | None = Field(None, description="largest entry of a gradient")
    global_clipnorm: PositiveFloat | None = Field(None, description="largest norm of the whole gradient")
    gradient_accumulation_steps: int | None = Field(None, ge=2, description="steps whose mean gradient is one update")
    use_ema: bool = Field(False, description="average the weights: validation and `model.keras` are of the average")
    ema_momentum: Share | None = None
    ema_overwrite_frequency: PositiveInt | None = Field(
        None, description="steps after which training goes on from the average; absent: it never does"
    )
    loss_scale_factor: PositiveFloat | None = Field(None, description="fixed, also in mixed_float16")
    dynamic_loss_scale: DynamicLossScale | None = Field(None, description="absent: in mixed_float16, as Keras does")

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

    @model_validator(mode="after")
    def _kind_has_the_arguments(self) -> "OptimizerConfig":
        for argument, kinds in ARGUMENTS_OF_KINDS.items():
            value = getattr(self, argument)
            if value is not None and self.kind not in kinds:
                raise ValueError(
                    f"`{argument}` belongs to kind: {' or '.join(kinds)}. Received: kind={self.kind!r}, "
                    f"{argument}={value!r}. Leave it out, or change the kind"
                )
        if self.nesterov and not self.momentum:
            raise ValueError(f"`nesterov` needs a `momentum` above 0, such as 0.9. Received: momentum={self.momentum}")
        return self

    @model_validator(mode="after")
    def _one_of_each(self) -> "OptimizerConfig":
        _at_most_one(self, CLIPS)
        _at_most_one(self, ("loss_scale_factor", "dynamic_loss_scale"))
        return self

    @model_validator(mode="after")
    def _nothing_without_effect(self) -> "OptimizerConfig":
        if self.weight_decay_groups and not self.weight_decay and (self.kind, self.weight_decay) != ("adamw", None):
            raise ValueError(
                f"`weight_decay_groups` needs a `weight_decay` above 0. Received: weight_decay={self.weight_decay}"
            )
        for argument in ("ema_momentum", "ema_overwrite_frequency"):
            value = getattr(self, argument)
            if value is not None and not self.use_ema:
                raise ValueError(f"`{argument}` needs `use_ema: true`. Received: use_ema=False, {argument}={value}")
        return self

    @property
    def rate_is_scheduled(self) -> bool:
        """Whether the rate follows a plan, which no callback can change."""
        return bool(self.warmup_epochs) or not isinstance(self.schedule, ConstantSchedule)

    def for_batch(self, batch_size: int) -> "OptimizerConfig":
        """The same for batches of this size: with the rate scaled, where that is asked for, and what it is meant for.

        Args:
            batch_size: Images in a step of `fit`; where gradients are accumulated, an update has several times as many.

        Example:
            >>> scaled = OptimizerConfig(learning_rate=1e-3, scale_from_batch=8, scale_rule="sqrt").for_batch(32)
            >>> scaled.learning_rate, scaled.scale_from_batch
            (0.002, 32)
            >>> scaled.for_batch(32) == scaled
            True
        """
        if self.scale_from_batch is None:
            return self
        images = batch_size * (self.gradient_accumulation_steps or 1)
        rate = scale_learning_rate(self.learning_rate, self.scale_from_batch, images, self.scale_rule)
        return self.model_copy(update={"learning_rate": rate, "scale_from_batch": images})


def _at_most_one(settings: OptimizerConfig, arguments: tuple[str, ...]) -> None:
    given = [argument for argument in arguments if getattr(settings, argument) is not None]
    if len(given) > 1:
        choice = ", ".join(f"`{argument}`" for argument in arguments)
        received = ", ".join(f"{argument}={getattr(settings, argument)}" for argument in given)
        raise ValueError(f"give only one of {choice}. Received: {received}")
