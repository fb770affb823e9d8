"""Models with a `train_step` of the user's own, on each backend as Keras' guides write it."""

import shutil

import keras
import numpy as np
import pytest

from tap_models import (
    assert_same_weights,
    conv_data,
    conv_model,
    dense_data,
    dense_model,
    fit,
    gradients,
    optimizer_state,
    squares,
    weights_of,
)
from unetdyn.callbacks import AutoClip, GradientMonitor, NoiseScaleMonitor, NonFiniteGuard, UpdateMonitor
from unetdyn.dynamics import Control, OptimizerTap, blocks

BACKEND = keras.backend.backend()
ops = keras.ops


def loss_of(prediction, y):
    return ops.mean(ops.square(prediction - ops.reshape(ops.cast(y, "float32"), ops.shape(prediction))))


class OwnStep(keras.Model):
    """Computes its gradients by hand and hands them to `self.optimizer`, by the method that is asked for."""

    hand_over = "apply"

    def train_step(self, *args):
        return getattr(self, f"_{BACKEND}_step")(*args)

    def _tensorflow_step(self, data):
        import tensorflow as tf

        x, y = data
        with tf.GradientTape() as tape:
            loss = loss_of(self(x, training=True), y)
        found = tape.gradient(loss, self.trainable_variables)
        if self.hand_over == "apply":
            self.optimizer.apply(found, self.trainable_variables)
        else:
            self.optimizer.apply_gradients(zip(found, self.trainable_variables, strict=True))
        return {"loss": loss}

    def _torch_step(self, data):
        import torch

        x, y = data
        self.zero_grad()
        loss = loss_of(self(x, training=True), y)
        loss.backward()
        variables = list(self.trainable_weights)
        found = [v.value.grad for v in variables]
        with torch.no_grad():
            if self.hand_over == "apply":
                self.optimizer.apply(found, variables)
            else:
                self.optimizer.apply_gradients(zip(found, variables, strict=True))
        return {"loss": loss.detach()}

    def _jax_step(self, state, data):
        import jax

        trainable, others, slots, metrics = state
        x, y = data

        def loss_and_state(trainable):
            prediction, others_now = self.stateless_call(trainable, others, x, training=True)
            return loss_of(prediction, y), others_now

        (loss, others), found = jax.value_and_grad(loss_and_state, has_aux=True)(trainable)
        trainable, slots = self.optimizer.stateless_apply(slots, found, trainable)
        return {"loss": loss}, (trainable, others, slots, metrics)


def own_step(hand_over, eager, **options):
    built = conv_model()
    model = OwnStep(built.input, built.output)
    model.hand_over = hand_over
    model.compile(keras.optimizers.SGD(0.02, momentum=0.9, **options), "mse", run_eagerly=eager)
    return model


@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
@pytest.mark.parametrize("hand_over", ["apply", "apply_gradients"])
def test_own_train_step_is_measured_and_left_as_it_is(hand_over, eager):
    if BACKEND == "jax" and hand_over == "apply_gradients":
        pytest.skip("on JAX there is only stateless_apply")
    plain, watched = own_step(hand_over, eager), own_step(hand_over, eager)
    monitors = [GradientMonitor(), UpdateMonitor(), NoiseScaleMonitor(batch_size=4), NonFiniteGuard(verbose=0)]
    first = [squares(g) for g in gradients(own_step(hand_over, eager), *(part[:4] for part in conv_data()))]
    fit(plain, conv_data(), epochs=2)
    fit(watched, conv_data(), epochs=2, callbacks=monitors)
    assert_same_weights(weights_of(plain), weights_of(watched))
    assert_same_weights(optimizer_state(plain), optimizer_state(watched))
    record = monitors[0].record
    assert record["step"].tolist() == list(range(12))
    np.testing.assert_allclose(record["grad_norm"][0], np.sqrt(sum(first)), rtol=1e-5)
    assert all(np.isfinite(values).all() for values in monitors[1].record["update_ratio"].values())


def test_control_acts_on_an_own_train_step():
    model, control = own_step("apply", eager=False), AutoClip(0)
    monitor = GradientMonitor()
    fit(model, conv_data(), callbacks=[control, monitor])
    norms = monitor.record["grad_norm"]
    np.testing.assert_allclose(monitor.record["applied_grad_norm"], np.minimum.accumulate(norms), rtol=1e-4)


class ThreeTimes(OwnStep):
    """Applies the optimizer three times in each step."""

    def train_step(self, *args):
        if BACKEND == "jax":
            state, data = args
            for _ in range(3):
                logs, state = super().train_step(state, data)
            return logs, state
        for _ in range(3):
            logs = super().train_step(*args)
        return logs


def test_a_step_that_applies_several_times_loses_no_row():
    built = conv_model()
    model = ThreeTimes(built.input, built.output)
    model.compile(keras.optimizers.SGD(0.02), "mse")
    tap = OptimizerTap(model, capacity=8)
    fit(model, conv_data(80))
    assert tap.read().step.tolist() == list(range(60))
    tap.detach()


class TwoOptimizers(keras.Model):
    """A generator under `self.optimizer` and a critic under an optimizer of its own, both in each step."""

    def __init__(self):
        super().__init__()
        keras.utils.set_random_seed(7)
        self.generator = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3, name="make")], name="generator")
        self.critic = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, name="judge")], name="critic")
        self.critic_optimizer = keras.optimizers.SGD(0.05)
        self.built = True

    def call(self, x):
        return self.critic(self.generator(x))

    def train_step(self, data):
        step = {"tensorflow": self._tensorflow_step, "torch": self._torch_step}[BACKEND]
        step(self.critic_optimizer, self.critic.trainable_variables, -0.1, *data)
        return {"loss": step(self.optimizer, self.generator.trainable_variables, 1.0, *data)}

    def _tensorflow_step(self, optimizer, variables, sign, x, y):
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = sign * loss_of(self(x), y)
        optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    def _torch_step(self, optimizer, variables, sign, x, y):
        import torch

        self.zero_grad()
        loss = sign * loss_of(self(x), y)
        loss.backward()
        with torch.no_grad():
            optimizer.apply([v.value.grad for v in variables], variables)
        return loss.detach()


