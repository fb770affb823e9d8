"""From a configured schedule, in epochs, to a schedule of Keras, in steps."""

from keras.optimizers.schedules import LearningRateSchedule

from unetdyn import schedules
from unetdyn.callbacks import MomentumCycle
from unetdyn.experiment import schedule_config as kinds
from unetdyn.experiment.optimizer_config import OptimizerConfig


def learning_rate(settings: OptimizerConfig, epochs: int, steps_per_epoch: int) -> float | LearningRateSchedule:
    """What the optimizer is given for its learning rate.

    Args:
        settings: The configured optimizer.
        epochs: Of the training.
        steps_per_epoch: Batches in an epoch.

    Example:
        >>> settings = OptimizerConfig(learning_rate=0.5, schedule={"kind": "step", "every": 1.5, "factor": 0.5})
        >>> rate = learning_rate(settings, epochs=6, steps_per_epoch=10)
        >>> [float(rate(step)) for step in (0, 14, 15, 30)]
        [0.5, 0.5, 0.25, 0.125]
    """
    steps = epochs * steps_per_epoch
    if not settings.warmup_epochs:
        return _schedule(settings, steps, steps_per_epoch)
    warmup = min(schedules.count_steps(settings.warmup_epochs, steps_per_epoch, 1), max(1, steps - 1))
    rate = _schedule(settings, max(1, steps - warmup), steps_per_epoch)
    return schedules.Warmup(rate, warmup, settings.warmup_shape, settings.warmup_start)


def momentum_cycle(settings: OptimizerConfig, name: str = "momentum") -> MomentumCycle | None:
    """What moves the momentum against a one-cycle rate, where that is asked for; `name` is that of its record."""
    chosen = settings.schedule
    if not isinstance(chosen, kinds.OneCycleSchedule) or not chosen.cycle_momentum:
        return None
    return MomentumCycle(chosen.base_momentum, chosen.max_momentum, name=name)


def _schedule(settings: OptimizerConfig, steps: int, steps_per_epoch: int) -> float | LearningRateSchedule:
    """Over so many steps, without a warm-up that is asked for beside it."""
    chosen, highest = settings.schedule, settings.learning_rate
    match chosen:
        case kinds.CosineSchedule():
            return schedules.cosine(highest, steps, chosen.floor)
        case kinds.OneCycleSchedule():
            shape = chosen.model_dump(
                include={"pct_start", "anneal_strategy", "div_factor", "final_div_factor", "three_phase"}
            )
            return schedules.OneCycle(highest, steps, **shape)
        case kinds.StepSchedule():
            return schedules.StepDecay(highest, _steps("every", chosen.every, steps_per_epoch), chosen.factor)
        case kinds.ExponentialSchedule():
            return schedules.exponential_decay(highest, chosen.rate / steps_per_epoch)
        case kinds.InverseTimeSchedule():
            return schedules.inverse_time_decay(highest, chosen.rate / steps_per_epoch)
        case kinds.InversePowerSchedule():
            return schedules.InversePowerDecay(highest, chosen.rate / steps_per_epoch, chosen.power)
        case kinds.CosineRestartsSchedule():
            period = _steps("period", chosen.period, steps_per_epoch)
            return schedules.CosineRestarts(highest, period, chosen.multiplier, chosen.floor)
        case kinds.WarmupCosineSchedule():
            steps = max(2, steps)
            rise = min(schedules.count_steps(chosen.warmup, steps, 1), steps - 1)
            return schedules.warmup_cosine(highest, steps, rise, chosen.floor)
    return highest


def _steps(key: str, epochs: float, steps_per_epoch: int) -> int:
    try:
        return schedules.count_steps(epochs, steps_per_epoch, 1)
    except ValueError as error:
        raise ValueError(f"`optimizer.schedule.{key}` is too long: {error}") from None
