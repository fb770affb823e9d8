"""Warmup around a number, around our schedules and around Keras' own."""

import keras
import numpy as np
import pytest

from rates import close, rates
from unetdyn.schedules import CosineRestarts, OneCycle, StepDecay, Warmup

STEPS = 60
T = np.arange(STEPS)
SHARE = T / STEPS
RISES = {
    "linear": lambda s: s + (1 - s) * SHARE,
    "exponential": lambda s: s ** (1 - SHARE),
    "cosine": lambda s: s + (1 - s) * (1 - np.cos(np.pi * SHARE)) / 2,
    "constant": lambda s: np.full(STEPS, s),
}
DEFAULTS = {"linear": 0.0, "exponential": 0.01, "cosine": 0.0, "constant": 0.1}


@pytest.mark.parametrize("start", [None, 0.3])
@pytest.mark.parametrize("shape", RISES)
def test_warmup_rises_by_its_formula_and_then_stays(shape, start):
    found = rates(Warmup(3e-3, STEPS, shape, start), range(STEPS + 3))
    rise = RISES[shape](DEFAULTS[shape] if start is None else start)
    close(found, [*(3e-3 * rise), 3e-3, 3e-3, 3e-3], 3e-3)


def test_linear_warmup_is_that_of_the_studies():
    """Study 1: α_max · min(1, t / t_warmup)."""
    steps = np.arange(20)
    close(rates(Warmup(1e-3, 7), steps), 1e-3 * np.minimum(1, steps / 7), 1e-3)


@pytest.mark.parametrize(
    "schedule",
    [
        StepDecay(0.5, 4),
        OneCycle(0.5, 30),
        CosineRestarts(0.5, 5),
        keras.optimizers.schedules.PiecewiseConstantDecay([3, 9], [0.5, 0.1, 0.2]),
        keras.optimizers.schedules.CosineDecay(0.5, 20),
    ],
    ids=lambda schedule: type(schedule).__name__,
)
def test_warmup_lets_a_schedule_begin_at_its_end(schedule):
    found, own = rates(Warmup(schedule, 8, start=0.25), range(30)), rates(schedule, range(22))
    close(found[8:], own, 0.5, 0)
    close(found[:8], own[0] * (0.25 + 0.75 * np.arange(8) / 8), 0.5)


def test_warmup_of_a_warmup_is_one_after_the_other():
    inner = Warmup(1.0, 4, "constant", 0.5)
    close(rates(Warmup(inner, 4), range(10)), [0, 0.125, 0.25, 0.375, *[0.5] * 4, 1, 1], 1.0)


def test_warmup_with_a_schedule_in_it_is_kept_by_a_saved_optimizer():
    optimizer = keras.optimizers.Adam(Warmup(Warmup(OneCycle(3e-3, 40), 5, "cosine"), 5))
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert again._learning_rate.get_config() == optimizer._learning_rate.get_config()
    assert isinstance(again._learning_rate.schedule.schedule, OneCycle)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"schedule": "cosine"}, TypeError, r"`schedule` must be a .*, or a number .*Received: str\."),
        ({"schedule": 0.0}, ValueError, r"`schedule` must be a finite number above 0"),
        (
            {"steps": 0},
            ValueError,
            r"`steps` must be a whole number of steps, from 1 to 2147483647\. Received: steps=0",
        ),
        ({"steps": 2**31}, ValueError, r"`steps` must be a whole number of steps, from 1 to 2147483647"),
        ({"shape": "lineal"}, ValueError, r"`shape` must be one of 'linear', .* Did you mean 'linear'\?"),
        ({"start": 1.0}, ValueError, r"`start` must lie between 0 and 1, without 1, with shape='linear'"),
        (
            {"start": 0.0, "shape": "exponential"},
            ValueError,
            r"`start` must lie between 0 and 1, without 0 and 1, with shape='exponential'\. Received: start=0\.0\.",
        ),
    ],
)
def test_warmup_refuses(arguments, error, message):
    with pytest.raises(error, match=message):
        Warmup(**{"schedule": 1.0, "steps": 10} | arguments)
