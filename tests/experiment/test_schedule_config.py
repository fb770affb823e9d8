"""What a configuration may say of the learning rate: round trips, refusals, and the rates that come out of it."""

import keras
import numpy as np
import pytest

from rates import close, rates
from unetdyn import schedules
from unetdyn.experiment import ConfigError, parse_config
from unetdyn.experiment.build import build_optimizer
from unetdyn.experiment.config import OptimizerConfig
from unetdyn.experiment.learning_rate import learning_rate, momentum_cycle
from unetdyn.experiment.schedule_config import SCHEDULE_KINDS

EPOCHS, STEPS = 10, 7  # steps an epoch
T = np.arange(EPOCHS * STEPS + 1)
RATE = 0.02

ALL_KEYS = {
    "constant": {},
    "cosine": {"floor": 0.1},
    "onecycle": {
        "pct_start": 0.2,
        "anneal_strategy": "linear",
        "div_factor": 10.0,
        "final_div_factor": 100.0,
        "three_phase": True,
        "cycle_momentum": False,
        "base_momentum": 0.8,
        "max_momentum": 0.9,
    },
    "step": {"every": 2.5, "factor": 0.5},
    "exponential": {"rate": 0.3},
    "inverse_time": {"rate": 0.3},
    "inverse_power": {"rate": 0.3, "power": 2.0},
    "cosine_restarts": {"period": 1.5, "multiplier": 3, "floor": 0.2},
    "warmup_cosine": {"warmup": 0.2, "floor": 0.1},
}


def config(callbacks=None, **optimizer):
    return parse_config({"data": {"kind": "synthetic"}, "optimizer": optimizer, "callbacks": callbacks or {}})


def rate_of(**settings):
    return learning_rate(OptimizerConfig(learning_rate=RATE, **settings), EPOCHS, STEPS)


def halves(share, floor=0.0):
    return floor + (1 - floor) * (1 + np.cos(np.pi * share)) / 2


def test_every_kind_has_all_its_keys_here():
    assert set(SCHEDULE_KINDS) == set(ALL_KEYS)
    for kind, keys in ALL_KEYS.items():
        assert {"kind", *keys} == set(config(schedule={"kind": kind, **keys}).optimizer.schedule.model_dump())


@pytest.mark.parametrize("kind", ALL_KEYS)
def test_schedule_comes_back_from_the_resolved_configuration(kind):
    chosen = config(schedule={"kind": kind, **ALL_KEYS[kind]})
    written = chosen.model_dump(mode="json")
    assert written["optimizer"]["schedule"] == {"kind": kind, **ALL_KEYS[kind]}
    assert parse_config(written) == chosen


@pytest.mark.parametrize("kind", ["constant", "cosine", "onecycle", "warmup_cosine"])
def test_schedule_without_arguments_may_be_a_name(kind):
    assert config(schedule=kind) == config(schedule={"kind": kind})


def test_warmup_and_callbacks_come_back_from_the_resolved_configuration():
    warm = config(warmup_epochs=1.5, warmup_shape="exponential", warmup_start=0.01)
    plateau = config(
        callbacks={
            "reduce_lr_on_plateau": {
                "monitor": "stability",
                "mode": "min",
                "factor": 0.3,
                "patience": 2,
                "min_delta": 0.01,
                "cooldown": 3,
                "min_lr": 1e-5,
            },
            "early_stopping": {"patience": 15, "min_delta": 0.1, "start_from_epoch": 3, "restore_best_weights": True},
        }
    )
    for chosen in (warm, plateau):
        assert parse_config(chosen.model_dump(mode="json")) == chosen


