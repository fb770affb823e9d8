"""A train function is traced once for each set of what is measured, and Keras' own is kept as it was."""

import keras
import numpy as np
import pytest

from tap_models import assert_same_weights, dense_data, dense_model, fit, weights_of
from unetdyn.callbacks import AutoClip, BatchMonitor, GradientMonitor, NoiseScaleMonitor, NonFiniteGuard
from unetdyn.dynamics import OptimizerTap, Probe
from unetdyn.dynamics.programs import KEPT
from unetdyn.dynamics.train_functions import TrainFunctions

BACKEND = keras.backend.backend()
pytestmark = pytest.mark.filterwarnings("ignore:.*this is a new one for each `fit`:UserWarning")  # it is meant here
traced = pytest.mark.skipif(BACKEND == "torch", reason="PyTorch traces nothing")


class Counting(keras.layers.Layer):
    """Counts how often it is traced in training; on TensorFlow it draws from a stateful generator."""

    def __init__(self):
        super().__init__()
        self.traces = 0

    def call(self, x, training=None):
        if not training:
            return x
        self.traces += 1
        if BACKEND == "tensorflow":
            import tensorflow as tf

            x = x + tf.random.normal(tf.shape(x), stddev=0.1)
        return x


def model_and_layer():
    keras.utils.set_random_seed(7)
    layer = Counting()
    model = keras.Sequential([keras.Input((3,)), layer, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    layer.traces = 0
    return model, layer


def units():
    return [
        GradientMonitor(),
        NoiseScaleMonitor(batch_size=4),
        BatchMonitor(),
        NonFiniteGuard(verbose=0),
        AutoClip(100),
    ]


@traced
def test_equal_sets_of_monitors_are_traced_once():
    """In a loop of fits, each with callbacks of its own, and with some that have none in between."""
    model, layer = model_and_layer()
    counts = []
    for callbacks in ([], units(), units(), [], units(), [], [GradientMonitor()], units()):
        before = layer.traces
        fit(model, dense_data(), callbacks=callbacks, validation_data=dense_data(4))
        counts.append(layer.traces - before)
    assert counts[0] > 0
    assert counts[1:] == [1, 0, 0, 0, 0, 1, 0]


def test_loop_of_fits_comes_out_as_without_monitors():
    """TensorFlow's generators too, which a new trace would start anew."""
    (watched, _), (plain, _) = model_and_layer(), model_and_layer()
    for _ in range(3):
        fit(watched, dense_data(), callbacks=units())
        fit(plain, dense_data())
    assert_same_weights(weights_of(watched), weights_of(plain))


def test_keras_own_train_function_is_put_back():
    model, _ = model_and_layer()
    model.make_train_function()
    own = model.train_function
    for _ in range(2):
        fit(model, dense_data(), callbacks=units(), validation_data=dense_data(4))
        assert model.train_function is own


class Total(Probe):
    """How many steps there were since it was built."""

    def key(self):
        return (Total,)

    def build(self, add_variable, variables):
        self.steps = add_variable(dtype="int", initial=5)

    def columns(self):
        return {"steps": 1}

    def measure(self, step):
        self.steps.assign_add(1)
        return {"steps": self.steps.value}


class Fresh(Total):
    def key(self):
        return self


@pytest.mark.parametrize("kind", [Total, Fresh])
def test_probe_begins_anew_at_each_attachment(kind):
    model, _ = model_and_layer()
    for number in range(3):
        others = [OptimizerTap(model) for _ in range(number % 2)]
        tap = OptimizerTap(model, kind())
        fit(model, dense_data())
        rows = tap.read()
        tap.detach()
        for other in others:
            assert other.read().step.tolist() == rows.step.tolist()
            other.detach()
        assert rows.extra["steps"][:, 0].tolist() == [6, 7, 8]
        assert rows.step.tolist() == [3 * number, 3 * number + 1, 3 * number + 2]
    assert len(TrainFunctions.of(model).programs) <= KEPT


def test_two_equal_probes_have_each_its_own_variables():
    model, _ = model_and_layer()
    for _ in range(2):
        early = OptimizerTap(model, Total())
        fit(model, dense_data(4))
        late = OptimizerTap(model, Total())
        fit(model, dense_data(4))
        assert early.read().extra["steps"][:, 0].tolist() == [6, 7]
        assert late.read().extra["steps"][:, 0].tolist() == [6]
        early.detach()
        late.detach()


def test_model_compiled_anew_is_measured_anew():
    """Nothing that was traced with the old loss is used again, also under the same optimizer."""
    model = dense_model()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    norms = []
    for loss_weights in ([1.0], [2.0]):
        model.compile(model.optimizer, "mse", loss_weights=loss_weights)
        model.set_weights([np.zeros((3, 1)), np.zeros(1)])
        monitor = GradientMonitor()
        fit(model, (np.zeros((4, 3)), np.ones((4, 1))), callbacks=[monitor])
        norms.append(float(monitor.record["grad_norm"][0]))
    np.testing.assert_allclose(norms, [2.0, 4.0], rtol=1e-6)  # |d (0 + b − 1)² / db| = 2


def test_clipping_goes_on_with_its_history_in_what_was_traced_before():
    model, _ = model_and_layer()
    clip = AutoClip(percentile=50)
    for epoch in range(2):
        fit(model, dense_data(), callbacks=[clip], initial_epoch=epoch, epochs=epoch + 1)
    norms, limits = clip.record["grad_norm"], clip.record["clip_norm"]
    expected = [np.percentile(norms[: count + 1], 50) for count in range(len(norms))]
    np.testing.assert_allclose(limits, expected, rtol=1e-5)
