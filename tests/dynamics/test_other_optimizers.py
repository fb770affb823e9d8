"""Optimizers of other people's: those that hand on to others are measured, and what they take and return passes."""

import functools

import keras
import numpy as np
import pytest

from tap_models import assert_same_weights, dense_data, dense_model, fit, weights_of
from unetdyn.callbacks import AutoClip, BatchMonitor, GradientMonitor, NoiseScaleMonitor, NonFiniteGuard, UpdateMonitor
from unetdyn.callbacks.non_finite_guard import _SkipNonFinite
from unetdyn.dynamics import OptimizerTap, Probe
from unetdyn.dynamics.optimizers import has_loss_scale, inner

BACKEND = keras.backend.backend()
SGD = keras.optimizers.SGD


class Wrapper(keras.optimizers.Optimizer):
    """Has an `inner_optimizer`, and is no `LossScaleOptimizer`: it leaves all to that, the counting too."""

    def __init__(self, inner_optimizer):
        super().__init__(learning_rate=0.5)
        self.inner_optimizer = inner_optimizer

    def build(self, variables):
        super().build(variables)
        self.inner_optimizer.build(variables)

    @property
    def variables(self):
        return self._variables + self.inner_optimizer.variables

    def apply(self, grads, trainable_variables=None):
        self.inner_optimizer.apply(grads, trainable_variables)


class PassingOff(Wrapper):
    """Passes its inner optimizer's variables off as its own."""

    @property
    def variables(self):
        return self.inner_optimizer.variables


class Several(Wrapper):
    """An optimizer for each variable."""

    def __init__(self):
        super().__init__(None)
        self.parts = [SGD(0.05), SGD(0.05)]

    def build(self, variables):
        keras.optimizers.Optimizer.build(self, variables)
        for part, variable in zip(self.parts, variables, strict=True):
            part.build([variable])

    @property
    def variables(self):
        return self._variables + [variable for part in self.parts for variable in part.variables]

    def apply(self, grads, trainable_variables=None):
        variables = trainable_variables or self._trainable_variables
        for part, gradient, variable in zip(self.parts, grads, variables, strict=True):
            part.apply([gradient], [variable])


class SeveralOfPairs(Several):
    """Is called by `apply_gradients`, and never comes to its own `apply`."""

    def apply_gradients(self, grads_and_vars, name=None):
        pairs = list(grads_and_vars)
        if not self.built:
            self.build([variable for _, variable in pairs])
        for part, pair in zip(self.parts, pairs, strict=True):
            part.apply_gradients([pair])

    def apply(self, grads, trainable_variables=None):
        if BACKEND != "tensorflow":  # whose trainer alone calls `apply_gradients`
            self.apply_gradients(zip(grads, trainable_variables or self._trainable_variables, strict=True))


class WithoutList(Wrapper):
    """Keeps no list of what it trains."""

    def build(self, variables):
        self.inner_optimizer.build(variables)
        self.built = True


OPTIMIZERS = {
    "wrapper": lambda: Wrapper(SGD(0.05)),
    "passing off": lambda: PassingOff(SGD(0.05)),
    "several": Several,
    "several, by pairs": SeveralOfPairs,
    "without list": lambda: WithoutList(SGD(0.05)),
    "under a loss scale": lambda: keras.optimizers.LossScaleOptimizer(Wrapper(SGD(0.05))),
}


KEYS = {"grad_norm", "applied_grad_norm", "applied", "update_norm", "raw_gradient_sq"}


def trained(optimizer, callbacks):
    model = dense_model()
    model.compile(optimizer, "mse")
    fit(model, dense_data(), epochs=2, callbacks=callbacks)
    return model


def monitors():
    return [GradientMonitor(), UpdateMonitor(), BatchMonitor(), NoiseScaleMonitor(batch_size=4)]


@functools.cache
def reference():
    expected = monitors()
    return trained(SGD(0.05), expected), expected


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_that_hands_on_to_others_is_measured_as_those(name):
    """All of them come out as one plain SGD, whose record is the reference."""
    if BACKEND == "jax" and name == "without list":
        pytest.skip("Keras itself needs the list on JAX")
    plain, expected = reference()
    found = monitors()
    watched = trained(OPTIMIZERS[name](), [*found, NonFiniteGuard(), AutoClip(100)])
    assert_same_weights(weights_of(watched), weights_of(plain), rounding=True)
    assert "apply" not in vars(watched.optimizer)
    for each, known in zip(found, expected, strict=True):
        assert not any(finding.code.startswith("steps.") for _, finding in each.findings)
        for key in KEYS & known.record.keys():
            np.testing.assert_allclose(flat(each, key), flat(known, key), rtol=1e-4, atol=1e-6, err_msg=key)


def flat(monitor, key):
    value = monitor.record[key]
    return np.concatenate(list(value.values()) if isinstance(value, dict) else [value])


