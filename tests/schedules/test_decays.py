"""The schedules that fall, ours and those of Keras' that we make, against their formulas in double precision."""

import keras
import numpy as np
import pytest

from rates import close, rates
from unetdyn import schedules

FEW_DIGITS = 2e-7
"""Keras' own cosines round their argument: two units of float32 in the last place."""

MANY = np.unique(np.concatenate([np.arange(40), np.geomspace(40, 200_000, 60).astype(int)]))


@pytest.mark.parametrize("period", [1, 10, 41, 47, 55, 61, 82, 97, 115, 1000])
def test_step_decay_drops_at_each_period(period):
    """Also where 41 · (1 / 41) is below 1 in float32."""
    steps = np.array([k * period + d for k in (1, 2, 3, 5, 7, 11) for d in (-1, 0)])
    close(rates(schedules.StepDecay(1e-2, period, 0.5), steps), 1e-2 * 0.5 ** (steps // period), 1e-2)


def test_step_decay_of_the_studies():
    close(rates(schedules.StepDecay(1e-2, 30), [0, 29, 30, 60, 90]), [1e-2, 1e-2, 1e-3, 1e-4, 1e-5], 1e-2)


@pytest.mark.parametrize("factor", [0.1, 0.5, 0.9, 0.97, 0.99, 0.999, 1 - 1e-9])
def test_step_decay_is_its_formula_after_many_drops(factor):
    """Also where γ is no float32: rounding it first would cost 5e-6 at 0.999."""
    close(rates(schedules.StepDecay(1.0, 1, factor), MANY), factor**MANY, 1.0)


def test_step_decay_by_a_factor_below_float32_ends_at_nothing():
    assert rates(schedules.StepDecay(1.0, 10, 1e-60), [9, 10, 20]).tolist() == [1, 0, 0]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("rate", [0.0, 1e-4, 0.3])
def test_inverse_power_decay_is_its_formula(rate, power):
    close(rates(schedules.InversePowerDecay(0.1, rate, power), MANY), 0.1 * (1 + rate * MANY) ** -power, 0.1)


@pytest.mark.parametrize("rate", [1e-5, 1e-3, 0.3])
def test_exponential_decay_is_its_formula(rate):
    made = schedules.exponential_decay(0.1, rate)
    assert isinstance(made, keras.optimizers.schedules.ExponentialDecay)
    close(rates(made, MANY), 0.1 * np.exp(-rate * MANY), 0.1)


@pytest.mark.parametrize("rate", [1e-5, 1e-3, 0.3])
def test_inverse_time_decay_is_its_formula(rate):
    made = schedules.inverse_time_decay(0.1, rate)
    assert isinstance(made, keras.optimizers.schedules.InverseTimeDecay)
    close(rates(made, MANY), 0.1 / (1 + rate * MANY), 0.1)


@pytest.mark.parametrize(("total", "floor"), [(10, 0.0), (997, 0.05)])
def test_cosine_is_its_formula(total, floor):
    made = schedules.cosine(0.1, total, floor)
    assert isinstance(made, keras.optimizers.schedules.CosineDecay)
    steps = np.unique(np.linspace(0, total + 5, 120).astype(int))
    share = np.minimum(steps / total, 1)
    close(rates(made, steps), 0.1 * (floor + (1 - floor) * (1 + np.cos(np.pi * share)) / 2), 0.1, FEW_DIGITS)


def of_the_studies(step, warmup, total, floor):
    """Study 5: a straight line, then half a cosine to a floor."""
    if step < warmup:
        return step / warmup
    return floor + 0.5 * (1 - floor) * (1 + np.cos(np.pi * (step - warmup) / (total - warmup)))


@pytest.mark.parametrize(
    ("total", "warmup", "given"), [(1000, 100, None), (57, 6, None), (200, 150, 150), (2, 1, None)]
)
def test_warmup_cosine_is_that_of_the_studies(total, warmup, given):
    made = schedules.warmup_cosine(2e-4, total, given)
    assert isinstance(made, keras.optimizers.schedules.CosineDecay)
    steps = np.unique(np.linspace(0, total, 150).astype(int))
    expected = [2e-4 * of_the_studies(step, warmup, total, 0.03) for step in steps]
    close(rates(made, steps), expected, 2e-4, FEW_DIGITS)


@pytest.mark.parametrize(("first", "multiplier", "floor"), [(10, 1, 0.0), (10, 2, 0.01), (7, 3, 0.0), (1, 2, 0.0)])
def test_cosine_restarts_are_those_of_torch(first, multiplier, floor):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    restarts = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, first, multiplier, floor * 0.5)
    steps = [*range(45), 69, 70, 71, 150, 309, 310, 630, 801, 5000]
    expected = []
    for step in steps:
        restarts.step(step)
        expected.append(optimizer.param_groups[0]["lr"])
    close(rates(schedules.CosineRestarts(0.5, first, multiplier, floor), steps), expected, 0.5)


def test_cosine_restarts_keep_their_digits_after_many_periods():
    steps = 10 * np.array([10_000, 100_000, 500_000]) + np.array([3, 5, 9])
    expected = (1 + np.cos(np.pi * np.array([0.3, 0.5, 0.9]))) / 2
    close(rates(schedules.CosineRestarts(1.0, 10, multiplier=1), steps), expected, 1.0)


def test_cosine_restarts_stay_in_range_to_the_last_step_that_int32_holds():
    found = rates(schedules.CosineRestarts(1.0, 1000, multiplier=2), [2**31 - 2, 2**30])
    assert ((found >= 0) & (found <= 1)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.StepDecay(0, 10), r"`initial_learning_rate` must be a finite number above 0"),
        (lambda: schedules.StepDecay(1, 0), r"`drop_steps` must be a whole number of steps, from 1 to 2147483647"),
        (lambda: schedules.StepDecay(1, 10, 10), r"`factor` must lie between 0 and 1, without 0 and 1.*factor=10"),
        (lambda: schedules.StepDecay(1, 2**31), r"`drop_steps` must be a whole number of .*, from 1 to 2147483647"),
        (lambda: schedules.CosineRestarts(1, 2**31), r"`first_steps` must be a whole .*, from 1 to 2147483647"),
        (lambda: schedules.CosineRestarts(1, 1, 2**31), r"`multiplier` must be a whole .*, from 1 to 2147483647"),
        (lambda: schedules.cosine(1, 2**31), r"`total_steps` must be a whole number of .*, from 1 to 2147483647"),
        (lambda: schedules.warmup_cosine(1, 2**31), r"`total_steps` must be a whole number .*, from 2 to 2147483647"),
        (lambda: schedules.InversePowerDecay(-1, 1), r"`initial_learning_rate` must be .*=-1\."),
        (lambda: schedules.InversePowerDecay(1, -1), r"`decay_rate` must be a finite number, 0 or above.*=-1\."),
        (lambda: schedules.InversePowerDecay(1, 1, -1), r"`power` must be a finite number, 0 or above.*=-1\."),
        (lambda: schedules.CosineRestarts(0, 10), r"`initial_learning_rate` must be a finite number above 0"),
        (
            lambda: schedules.CosineRestarts(1, 0),
            r"`first_steps` must be a whole number of steps, from 1 to 2147483647",
        ),
        (
            lambda: schedules.CosineRestarts(1, 10, 1.5),
            r"`multiplier` must be a whole number of times, from 1 to 2147483647",
        ),
        (lambda: schedules.CosineRestarts(1, 10, floor=1), r"`floor` must lie between 0 and 1, without 1.*floor=1"),
        (lambda: schedules.exponential_decay(0, 1), r"`initial_learning_rate` must be a finite number above 0"),
        (lambda: schedules.exponential_decay(1, 0), r"`decay_rate` must be a finite number above 0"),
        (lambda: schedules.inverse_time_decay(0, 1), r"`initial_learning_rate` must be a finite number above 0"),
        (lambda: schedules.inverse_time_decay(1, 0), r"`decay_rate` must be a finite number above 0"),
        (lambda: schedules.cosine(0, 10), r"`initial_learning_rate` must be a finite number above 0"),
        (lambda: schedules.cosine(1, 0), r"`total_steps` must be a whole number of steps, from 1 to 2147483647"),
        (lambda: schedules.cosine(1, 10, 1), r"`floor` must lie between 0 and 1, without 1"),
        (lambda: schedules.warmup_cosine(0, 10), r"`max_lr` must be a finite number above 0"),
        (lambda: schedules.warmup_cosine(1, 1), r"`total_steps` must be a whole number of steps, from 2 to 2147483647"),
        (
            lambda: schedules.warmup_cosine(1, 10, 10),
            r"`warmup_steps` must be a whole number of steps, from 1 to 9, less than `total_steps`.*=10\.",
        ),
        (lambda: schedules.warmup_cosine(1, 10, floor=-1), r"`floor` must lie between 0 and 1, without 1"),
    ],
)
def test_schedule_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()
