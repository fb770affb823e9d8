"""What monitors and controls at the optimizer share: steps over epochs and fits, errors, other optimizers, messages."""

import keras
import numpy as np
import pytest

from monitored_units import CONTROLS, MONITORS
from tap_models import assert_same_weights, conv_data, conv_model, dense_data, dense_model, fit, weights_of
from unetdyn.callbacks import AutoClip, GradientMonitor, Monitor, StepControl, StepMonitor, UpdateMonitor
from unetdyn.callbacks.monitor import Recorded
from unetdyn.dynamics import OptimizerTap


class Stop(keras.callbacks.Callback):
    """Breaks off training in the middle of an epoch."""

    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.batch:
            raise RuntimeError("stopped by another callback")


def compiled(optimizer="sgd"):
    model = dense_model()
    model.compile(optimizer, "mse")
    return model


def steps(monitor):
    return monitor.record["step"].tolist()


def test_steps_count_on_over_epochs_and_fits_that_carry_on():
    model, monitor = compiled(), GradientMonitor()
    fit(model, dense_data(), epochs=2, callbacks=[monitor])
    assert steps(monitor) == list(range(6))
    assert monitor.record["epoch"].tolist() == [0, 0, 0, 1, 1, 1]
    fit(model, dense_data(), epochs=3, initial_epoch=2, callbacks=[monitor])
    assert steps(monitor) == list(range(9))
    assert monitor.record["epoch"].tolist()[-3:] == [2, 2, 2]
    lengths = {len(values) for values in monitor.record.values() if getattr(values, "ndim", 0)}
    assert lengths == {9}


def test_another_training_starts_anew_with_the_optimizers_own_count():
    model, monitor = compiled(), GradientMonitor()
    first = model.get_weights()
    fit(model, dense_data(), callbacks=[monitor])
    fit(model, dense_data(), callbacks=[monitor])
    assert steps(monitor) == list(range(6))
    model.set_weights(first)
    with pytest.warns(UserWarning, match="begins anew.*the weights with which that training began"):
        fit(model, dense_data(), callbacks=[monitor])
    assert steps(monitor) == [6, 7, 8]


def test_a_new_optimizer_repeats_no_step():
    model, monitor = compiled(), GradientMonitor()
    fit(model, dense_data(), epochs=2, callbacks=[monitor])
    model.compile("sgd", "mse")
    fit(model, dense_data(), epochs=4, initial_epoch=2, callbacks=[monitor])
    assert steps(monitor) == list(range(12))


def test_frozen_blocks_have_nan():
    model, monitor = conv_model(), GradientMonitor()
    model.compile("sgd", "mse")
    fit(model, conv_data(8), callbacks=[monitor])
    model.layers[1].trainable = False
    model.compile("sgd", "mse")
    fit(model, conv_data(8), epochs=2, initial_epoch=1, callbacks=[monitor])
    norms = monitor.record["block_grad_norm"]
    frozen = norms[model.layers[1].name]
    assert np.isfinite(frozen[:2]).all()
    assert np.isnan(frozen[2:]).all()
    assert np.isfinite(norms[model.layers[-1].name]).all()


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="Keras refuses the optimizer of other variables on JAX")
def test_frozen_layers_of_an_optimizer_that_knows_them_are_not_ill():
    model, monitors = conv_model(), [GradientMonitor(vanish=1e-12), UpdateMonitor(low=1e-12, high=1e6, warmup=0)]
    conv, norm, dense = (layer for layer in model.layers if layer.trainable_variables)
    optimizer = keras.optimizers.SGD(0.01)
    optimizer.build(model.trainable_variables)
    conv.trainable = norm.gamma.trainable = False
    model.compile(optimizer, "mse")
    history = keras.callbacks.History()
    fit(model, conv_data(8), callbacks=[*monitors, history])
    assert [monitor.messages for monitor in monitors] == [(), ()]
    assert history.history["grad_vanishing_blocks"] == [0]
    assert np.isfinite(history.history["update_ratio_log10_min"]).all()
    assert list(monitors[0].record["block_grad_norm"]) == [norm.name, dense.name]
    assert list(monitors[1].record["update_ratio"]) == [dense.name]
    assert list(monitors[1].record["update_norm"]) == [norm.name, dense.name]


def test_a_variable_that_got_gradients_is_trained_whatever_it_says_now():
    model, monitor = compiled(), GradientMonitor()
    freeze = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: setattr(layer, "trainable", False))
    layer = model.layers[-1]
    fit(model, dense_data(), callbacks=[freeze, monitor])
    assert (monitor.record["block_grad_norm"][layer.name] > 0).all()


def test_monitors_share_the_optimizer_and_leave_it():
    model = compiled()
    variables = len(model.optimizer.variables)
    monitors = [GradientMonitor(), UpdateMonitor()]
    fit(model, dense_data(), callbacks=monitors)
    assert steps(monitors[0]) == steps(monitors[1]) == [0, 1, 2]
    assert len(model.optimizer.variables) == variables
    assert "apply" not in vars(model.optimizer)


