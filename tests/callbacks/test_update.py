"""UpdateMonitor against the weights before and after each step."""

import math

import keras
import numpy as np
import pytest

import unetdyn.runs
from findings import numbers, told
from tap_models import conv_data, conv_model, dense_data, fit, weights_of_trainable
from unetdyn.callbacks import RunRecorder, UpdateMonitor
from unetdyn.dynamics import blocks

pytestmark = pytest.mark.usefixtures("untraced")


def joined(arrays):
    return np.concatenate([array.ravel().astype("float64") for array in arrays])


def ratios_by_hand(model, data, columns, batch=4):
    """‖Δw‖/‖w‖ of some variables together, step by step with `train_on_batch`."""
    found = []
    for start in range(0, len(data[0]), batch):
        before = joined([weights_of_trainable(model)[i] for i in columns])
        model.train_on_batch(*(part[start : start + batch] for part in data))
        after = joined([weights_of_trainable(model)[i] for i in columns])
        found.append(np.linalg.norm(after - before) / np.linalg.norm(before))
    return np.array(found)


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01),
    "decay and momentum": lambda: keras.optimizers.SGD(0.05, momentum=0.9, weight_decay=0.1),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_ratios_equal_those_of_the_saved_weights(optimizer):
    data, model, monitor = conv_data(), conv_model(), UpdateMonitor()
    model.compile(OPTIMIZERS[optimizer](), "mse")
    fit(model, data, callbacks=[monitor])
    record, names = monitor.record, list(blocks(model))
    columns = {name: blocks(model)[name] for name in names}
    assert list(record["update_ratio"]) == [names[0], names[2]]  # the middle one is a norm and has no kernel
    assert list(record["update_ratio_other"]) == names
    assert list(record["update_norm"]) == names
    for name in record["update_ratio"]:
        twin = conv_model()
        twin.compile(OPTIMIZERS[optimizer](), "mse")
        np.testing.assert_allclose(
            record["update_ratio"][name], ratios_by_hand(twin, data, columns[name][:1]), rtol=1e-4
        )
    twin = conv_model()
    twin.compile(OPTIMIZERS[optimizer](), "mse")
    expected = ratios_by_hand(twin, data, columns[names[1]])
    np.testing.assert_allclose(record["update_ratio_other"][names[1]], expected, rtol=1e-4)


def test_biases_have_no_ratio_while_they_are_zero():
    model, monitor = conv_model(), UpdateMonitor()
    model.compile("sgd", "mse")
    fit(model, conv_data(12), callbacks=[monitor])
    bias = monitor.record["update_ratio_other"][model.layers[-1].name]
    assert np.isnan(bias[0])
    assert (bias[1:] > 0).all()


def test_the_learning_rate_of_a_schedule_is_that_of_each_step():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.5)
    model, monitor = conv_model(), UpdateMonitor()
    model.compile(keras.optimizers.SGD(schedule), "mse")
    fit(model, conv_data(16), callbacks=[monitor])
    np.testing.assert_allclose(monitor.record["learning_rate"], [0.1, 0.05, 0.025, 0.0125], rtol=1e-6)


def test_steps_that_only_accumulate_have_no_ratio():
    model, monitor = conv_model(), UpdateMonitor()
    model.compile(keras.optimizers.SGD(0.1, gradient_accumulation_steps=2), "mse")
    logs = keras.callbacks.History()
    fit(model, conv_data(16), callbacks=[monitor, logs])
    record = monitor.record
    assert record["applied"].tolist() == [False, True, False, True]
    for key in ("update_ratio", "update_norm", "effective_rate", "effective_learning_rate"):
        for values in record[key].values():
            assert np.isnan(values).tolist() == [True, False, True, False]
    assert math.isfinite(logs.history["update_ratio_log10"][0])


