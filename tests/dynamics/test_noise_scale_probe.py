"""The scalar product with the step before, inside real training, against gradients computed in NumPy."""

import itertools
import re

import keras
import numpy as np
import pytest

from unetdyn.dynamics import OptimizerTap
from unetdyn.dynamics.backend.small_tensors import TOGETHER
from unetdyn.dynamics.noise_scale_probe import ConsecutiveProbe
from unetdyn.dynamics.training_state import difference, variables_of


def data(steps, batch=4):
    rng = np.random.default_rng(0)
    return rng.normal(size=(steps * batch, 3)).astype("float32"), rng.normal(size=(steps * batch, 1)).astype("float32")


def linear(rate=0.05, dtype="float32", **options):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones", bias_initializer="ones", dtype=dtype)]
    )
    model.compile(keras.optimizers.SGD(rate), "mse", **options)
    return model


def gradients(x, y, rate, batch=4):
    """Of the mean squared error of a linear model, with plain descent between the steps."""
    weights = np.ones(4)
    for place in range(0, len(x), batch):
        inputs = np.concatenate([x[place : place + batch], np.ones((batch, 1))], axis=1).astype(np.float64)
        gradient = 2 / batch * inputs.T @ (inputs @ weights - y[place : place + batch, 0])
        weights -= rate * gradient
        yield gradient


def fitted(model, x, y, **options):
    tap = OptimizerTap(model, ConsecutiveProbe())
    model.fit(x, y, batch_size=4, shuffle=False, verbose=0, **options)
    dot = tap.read().extra["dot"][:, 0]
    tap.detach()
    return dot


@pytest.mark.parametrize("together", [0, 3, TOGETHER], ids=["none", "bias", "both"])
def test_probe_measures_the_same_whichever_gradients_it_keeps_in_one_array(together, monkeypatch):
    monkeypatch.setattr("unetdyn.dynamics.backend.small_tensors.TOGETHER", together)
    x, y = data(4)
    model = linear()
    dot = fitted(model, x, y)
    expected = [0.0, *(a @ b for a, b in itertools.pairwise(gradients(x, y, 0.05)))]
    np.testing.assert_allclose(dot, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(keras.config.backend() != "jax", reason="each gradient has its own array")
def test_a_state_with_an_array_for_each_gradient_is_told_apart():
    model = linear()
    tap = OptimizerTap(model, ConsecutiveProbe())
    variables = {place: v for place, v in variables_of(model).items() if place.startswith("taps/")}
    assert tuple(variables["taps/0"].shape) == (2, 1024)
    before = {"taps/0": np.zeros((3, 1)), "taps/1": np.zeros(1)}
    assert re.fullmatch(r"shape \(3, 1\) for \S+ of shape \(2, 1024\) \(taps/0\)", difference(variables, before))
    tap.detach()


@pytest.mark.parametrize("options", [{}, {"run_eagerly": True}, {"steps_per_execution": 2}])
def test_probe_measures_the_product_with_the_step_before(options):
    if "steps_per_execution" in options and keras.config.backend() == "torch":
        pytest.skip("Keras refuses steps_per_execution > 1 on PyTorch")
    x, y = data(6)
    dot = fitted(linear(**options), x, y)
    known = list(gradients(x, y, 0.05))
    expected = [0.0, *(a @ b for a, b in itertools.pairwise(known))]
    np.testing.assert_allclose(dot, expected, rtol=1e-4, atol=1e-5)


def test_probe_goes_on_from_epoch_to_epoch():
    x, y = data(2)
    dot = fitted(linear(rate=0.0), x, y, epochs=2)
    first, second = gradients(x, y, 0.0)
    np.testing.assert_allclose(dot, [0.0, first @ second, first @ second, first @ second], rtol=1e-4, atol=1e-5)


def test_probe_recovers_from_a_gradient_that_is_not_finite():
    x, y = data(6)
    y[8] = np.nan
    model = linear(rate=0.0)
    finite = np.isfinite(fitted(model, x, y))
    # The update with NaN at rate 0 makes the weights NaN; only a control that skips it lets later steps recover.
    assert finite.tolist() == [True, True, False, False, False, False]


def test_probe_recovers_after_a_skipped_update():
    """Under a loss scale Keras skips the update, and the step after the next is finite again."""
    x, y = data(6)
    y[8] = np.nan
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, dtype="mixed_float16")])
    model.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.01), initial_scale=4.0), "mse")
    assert np.isfinite(fitted(model, x, y)).tolist() == [True, True, False, False, True, True]


@pytest.mark.filterwarnings("ignore:Gradients do not exist for variables:UserWarning")
def test_probe_passes_by_variables_without_gradient():
    inputs = keras.Input((3,))
    used = keras.layers.Dense(1, kernel_initializer="ones", bias_initializer="ones", name="used")
    model = keras.Model(inputs, {"a": used(inputs), "b": keras.layers.Dense(1, name="unused")(inputs)})
    model.compile(keras.optimizers.SGD(0.0), loss={"a": "mse", "b": None})
    x, y = data(2)
    first, second = gradients(x, y, 0.0)
    np.testing.assert_allclose(fitted(model, x, {"a": y}), [0.0, first @ second], rtol=1e-4, atol=1e-5)