@pytest.mark.skipif(BACKEND == "jax", reason="Keras carries only the variables of model.optimizer through a JAX step")
@pytest.mark.parametrize("eager", [False, True], ids=["compiled", "eager"])
def test_of_two_optimizers_the_models_own_is_measured(eager):
    models = [TwoOptimizers(), TwoOptimizers()]
    monitors = [GradientMonitor(), UpdateMonitor()]
    for model, callbacks in zip(models, ([], monitors), strict=True):
        model.compile(keras.optimizers.Adam(0.01), run_eagerly=eager)
        fit(model, dense_data(), epochs=2, callbacks=callbacks)
    plain, watched = models
    assert_same_weights(weights_of(plain), weights_of(watched))
    assert_same_weights(optimizer_state(plain), optimizer_state(watched))
    assert monitors[0].record["step"].tolist() == list(range(6))
    norms, ratios = monitors[0].record["block_grad_norm"], monitors[1].record["update_ratio"]
    np.testing.assert_allclose(norms["generator"], monitors[0].record["grad_norm"], rtol=1e-6)
    assert (ratios["generator"] > 0).all()
    # On PyTorch Keras gives the model's optimizer all variables beforehand; it never gets a gradient of the critic's.
    assert norms.keys() == ratios.keys() == ({"generator", "critic"} if BACKEND == "torch" else {"generator"})
    assert not norms.get("critic", np.zeros(1)).any()


class Halve(Control):
    """A control with a veto that never comes, so that both of its ways to act are compiled."""

    def transform(self, step):
        return [g * 0.5 for g in step.gradients], ops.sum(step.nonfinite) > 0, {}


@pytest.mark.skipif(BACKEND != "torch", reason="test_tap.py has jit_compile on TensorFlow and JAX")
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # by torch, of itself
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_torch_compile_hides_no_step():
    models, rows = [dense_model(), dense_model()], []
    for model, compiled in zip(models, (False, True), strict=True):
        model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse", jit_compile=compiled)
        tap = OptimizerTap(model, Halve(), capacity=2)
        fit(model, dense_data())
        rows.append(tap.read())
        tap.detach()
    assert_same_weights(*map(weights_of, models), rounding=True)
    assert rows[1].step.tolist() == [0, 1, 2]
    for name in ("grad_norm_sq", "update_norm_sq", "applied_grad_norm"):
        np.testing.assert_allclose(getattr(rows[1], name), getattr(rows[0], name), rtol=1e-4, err_msg=name)


def test_nested_models_are_measured_by_their_blocks():
    """The inner model's layers are blocks where it is the only one, as when a U-Net is wrapped."""
    inner = conv_model()
    inputs = keras.Input((4, 4, 2))
    model = keras.Model(inputs, inner(inputs))
    model.compile("sgd", "mse")
    twin, monitors = conv_model(), [GradientMonitor(), GradientMonitor()]
    twin.compile("sgd", "mse")
    fit(model, conv_data(), callbacks=[monitors[0]])
    fit(twin, conv_data(), callbacks=[monitors[1]])
    nested, flat = (monitor.record["block_grad_norm"] for monitor in monitors)
    assert list(nested) == list(flat) == list(blocks(twin))
    for name in flat:
        np.testing.assert_allclose(nested[name], flat[name], rtol=1e-5)


def test_layers_frozen_and_freed_between_fits_under_a_moving_average():
    """With a compile in between, as Keras asks; the weights are those of the same training unwatched."""
    models, monitor = [conv_model(), conv_model()], UpdateMonitor()
    for model, callbacks in zip(models, ([], [monitor]), strict=True):
        for fit_number, trainable in enumerate((True, False, True)):
            model.get_layer("conv").trainable = trainable
            model.compile(keras.optimizers.Adam(0.01, use_ema=True, ema_overwrite_frequency=2), "mse")
            epochs = {"initial_epoch": fit_number, "epochs": fit_number + 1}
            fit(model, conv_data(8), callbacks=callbacks, **epochs)
    assert_same_weights(*map(weights_of, models))
    assert_same_weights(*map(optimizer_state, models))
    assert monitor.record["step"].tolist() == list(range(6))
    frozen = np.isnan(monitor.record["update_ratio"]["conv"])
    assert frozen.tolist() == [False, False, True, True, False, False]
    assert np.isfinite(monitor.record["update_ratio"]["dense"]).all()


def test_updates_count_what_a_constraint_does():
    """The rule moves the kernel by nothing, and the constraint halves it."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_constraint=lambda w: w / 2, name="only")])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    monitor = UpdateMonitor()
    fit(model, dense_data(), callbacks=[monitor])
    np.testing.assert_allclose(monitor.record["update_ratio"]["only"], [0.5] * 3, rtol=1e-6)


def test_updates_count_weight_decay():
    """Δw = −η λ w where the loss pulls at nothing."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False, name="only")])
    model.compile(keras.optimizers.SGD(0.1, weight_decay=0.05), loss=lambda y, prediction: 0.0 * prediction)
    monitor = UpdateMonitor()
    fit(model, dense_data(), callbacks=[monitor])
    np.testing.assert_allclose(monitor.record["update_ratio"]["only"], [0.005] * 3, rtol=1e-4)