def test_only_keras_own_loss_scale_counts_as_one():
    wrapper = Wrapper(SGD())
    assert not has_loss_scale(wrapper)
    assert inner(wrapper) is wrapper
    assert inner(keras.optimizers.LossScaleOptimizer(wrapper)) is wrapper


class Noting(SGD):
    """Takes more than Keras gives, and tells something."""

    def apply(self, grads, trainable_variables=None, note=None, *, scale=1.0):
        super().apply([gradient * scale for gradient in grads], trainable_variables)
        self.note = note
        return {"largest": keras.ops.max(keras.ops.stack([keras.ops.max(gradient) for gradient in grads]))}


@pytest.mark.skipif(BACKEND == "jax", reason="on JAX Keras calls stateless_apply, which takes and returns no more")
@pytest.mark.parametrize("control", [False, True], ids=["tap", "guard"])
def test_what_apply_takes_and_returns_passes_through(control):
    model = dense_model()
    model.compile(Noting(0.1), "mse")
    before = weights_of(model)
    tap = OptimizerTap(model, _SkipNonFinite(model.optimizer) if control else None)
    gradients = [keras.ops.ones(v.shape) for v in model.trainable_variables]
    told = model.optimizer.apply(gradients, model.trainable_variables, "noted", scale=2.0)
    assert float(told["largest"]) == 1
    assert model.optimizer.note == "noted"
    for a, b in zip(weights_of(model), before, strict=True):
        np.testing.assert_allclose(a, b - 0.2, rtol=1e-6)
    rows = tap.read()
    tap.detach()
    np.testing.assert_allclose(rows.grad_norm, [2.0])  # of three weights and a bias
    np.testing.assert_allclose(rows.update_norm_sq.sum(), 4 * 0.2**2, rtol=1e-5)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="elsewhere nothing is traced, or nothing returned")
def test_what_apply_returns_comes_out_of_a_compiled_branch():
    import tensorflow as tf

    model = dense_model()
    model.compile(Noting(0.1), "mse")
    model.optimizer.build(model.trainable_variables)
    tap = OptimizerTap(model, _SkipNonFinite(model.optimizer))
    step = tf.function(lambda gradients: model.optimizer.apply(gradients, model.trainable_variables)["largest"])
    good = [tf.fill(v.shape, 3.0) for v in model.trainable_variables]
    assert float(step(good)) == 3
    assert float(step([gradient * np.nan for gradient in good])) == 0  # it was not called
    tap.detach()


def test_monitor_that_cannot_attach_says_why_and_stands_aside():
    """What only tells ends no training."""
    model, monitor = dense_model(), GradientMonitor()
    model.compile(SGD(0.1), "mse")
    monitor.set_model(model)
    monitor.set_params({"epochs": 1})
    optimizer, model.optimizer = model.optimizer, None
    monitor.on_train_begin()
    with pytest.warns(UserWarning, match="GradientMonitor: it does not watch this training. ValueError: `model` must"):
        monitor.on_epoch_begin(0)
    logs = {}
    monitor.on_epoch_end(0, logs)
    monitor.on_epoch_begin(1)
    monitor.on_train_end()
    assert logs == {}
    assert [(epoch, finding.code) for epoch, finding in monitor.findings] == [(0, "steps.unwatched")]
    model.optimizer = optimizer
    assert len(monitor.record["step"]) == 0


def test_probe_that_cannot_be_built_leaves_the_others_and_nothing_behind():
    class Broken(Probe):
        def build(self, add_variable, variables):
            raise RuntimeError("no memory")

    model = dense_model()
    model.compile(SGD(0.1), "mse")
    model.optimizer.build(model.trainable_variables)
    with pytest.raises(RuntimeError, match="no memory"):
        OptimizerTap(model, Broken())
    assert "apply" not in vars(model.optimizer)
    tap = OptimizerTap(model)
    with pytest.raises(RuntimeError, match="no memory") as kept:  # as notebooks do, with all that hangs on it
        OptimizerTap(model, Broken())
    fit(model, dense_data(4), batch_size=2)
    tap.detach()
    assert (str(kept.value), len(tap.read())) == ("no memory", 2)
    assert "apply" not in vars(model.optimizer)


def test_control_that_cannot_attach_ends_the_training():
    """Who asked for it relies on it."""
    model, guard = dense_model(), NonFiniteGuard()
    model.compile(SGD(0.1), "mse")
    guard.set_model(model)
    model.optimizer = None
    with pytest.raises(ValueError, match="compiled with an optimizer"):
        guard.on_train_begin()


@pytest.mark.skipif(BACKEND != "jax", reason="elsewhere variables are state of their own")
def test_optimizer_that_hides_its_variables_is_refused_in_words():
    class Hiding(SGD):
        @property
        def variables(self):
            return [v for v in super().variables if ("tap" not in v.name and v.shape != ()) or v.name == "iteration"]

    model = dense_model()
    model.compile(Hiding(0.1), "mse")
    with pytest.raises(ValueError, match=r"`Hiding.variables` must have what is in its `_variables`"):
        OptimizerTap(model)
    assert "apply" not in vars(model.optimizer)