REFERENCES = {
    "cosine": RATE * halves(T / T[-1], 0.1),
    "step": RATE * 0.5 ** (T // 18),  # 2.5 epochs of 7 steps are 17.5; Python rounds half to even
    "exponential": RATE * np.exp(-0.3 * T / STEPS),
    "inverse_time": RATE / (1 + 0.3 * T / STEPS),
    "inverse_power": RATE * (1 + 0.3 * T / STEPS) ** -2.0,
    "cosine_restarts": RATE * np.where(T < 10, halves(T / 10, 0.2), np.where(T < 40, halves((T - 10) / 30, 0.2), 0)),
    "warmup_cosine": RATE * np.where(T < 14, T / 14, halves((T - 14) / 56, 0.1)),
}


@pytest.mark.parametrize("kind", REFERENCES)
def test_schedule_is_counted_in_epochs(kind):
    known = slice(0, 40) if kind == "cosine_restarts" else slice(None)
    found = rates(rate_of(schedule={"kind": kind, **ALL_KEYS[kind]}), T[known])
    close(found, REFERENCES[kind][known], RATE, 2e-7)


def test_onecycle_is_that_of_the_whole_training():
    """Against torch in tests/schedules; here only what the configuration makes of it."""
    made = rate_of(schedule={"kind": "onecycle", **ALL_KEYS["onecycle"]})
    assert made.get_config() == schedules.OneCycle(RATE, 70, 0.2, "linear", 10.0, 100.0, True).get_config()
    assert rate_of(schedule="onecycle").max_lr == RATE


def test_constant_rate_is_a_number_and_rises_where_it_is_asked_to():
    assert rate_of() == RATE
    found = rates(rate_of(warmup_epochs=2, warmup_start=0), T)
    close(found, RATE * np.minimum(1, T / 14), RATE)


@pytest.mark.parametrize("shape", ["linear", "exponential", "cosine", "constant"])
def test_warmup_comes_before_any_schedule(shape):
    made = rate_of(schedule={"kind": "step", "every": 1}, warmup_epochs=0.5, warmup_shape=shape)
    assert made.get_config()["steps"] == 4
    close(rates(made, T), rates(schedules.Warmup(schedules.StepDecay(RATE, 7), 4, shape, 0.1), T), RATE, 0)


def test_optimizer_has_the_schedule():
    optimizer = build_optimizer(config(kind="adamw", schedule="onecycle"), steps_per_epoch=4)
    assert isinstance(optimizer, keras.optimizers.AdamW)
    assert optimizer._learning_rate.total_steps == 30 * 4


def test_momentum_cycles_with_onecycle_alone():
    cycle = momentum_cycle(OptimizerConfig(schedule={"kind": "onecycle", "base_momentum": 0.7}))
    assert (cycle.base_momentum, cycle.max_momentum) == (0.7, 0.95)
    assert momentum_cycle(OptimizerConfig(schedule={"kind": "onecycle", "cycle_momentum": False})) is None
    assert momentum_cycle(OptimizerConfig(schedule="cosine")) is None


@pytest.mark.parametrize(
    ("optimizer", "texts"),
    [
        (
            {"schedule": "onecycel"},
            ["`optimizer.schedule.kind` must be one of 'constant', ", "='onecycel'", "Did you mean 'onecycle'?"],
        ),
        ({"schedule": {"every": 3}}, ["`optimizer.schedule.kind` must be one of", "schedule.kind=None"]),
        *(
            ({"schedule": wrong}, ["`optimizer.schedule`: must be a name, or a mapping with a `kind`. ", f": {wrong}"])
            for wrong in (3, None, True, ["cosine"])
        ),
        (
            {"schedule": {"kind": "onecycle", "anneal_strategy": "cosine"}},
            ["`optimizer.schedule.anneal_strategy`: input should be 'cos' or 'linear'. ", " Did you mean 'cos'?"],
        ),
        ({"warmup_shape": "cos"}, ["`optimizer.warmup_shape`: ", "Received: 'cos'. Did you mean 'cosine'?"]),
        (
            {"schedule": {"kind": "onecycle", "three_phase": True, "pct_start": 0.6}},
            ["with `three_phase`, `pct_start` must be at most 0.5", "Received: pct_start=0.6"],
        ),
        (
            {"warmup_epochs": 30},
            ["`optimizer.warmup_epochs` must be less than the epochs of the training", "=30.0, fit.epochs=30"],
        ),
        (
            {"schedule": {"kind": "onecycle", "pct_stat": 0.2}},
            ["in `optimizer.schedule`, unknown key 'pct_stat'", "Did you mean 'pct_start'?"],
        ),
        ({"schedule": {"kind": "onecycle", "pct_start": 20}}, ["`optimizer.schedule.pct_start`", "Received: 20"]),
        (
            {"schedule": {"kind": "onecycle", "base_momentum": 0.99}},
            ["`base_momentum` must not be above `max_momentum`. Received: base_momentum=0.99, max_momentum=0.95"],
        ),
        ({"schedule": "step"}, ["`optimizer.schedule.every`: field required"]),
        ({"schedule": {"kind": "step", "every": 0}}, ["`optimizer.schedule.every`", "greater than 0", "Received: 0"]),
        ({"schedule": {"kind": "cosine", "floor": 1}}, ["`optimizer.schedule.floor`", "less than 1", "Received: 1"]),
        (
            {"schedule": "onecycle", "warmup_epochs": 2},
            ["`warmup_epochs` has no place before schedule: onecycle, which rises by itself", "warmup_epochs=2"],
        ),
        (
            {"warmup_epochs": 2, "warmup_shape": "constant", "warmup_start": 0},
            ["`warmup_start` must be above 0 with warmup_shape: constant. Received: warmup_start=0"],
        ),
        ({"warmup_shapes": "cosine"}, ["in `optimizer`, unknown key 'warmup_shapes'", "Did you mean 'warmup_shape'?"]),
    ],
)
def test_schedule_that_can_not_be_is_refused(optimizer, texts):
    with pytest.raises(ConfigError) as caught:
        config(**optimizer)
    for text in texts:
        assert text in str(caught.value)


def test_nothing_is_near_to_a_kind_that_was_not_given():
    with pytest.raises(ConfigError) as caught:
        config(schedule={"floor": 0.1})
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    "schedule",
    [
        {"kind": "step", "every": 1e9},
        {"kind": "step", "every": 1e308},
        {"kind": "cosine_restarts", "period": 1e9},
    ],
)
def test_schedule_longer_than_int32_is_refused_before_training(schedule):
    with pytest.raises(ValueError, match=r"`optimizer\.schedule\.(every|period)` is too long: .* at most 2147483647"):
        build_optimizer(config(schedule=schedule), steps_per_epoch=4)