def test_logs_are_log10_of_the_medians_of_blocks():
    model, monitor = conv_model(), UpdateMonitor()
    model.compile("sgd", "mse")
    history = keras.callbacks.History()
    fit(model, conv_data(), callbacks=[monitor, history])
    medians = [math.log10(np.median(values)) for values in monitor.record["update_ratio"].values()]
    assert history.history["update_ratio_log10"][0] == pytest.approx(np.mean(medians), rel=1e-5)
    assert history.history["update_ratio_log10_min"][0] == pytest.approx(min(medians), rel=1e-5)
    assert history.history["update_ratio_log10_max"][0] == pytest.approx(max(medians), rel=1e-5)


def test_angle_is_the_one_the_kernel_turned_by():
    model, monitor = conv_model_with_linear_convolution(), UpdateMonitor()
    data = conv_data()
    model.compile(keras.optimizers.SGD(0.2), "mse")
    twin = conv_model_with_linear_convolution()
    twin.compile(keras.optimizers.SGD(0.2), "mse")
    fit(model, data, callbacks=[monitor])
    angles, rates = [], []
    for start in range(0, 24, 4):
        before = joined(weights_of_trainable(twin)[:1])
        twin.train_on_batch(data[0][start : start + 4], data[1][start : start + 4])
        after = joined(weights_of_trainable(twin)[:1])
        angles.append(np.arccos(before @ after / np.linalg.norm(before) / np.linalg.norm(after)))
        rates.append(0.2 / (before @ before))
    assert list(monitor.record["effective_rate"]) == ["conv"]
    np.testing.assert_allclose(monitor.record["effective_rate"]["conv"], angles, rtol=0.01)
    np.testing.assert_allclose(monitor.record["effective_learning_rate"]["conv"], rates, rtol=1e-4)


def conv_model_with_linear_convolution():
    keras.utils.set_random_seed(7)
    inputs = keras.Input((4, 4, 2))
    x = keras.layers.Conv2D(3, 3, name="conv")(inputs)
    x = keras.layers.BatchNormalization(epsilon=1e-7)(x)
    x = keras.layers.Activation("relu")(x)
    return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(x)))


