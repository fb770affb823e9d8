"""MathematicalMonitor read as the studies' script reads theirs; its norms on every way to train: tests/contracts."""

import math

import keras
import numpy as np
import pytest

from tap_models import brute_force, conv_data, conv_model
from unetdyn.callbacks import MathematicalMonitor

RATES = keras.optimizers.schedules.InverseTimeDecay(0.05, decay_steps=1, decay_rate=0.5)


def train(monitor, epochs=2, initial_epoch=0, model=None):
    model = conv_model() if model is None else model
    if not model.compiled:
        model.compile(keras.optimizers.SGD(RATES, clipnorm=0.1), "mse")
    fit = {"batch_size": 4, "epochs": epochs, "initial_epoch": initial_epoch, "shuffle": False, "verbose": 0}
    return model, model.fit(*conv_data(), **fit, callbacks=[monitor]).history


def test_lists_have_one_number_a_batch():
    """Norms before clipping, by a second pass; rates by the schedule's formula."""
    monitor, twin = MathematicalMonitor(), conv_model()
    twin.compile(keras.optimizers.SGD(RATES, clipnorm=0.1), "mse")
    expected = np.sqrt(brute_force(twin, conv_data())["grad"].sum(axis=1))
    _, history = train(monitor, epochs=1)
    assert isinstance(monitor.gradient_norms, list)
    assert monitor.gradient_norms == pytest.approx(expected.tolist(), rel=1e-5)
    assert monitor.learning_rates == pytest.approx([0.05 / (1 + 0.5 * t) for t in range(len(expected))], rel=1e-6)
    stats = {
        "mean_grad_norm": math.fsum(expected) / len(expected),
        "max_grad_norm": max(expected),
        "grad_norm_std": math.sqrt(math.fsum((expected - expected.mean()) ** 2) / len(expected)),
    }
    assert monitor.gradient_stats == pytest.approx(stats, rel=1e-5)
    assert {key: values[-1] for key, values in history.items() if key in stats} == pytest.approx(stats, rel=1e-5)


def test_it_is_made_and_read_as_in_the_studies():
    """Their script makes the statistics itself, of all epochs."""
    mathematical_monitor = MathematicalMonitor()
    steps = len(train(mathematical_monitor)[1]["loss"]) * math.ceil(len(conv_data()[0]) / 4)
    norms = mathematical_monitor.gradient_norms
    assert len(norms) == len(mathematical_monitor.learning_rates) == steps
    assert mathematical_monitor.gradient_stats == {
        "mean_grad_norm": np.mean(norms),
        "max_grad_norm": np.max(norms),
        "grad_norm_std": np.std(norms),
    }


def test_a_new_training_starts_anew_and_one_that_goes_on_carries_on():
    monitor = MathematicalMonitor()
    model, _ = train(monitor, epochs=1)
    once = monitor.gradient_norms
    train(monitor, epochs=2, initial_epoch=1, model=model)
    assert monitor.gradient_norms[: len(once)] == once
    assert len(monitor.gradient_norms) == 2 * len(once)
    train(monitor, epochs=1, model=model)
    assert len(monitor.gradient_norms) == 3 * len(once)
    with pytest.warns(UserWarning, match="MathematicalMonitor begins anew"):
        train(monitor, epochs=1)
    assert len(monitor.gradient_norms) == len(once)


def test_before_the_first_epoch_there_is_nothing():
    monitor = MathematicalMonitor()
    assert (monitor.gradient_norms, monitor.learning_rates) == ([], [])
    assert all(math.isnan(value) for value in monitor.gradient_stats.values())


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_gradients_that_are_no_numbers_stay_in_the_lists(bad):
    monitor = MathematicalMonitor()
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    x = np.array([[1.0], [bad]])
    model.fit(x, np.zeros((2, 1)), batch_size=1, shuffle=False, verbose=0, callbacks=[monitor])
    assert math.isfinite(monitor.gradient_norms[0])
    assert not math.isfinite(monitor.gradient_norms[1])
    assert math.isnan(monitor.gradient_stats["grad_norm_std"])