def test_warmup_is_a_step_at_least_and_leaves_one():
    assert rate_of(warmup_epochs=0.01).steps == 1
    assert rate_of(warmup_epochs=EPOCHS - 0.01).steps == EPOCHS * STEPS - 1


PLATEAU = {"reduce_lr_on_plateau": {}}


@pytest.mark.parametrize("optimizer", [{"schedule": "cosine"}, {"warmup_epochs": 1}])
def test_plateau_beside_a_schedule_is_refused_before_training(optimizer):
    """Keras would raise when the plateau comes."""
    with pytest.raises(ConfigError, match=r"`callbacks\.reduce_lr_on_plateau` needs a rate .*Received: schedule='co"):
        config(PLATEAU, **optimizer)


def test_plateau_has_the_numbers_of_the_studies():
    section = config(PLATEAU).callbacks.reduce_lr_on_plateau
    assert (section.monitor, section.factor, section.patience, section.min_lr) == ("val_loss", 0.5, 8, 1e-6)


@pytest.mark.parametrize(
    ("section", "text"),
    [
        ({"monitor": "val_los"}, "`callbacks.reduce_lr_on_plateau.monitor` must be one of 'val_loss'"),
        ({"factor": 1}, "`callbacks.reduce_lr_on_plateau.factor`: input should be less than 1. Received: 1"),
        ({"patients": 3}, "in `callbacks.reduce_lr_on_plateau`, unknown key 'patients'. Did you mean 'patience'?"),
    ],
)
def test_plateau_that_can_not_be_is_refused(section, text):
    with pytest.raises(ConfigError) as caught:
        config({"reduce_lr_on_plateau": section})
    assert text in str(caught.value)