def test_after_an_exception_the_unfinished_epoch_can_be_read_and_the_next_fit_goes_on():
    model, monitor = compiled(), GradientMonitor()
    with pytest.raises(RuntimeError, match="stopped by another callback"):
        fit(model, dense_data(), epochs=2, callbacks=[monitor, Stop(1)])
    assert steps(monitor) == []
    monitor.read()
    assert steps(monitor)[:2] == [0, 1]
    fit(model, dense_data(), epochs=2, initial_epoch=1, callbacks=[monitor])
    numbers = steps(monitor)
    assert numbers == sorted(set(numbers))
    assert np.isfinite(monitor.record["grad_norm"]).all()
    assert "apply" not in vars(model.optimizer)


@pytest.mark.parametrize("way", ["fit", "train_on_batch"])
def test_what_an_exception_leaves_behind_takes_no_part_in_the_next_training(way):
    plain, model = compiled(), compiled()
    attached_by_hand = OptimizerTap(model)
    monitor = GradientMonitor()
    with pytest.raises(RuntimeError, match="stopped by another callback"):
        fit(model, dense_data(), callbacks=[monitor, AutoClip(0), Stop(1)])
    model.set_weights(plain.get_weights())
    for each in (plain, model):
        if way == "fit":
            fit(each, dense_data(20))
        else:
            each.train_on_batch(*dense_data())
    assert_same_weights(weights_of(plain), weights_of(model))
    monitor.read()
    assert steps(monitor) == [0, 1]
    assert len(attached_by_hand.read()) == 2 + (5 if way == "fit" else 1)
    attached_by_hand.detach()
    assert "make_train_function" not in vars(model)


def test_another_tap_left_behind_does_no_harm():
    model, monitor = compiled(), GradientMonitor()
    tap = OptimizerTap(model, session={})
    fit(model, dense_data(), callbacks=[monitor])
    tap.detach()
    assert steps(monitor) == [0, 1, 2]


class OwnOptimizer(keras.Sequential):
    def train_step(self, *args):
        return {"loss": 0.0} if keras.backend.backend() != "jax" else ({"loss": 0.0}, args[0])


def test_monitor_says_once_that_it_saw_no_step():
    model = OwnOptimizer([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    monitor = GradientMonitor()
    with pytest.warns(
        UserWarning, match=r"GradientMonitor: no step was seen at `model.optimizer` in epoch 1"
    ) as caught:
        fit(model, dense_data(), epochs=2, callbacks=[monitor])
    assert [warning.category for warning in caught].count(UserWarning) == 1
    assert monitor.messages[0][0] == 0
    assert steps(monitor) == []


def test_record_is_there_before_training():
    assert GradientMonitor().record["grad_norm"].shape == (0,)
    assert GradientMonitor().record["block_grad_norm"] == {}
    assert UpdateMonitor().record["update_ratio"] == {}
    assert GradientMonitor().variables == []
    assert GradientMonitor().read() == {}


@pytest.mark.parametrize("monitor", [GradientMonitor, UpdateMonitor])
def test_monitor_overrides_no_batch_hook(monitor):
    for hook in ("on_batch_end", "on_train_batch_end", "on_train_batch_begin", "on_test_batch_end"):
        assert getattr(monitor, hook) is getattr(keras.callbacks.Callback, hook)


@pytest.mark.parametrize("base", [Monitor, StepMonitor, StepControl])
def test_base_cannot_be_used_by_itself(base):
    with pytest.raises(TypeError, match="abstract"):
        base("name")


def test_what_measures_is_a_monitor_and_what_acts_is_none(tmp_path):
    assert {name for name, make in MONITORS.items() if isinstance(make(tmp_path), Monitor)} == {
        "StabilityMonitor",
        "GradientMonitor",
        "NoiseScaleMonitor",
        "UpdateMonitor",
        "MathematicalMonitor",
        "PredictionRecorder",
        "BatchMonitor",
        "TrainInferenceGapMonitor",
        "ThresholdFlipMonitor",
    }
    controls = {name: make(tmp_path) for name, make in CONTROLS.items()}
    assert not [name for name, control in controls.items() if isinstance(control, Monitor)]
    assert all(isinstance(control, Recorded) for control in controls.values())
    assert {name for name, control in controls.items() if not isinstance(control, StepControl)} == {
        "ConvergenceStopping",
        "DivergenceRollback",
        "StabilityControl",
        "BatchSizeSchedule",
    }, "these act between epochs"


def test_count_from_numbers_the_steps_of_a_training_that_began_without():
    model, monitor = compiled(), GradientMonitor()
    monitor.count_from(7)
    fit(model, dense_data(), epochs=3, initial_epoch=1, callbacks=[monitor])
    assert steps(monitor) == list(range(7, 13))
    monitor.count_from(2)  # these are in the record already
    fit(model, dense_data(), epochs=4, initial_epoch=3, callbacks=[monitor])
    assert steps(monitor) == list(range(7, 16))


def test_count_from_refuses_what_is_no_number_of_steps():
    with pytest.raises(ValueError, match=r"`step` must be .* steps.* Received: step=-1"):
        GradientMonitor().count_from(-1)
