"""The path of the learning rate, as a configuration may say it: a kind, with its arguments in epochs.

`optimizer.learning_rate` is the largest rate, of each kind.
"""

from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt, model_validator

from unetdyn._part import Fraction, Part

Floor = Annotated[float, Field(ge=0, lt=1, description="last rate over the largest")]
Momentum = Annotated[float, Field(ge=0, lt=1)]
PerEpoch = Annotated[float, Field(gt=0, description="an epoch")]
Epochs = Annotated[float, Field(gt=0, description="epochs; fractions are allowed")]


class ConstantSchedule(Part):
    """The same rate at every step; after the warm-up, if there is one."""

    kind: Literal["constant"] = "constant"


class CosineSchedule(Part):
    """Half a cosine, from the end of the warm-up to the end of the training; see `unetdyn.schedules.cosine`."""

    kind: Literal["cosine"] = "cosine"
    floor: Floor = 0.01


class OneCycleSchedule(Part):
    """See `unetdyn.schedules.OneCycle`, over the whole training, and `unetdyn.callbacks.MomentumCycle`."""

    kind: Literal["onecycle"] = "onecycle"
    pct_start: float = Field(0.3, ge=0, le=1, description="fraction of the training in which the rate rises")
    anneal_strategy: Literal["cos", "linear"] = "cos"
    div_factor: PositiveFloat = 25.0
    final_div_factor: PositiveFloat = 1e4
    three_phase: bool = False
    cycle_momentum: bool = Field(True, description="the optimizer's momentum moves against the rate")
    base_momentum: Momentum = 0.85
    max_momentum: Momentum = 0.95

    @model_validator(mode="after")
    def _three_phases_fit(self) -> "OneCycleSchedule":
        if self.three_phase and self.pct_start > 0.5:
            raise ValueError(
                "with `three_phase`, `pct_start` must be at most 0.5: the rate falls as long as it rose, before "
                f"the third phase. Received: pct_start={self.pct_start}"
            )
        return self

    @model_validator(mode="after")
    def _momenta_in_order(self) -> "OneCycleSchedule":
        if self.base_momentum > self.max_momentum:
            raise ValueError(
                "`base_momentum` must not be above `max_momentum`. "
                f"Received: base_momentum={self.base_momentum}, max_momentum={self.max_momentum}"
            )
        return self


class StepSchedule(Part):
    """The rate drops every so many epochs; see `unetdyn.schedules.StepDecay`."""

    kind: Literal["step"] = "step"
    every: Epochs
    factor: Fraction = 0.1


class ExponentialSchedule(Part):
    """e^(−rate · epochs); see `unetdyn.schedules.exponential_decay`."""

    kind: Literal["exponential"] = "exponential"
    rate: PerEpoch


class InverseTimeSchedule(Part):
    """1 / (1 + rate · epochs); see `unetdyn.schedules.inverse_time_decay`."""

    kind: Literal["inverse_time"] = "inverse_time"
    rate: PerEpoch


class InversePowerSchedule(Part):
    """(1 + rate · epochs)^(−power); see `unetdyn.schedules.InversePowerDecay`."""

    kind: Literal["inverse_power"] = "inverse_power"
    rate: PerEpoch
    power: PositiveFloat = 0.5


class CosineRestartsSchedule(Part):
    """See `unetdyn.schedules.CosineRestarts`."""

    kind: Literal["cosine_restarts"] = "cosine_restarts"
    period: Epochs
    multiplier: PositiveInt = 2
    floor: Floor = 0.0


class WarmupCosineSchedule(Part):
    """BERT's rise from 0 and half a cosine to a floor; see `unetdyn.schedules.warmup_cosine`."""

    kind: Literal["warmup_cosine"] = "warmup_cosine"
    warmup: Fraction = Field(0.1, description="fraction of the training in which the rate rises")
    floor: Floor = 0.03


AnySchedule = (
    ConstantSchedule
    | CosineSchedule
    | OneCycleSchedule
    | StepSchedule
    | ExponentialSchedule
    | InverseTimeSchedule
    | InversePowerSchedule
    | CosineRestartsSchedule
    | WarmupCosineSchedule
)


def _named(value: Any) -> Any:
    """`cosine` means `{kind: cosine}`."""
    if not isinstance(value, str | dict | Part):
        raise ValueError(f"must be a name, or a mapping with a `kind`. Received: {value!r}")
    return {"kind": value} if isinstance(value, str) else value


Schedule = Annotated[AnySchedule, Field(discriminator="kind"), BeforeValidator(_named)]
"""A name, or a mapping with a `kind`."""

SCHEDULE_KINDS: tuple[str, ...] = tuple(each.model_fields["kind"].default for each in get_args(AnySchedule))

RISING = ("onecycle", "warmup_cosine")
"""Kinds with a rise of their own, before which a warm-up has no place."""

OVER_ALL_EPOCHS = ("cosine", "onecycle", "warmup_cosine")
"""Kinds whose rate at any step depends on how many epochs there will be."""