def one_weight(rate, steps, optimizer=(), **kwargs):
    """A weight that begins at 1 under a constant gradient of −1: each update is `rate`."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", name="only")]
    )
    model.compile(keras.optimizers.SGD(rate, **dict(optimizer)), lambda y, p: -keras.ops.mean(p))
    monitor, x = UpdateMonitor(**kwargs), np.ones((steps, 1), "float32")
    model.fit(x, x, batch_size=1, verbose=0, callbacks=[monitor])
    return monitor


def test_a_ratio_above_the_band_is_told_with_block_and_threshold():
    monitor = one_weight(0.005, 6, warmup=2)
    expected = 0.005 / (1 + 0.005 * np.arange(6))
    np.testing.assert_allclose(monitor.record["update_ratio"]["only"], expected, rtol=1e-4)
    assert told(monitor) == [(0, "update.large", "watch")]
    assert numbers(monitor.findings[0][1]) == [4, 2, 0.003, 0.0049]  # steps, warm-up, threshold, median
    assert one_weight(0.005, 6, warmup=2, high=0.01).messages == ()


def test_a_ratio_below_the_band_is_told():
    monitor = one_weight(1e-5, 4, warmup=0)
    assert told(monitor) == [(0, "update.small", "watch")]
    assert numbers(monitor.findings[0][1])[:3] == [4, 0, 0.0001]
    assert one_weight(1e-5, 4, warmup=0, low=0.0).messages == ()


def test_only_ten_times_the_band_is_told_of_warm_up():
    assert one_weight(0.02, 4).messages == ()
    assert one_weight(1e-6, 4).messages == ()
    monitor = one_weight(0.05, 4)
    assert told(monitor) == [(0, "update.large", "watch")]
    assert numbers(monitor.findings[0][1])[:2] == [4, 0.03]


def test_an_epoch_that_is_mostly_warm_up_is_judged_as_such():
    assert one_weight(0.005, 6, warmup=4).messages == ()
    assert one_weight(1e-6, 6, warmup=4).messages == ()
    assert len(one_weight(0.005, 6, warmup=3).messages) == 1


def test_warm_up_counts_updates_and_not_the_micro_batches_of_them():
    optimizer = {"gradient_accumulation_steps": 2}
    assert one_weight(0.005, 6, optimizer, warmup=2).messages == ()  # one of three updates is past it
    assert numbers(one_weight(0.005, 6, optimizer, warmup=1).findings[0][1])[:2] == [2, 1]  # steps, warm-up


def test_warm_up_begins_again_with_a_new_optimizer():
    monitor = one_weight(0.001, 6, warmup=4)
    assert monitor.messages == ()
    model, x = monitor.model, np.ones((4, 1), "float32")
    for epoch, messages in enumerate([0, 1], start=1):
        if epoch == 1:
            model.compile(keras.optimizers.SGD(0.005), lambda y, p: -keras.ops.mean(p))
        model.fit(x, x, batch_size=1, epochs=epoch + 1, initial_epoch=epoch, verbose=0, callbacks=[monitor])
        assert len(monitor.messages) == messages


def test_a_block_that_comes_and_goes_while_others_are_outside_is_told_once():
    monitor = UpdateMonitor()
    new = [monitor.is_new("above", set(outside)) for outside in ("ab", "a", "ab", "abc", "", "a")]
    assert new == [True, False, False, True, False, True]


def test_a_learning_rate_of_zero_is_minus_infinity_in_the_logs_and_told():
    history = keras.callbacks.History()
    model, monitor = conv_model(), UpdateMonitor(warmup=0)
    model.compile(keras.optimizers.SGD(0.0), "mse")
    fit(model, conv_data(8), callbacks=[monitor, history])
    assert history.history["update_ratio_log10"] == [-math.inf]
    assert told(monitor) == [(0, "update.small", "watch")]
    assert "(0)" in monitor.findings[0][1].seen


def test_weights_that_are_not_finite_have_no_ratio():
    model, monitor = conv_model(), UpdateMonitor()
    x, y = conv_data(12)
    x[5] = np.nan
    model.compile("sgd", "mse")
    fit(model, (x, y), callbacks=[monitor])
    for values in monitor.record["update_ratio"].values():
        assert np.isnan(values).tolist() == [False, True, True]


def test_a_model_without_kernels_has_no_ratio_and_no_trouble():
    model, monitor = keras.Sequential([keras.Input((3,)), keras.layers.BatchNormalization()]), UpdateMonitor()
    model.compile("sgd", "mse")
    history = keras.callbacks.History()
    x = dense_data()[0]
    fit(model, (x, x), callbacks=[monitor, history])
    assert "update_ratio_log10" not in history.history
    assert monitor.record["update_ratio"] == {}


def test_record_is_in_the_run_directory_under_the_same_names(tmp_path):
    model, monitor = conv_model(), UpdateMonitor()
    model.compile("sgd", "mse")
    recorder = RunRecorder(tmp_path / "run", save_best=None, monitors=[monitor])
    fit(model, conv_data(), epochs=2, callbacks=[monitor, recorder])
    read = unetdyn.runs.open(tmp_path / "run").arrays("update")
    assert read.keys() == monitor.record.keys()
    for name, values in monitor.record["update_ratio"].items():
        np.testing.assert_array_equal(read["update_ratio"][name], values)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"low": 0.1}, r"`low` and `high` must be numbers with 0 ≤ low < high\. Received: low=0\.1, high=0\.003"),
        ({"low": -1}, r"Received: low=-1"),
        ({"warmup": -1}, r"`warmup` must be a whole number of steps, 0 or more\. Received: warmup=-1"),
    ],
)
def test_monitor_refuses_a_band_that_means_nothing(kwargs, text):
    with pytest.raises(ValueError, match=text):
        UpdateMonitor(**kwargs)
