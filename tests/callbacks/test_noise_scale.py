"""NoiseScaleMonitor in real fits of a regression whose gradient covariance is known, from each of its sources."""

import json
import math
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import keras
import numpy as np
import pytest

import unetdyn.runs
from findings import numbers, told
from unetdyn.analysis.diagnosis.messages.noise_scale import CONTROLLED
from unetdyn.callbacks import AutoClip, NoiseScaleMonitor, RunRecorder
from unetdyn.callbacks.step_record import StepRecord

SAMPLES, BATCH = 1600, 8
RATE = 1e-7  # the weights stay where they are, to within the last digits
TRUTH = np.array([1.0, -0.5, 0.25])
# At zero weights a sample's gradient of (w·x − y)² is −2yx. For x = ±1 and y = x·TRUTH + ε with ε ~ N(0, 1):
GRADIENT_SQ = 4 * np.square(TRUTH).sum()
TRACE = 4 * len(TRUTH) * (np.square(TRUTH).sum() + 1) - GRADIENT_SQ


def regression_data(truth):
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], size=(SAMPLES, len(truth)))
    return x.astype("float32"), (x @ truth + rng.normal(size=SAMPLES)).astype("float32")[:, None]


@pytest.fixture(scope="module")
def data():
    return regression_data(TRUTH)


def regression(optimizer=None, **options):
    model = keras.Sequential(
        [keras.Input((len(TRUTH),)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
    )
    model.compile(optimizer or keras.optimizers.SGD(RATE), "mse", **options)
    return model


def fit(monitor, data, model=None, epochs=1, callbacks=(), **options):
    """Not shuffled: the samples are independent draws as they stand, and all backends see the same batches."""
    options = {"batch_size": BATCH, "shuffle": False} | options
    model = model or regression()
    return model.fit(*data, epochs=epochs, verbose=0, callbacks=[monitor, *callbacks], **options).history


WAYS = {
    "consecutive": ({}, {}, "pairs of consecutive steps", 199),
    "accumulation": ({"gradient_accumulation_steps": 4}, {}, "accumulation cycles", 50),
    "clipped": ({"global_clipnorm": 0.01}, {}, "pairs of consecutive steps", 199),
    "eager": ({}, {"run_eagerly": True}, "pairs of consecutive steps", 199),
    "several steps an execution": ({}, {"steps_per_execution": 4}, "pairs of consecutive steps", 199),
}


@pytest.mark.parametrize("way", WAYS)
def test_monitor_finds_the_closed_form(way, data):
    optimizer_options, compile_options, unit, observations = WAYS[way]
    if "steps_per_execution" in compile_options and keras.config.backend() == "torch":
        pytest.skip("Keras refuses steps_per_execution > 1 on PyTorch")
    monitor = NoiseScaleMonitor()
    fit(monitor, data, regression(keras.optimizers.SGD(RATE, **optimizer_options), **compile_options))
    found = monitor.result
    assert found.determined
    assert found.low <= TRACE / GRADIENT_SQ <= found.high < 2 * found.low
    assert found.trace_covariance == pytest.approx(TRACE, rel=0.1)
    assert found.gradient_sq == pytest.approx(GRADIENT_SQ, rel=0.1)
    assert found.observations == observations
    assert told(monitor)[0] == (0, "noise_scale.estimate", "unknown")
    assert f"{observations} {unit}" in monitor.findings[0][1].seen
    assert monitor.record["batch_size"].tolist() == [BATCH * optimizer_options.get("gradient_accumulation_steps", 1)]


@pytest.mark.parametrize("before", [True, False], ids=["control first", "monitor first"])
def test_monitor_is_undetermined_where_a_control_changes_what_is_accumulated(before, data):
    """AutoClip clips the micro-batches, and their mean is that of other gradients than those that were measured."""
    monitor, control = NoiseScaleMonitor(), AutoClip(10)
    model = regression(keras.optimizers.SGD(RATE, gradient_accumulation_steps=4))
    callbacks = [control, monitor] if before else [monitor, control]
    history = model.fit(*data, batch_size=BATCH, shuffle=False, epochs=2, verbose=0, callbacks=callbacks).history
    found = monitor.result
    assert not found.determined
    assert math.isnan(found.low)
    assert not {"noise_scale", "noise_scale_low", "noise_scale_high"} & history.keys()
    assert told(monitor) == [(0, "noise_scale.estimate", "unknown")]
    assert numbers(monitor.findings[0][1]) == [monitor.record["observations"][0]]
    assert found.reason == CONTROLLED


def test_monitor_minds_no_control_that_had_nothing_to_do(data):
    monitor = NoiseScaleMonitor()
    model = regression(keras.optimizers.SGD(RATE, gradient_accumulation_steps=4))
    fit(monitor, data, model, callbacks=[AutoClip(100)])
    assert monitor.result.observations == 50
    assert monitor.result.low <= TRACE / GRADIENT_SQ <= monitor.result.high


def test_monitor_is_determined_again_once_the_control_is_out_of_the_window(data):
    monitor, model = NoiseScaleMonitor(window=40), regression(keras.optimizers.SGD(RATE, gradient_accumulation_steps=4))
    fit(monitor, data, model, callbacks=[AutoClip(10)])
    assert not monitor.result.determined
    fit(monitor, data, model, epochs=2, initial_epoch=1)
    assert monitor.result.determined


def test_monitor_corrects_for_the_size_of_the_training_set(data):
    corrected, plain = NoiseScaleMonitor(dataset_size=SAMPLES), NoiseScaleMonitor()
    fit(corrected, data)
    fit(plain, data)
    trace = corrected.result.trace_covariance
    assert corrected.result.gradient_sq == pytest.approx(plain.result.gradient_sq + trace / SAMPLES)
    assert corrected.result.value < plain.result.value


def test_monitor_records_estimates_and_observations(data):
    monitor = NoiseScaleMonitor(window=60)
    history = fit(monitor, data, epochs=2)
    record = monitor.record
    assert record["step"].tolist() == [60, 120, 180, 199, 260, 320, 380, 399]
    assert record["raw_step"].tolist() == [*range(1, 200), *range(201, 400)]
    ends = np.searchsorted(record["raw_step"], record["step"], side="right")
    for place, end in enumerate(ends):
        window = slice(max(0, end - 60), end)
        trace, gradient_sq = record["raw_trace_covariance"][window], record["raw_gradient_sq"][window]
        assert record["observations"][place] == len(trace)
        assert record["trace_covariance"][place] == pytest.approx(trace.mean())
        assert record["gradient_sq"][place] == pytest.approx(gradient_sq.mean())
    assert record["batch_size"].tolist() == [BATCH] * len(ends)
    assert history["trace_covariance"][-1] == record["trace_covariance"][-1]


def test_monitor_logs_the_interval_once_it_is_determined(data):
    monitor = NoiseScaleMonitor()
    history = fit(monitor, data, epochs=2)
    record = monitor.record
    assert np.isfinite(record["noise_scale"]).all()
    for key in ("noise_scale", "noise_scale_low", "noise_scale_high"):
        assert history[key] == record[key].tolist()
    assert record["noise_scale"] == pytest.approx(record["trace_covariance"] / record["gradient_sq"])
    (epoch, found), *_ = monitor.findings
    first = [record[key][0] for key in ("noise_scale", "noise_scale_low", "noise_scale_high", "observations")]
    assert epoch == 0
    assert numbers(found)[:6] == pytest.approx([first[0], 95, *first[1:], BATCH], rel=5e-3)
    assert "samples, above" in found.seen


@pytest.mark.parametrize("undefined", ["absent", "nan"])
def test_monitor_is_undetermined_without_a_mean_gradient(undefined):
    """Targets that the inputs say nothing of."""
    monitor = NoiseScaleMonitor(undefined=undefined, window=150)
    history = fit(monitor, regression_data(0 * TRUTH))
    record = monitor.record
    assert not monitor.result.determined
    assert np.isnan(record["noise_scale"]).all()
    assert np.isinf(record["noise_scale_high"]).all()
    assert ("noise_scale" in history) == (undefined == "nan")
    assert all(math.isnan(value) for value in history.get("noise_scale", []))
    assert history["trace_covariance"][0] == pytest.approx(4 * len(TRUTH), rel=0.15)
    assert told(monitor)[-1][1:] == ("noise_scale.estimate", "unknown")
    bound = record["noise_scale_low"][0]
    assert numbers(monitor.findings[-1][1]) == pytest.approx([bound, 150, 150], rel=5e-3)  # observations, window


def test_monitor_advises_by_the_side_the_batch_is_on(data):
    within = NoiseScaleMonitor()
    fit(within, data, batch_size=5)
    assert "5 samples, within" in within.findings[-1][1].seen
    smaller = NoiseScaleMonitor(window=800)
    fit(smaller, data, batch_size=2)
    assert "2 samples, below" in smaller.findings[-1][1].seen


@pytest.mark.parametrize(
    ("options", "last"),
    [({}, 199), ({"validation_split": 0.25}, 149), ({"batch_size": 30}, 52), ({"validation_split": 0.2525}, 148)],
)
def test_monitor_infers_the_batch_size(options, last, data):
    """From what the loss counted, also where validation counts after it; a last, smaller batch is left out."""
    monitor = NoiseScaleMonitor()
    fit(monitor, data, **options)
    assert monitor.record["batch_size"].tolist() == [options.get("batch_size", BATCH)]
    assert monitor.record["raw_step"].tolist() == list(range(1, last + 1))


def test_monitor_says_that_it_needs_the_batch_size(data, monkeypatch):
    monkeypatch.setattr("unetdyn.callbacks.noise_scale.samples_counted", lambda model: 0.0)
    monitor = NoiseScaleMonitor()
    with pytest.warns(UserWarning, match=r"the batch size could not be told .* Pass `batch_size=") as seen:
        history = fit(monitor, data, epochs=2)
    assert len([warning for warning in seen if "batch size" in str(warning.message)]) == 1
    assert [code for _, code, _ in told(monitor)] == ["noise_scale.batch_size_unknown"]
    assert monitor.record["observations"].tolist() == [0, 0]
    assert history.keys() == {"loss"}


def test_monitor_takes_the_batch_size_it_is_given(data, monkeypatch):
    monkeypatch.setattr("unetdyn.callbacks.noise_scale.samples_counted", lambda model: None)
    monitor = NoiseScaleMonitor(batch_size=BATCH)
    fit(monitor, data, epochs=2)
    assert monitor.record["batch_size"].tolist() == [BATCH] * 2
    assert monitor.record["raw_step"].tolist() == [*range(1, 199), *range(201, 399)]


@pytest.mark.parametrize(("given", "options"), [(8, {}), (64, {"gradient_accumulation_steps": 4})])
def test_monitor_warns_where_the_loss_counted_another_batch_size(given, options, data):
    monitor, model = NoiseScaleMonitor(batch_size=given), regression(keras.optimizers.SGD(RATE, **options))
    expected = rf"`batch_size` must be what `fit` uses.* epoch 1 .* 1600 .* 100 .* 16 .* Received: batch_size={given}\."
    with pytest.warns(UserWarning, match=expected) as seen:
        fit(monitor, data, model, epochs=2, batch_size=16)
    assert len([warning for warning in seen if "batch_size" in str(warning.message)]) == 1
    assert [code for _, code, _ in told(monitor)].count("noise_scale.batch_size_differs") == 1


@pytest.mark.parametrize("given", [16, 30, 1600, 2000])
def test_monitor_minds_no_last_batch_that_is_smaller(given, data):
    monitor = NoiseScaleMonitor(batch_size=given)
    fit(monitor, data, epochs=2, batch_size=given)
    assert "noise_scale.batch_size_differs" not in [code for _, code, _ in told(monitor)]


def test_estimates_do_not_join_all_observations_again(data, monkeypatch):
    monitor, joined = NoiseScaleMonitor(window=30), []
    whole = StepRecord.arrays.fget
    monkeypatch.setattr(StepRecord, "arrays", property(lambda record: joined.append(record) or whole(record)))
    fit(monitor, data, epochs=2)
    assert joined == []
    assert len(monitor.record["step"]) == 14


def test_monitor_starts_anew_with_a_new_training_and_carries_on_with_an_old_one(data):
    monitor, model = NoiseScaleMonitor(window=300), regression()
    fit(monitor, data, model, epochs=1)
    fit(monitor, data, model, epochs=2, initial_epoch=1)
    assert monitor.record["observations"].tolist() == [199, 300]
    with pytest.warns(UserWarning, match=r"begins anew, and the record of 2 epochs is gone: this is another model"):
        fit(monitor, data, regression(), epochs=1)
    assert monitor.record["observations"].tolist() == [199]
    assert monitor.record["raw_step"].dtype == monitor.record["step"].dtype == np.int64


def test_monitor_pools_no_observations_of_two_optimizers(data):
    """Under ten times the loss both sums are a hundred times as large, and their ratio is the same."""
    monitor, model = NoiseScaleMonitor(window=300), regression()
    fit(monitor, data, model, epochs=1)
    model.compile(keras.optimizers.SGD(RATE), "mse", loss_weights=10.0)
    fit(monitor, data, model, epochs=2, initial_epoch=1)
    assert monitor.record["observations"].tolist() == [199, 199]
    assert len(monitor.record["raw_step"]) == 2 * 199
    for name in ("gradient_sq", "trace_covariance"):
        before, after = monitor.record[name]
        assert after == pytest.approx(100 * before, rel=0.01)


def test_monitor_of_whole_batches_has_nothing_to_compare(data):
    monitor = NoiseScaleMonitor()
    history = fit(monitor, data, batch_size=SAMPLES)
    assert (monitor.result.observations, monitor.messages) == (0, ())
    assert history.keys() == {"loss"}


def test_monitor_is_kept_by_the_run_recorder(data, tmp_path):
    monitor = NoiseScaleMonitor()
    recorder = RunRecorder(tmp_path / "run", save_best=None, monitors=[monitor])
    fit(monitor, data, callbacks=[recorder])
    run = unetdyn.runs.open(tmp_path / "run")
    for name, values in monitor.record.items():
        np.testing.assert_array_equal(run.arrays("noise_scale")[name], values)
    assert run.series("noise_scale")[1].tolist() == monitor.record["noise_scale"].tolist()
    assert any("gradient noise scale" in event["message"] for event in run.events)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"batch_size": 0},
            r"`batch_size` must be a whole number of samples, 1 or more, or None\. Received: batch_",
        ),
        ({"batch_size": True}, "Received: batch_size=True"),
        ({"batch_size": 8.0}, r"Received: batch_size=8\.0"),
        ({"window": 29}, "`window` must be a whole number of observations, 30 or more"),
        ({"window": None}, "Received: window=None"),
        ({"dataset_size": 1}, "`dataset_size` must be a whole number of samples, 2 or more"),
        ({"confidence": 1.0}, "`confidence` must lie between 0 and 1"),
        ({"undefined": "none"}, "`undefined` must be one of 'absent', 'nan'.*Received: undefined='none'"),
    ],
)
def test_monitor_names_a_wrong_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        NoiseScaleMonitor(**arguments)


MIRRORED = """
    import json, keras, numpy as np, tensorflow as tf
    from unetdyn.callbacks import NoiseScaleMonitor
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    data = np.load(PATH)
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")])
        model.compile(keras.optimizers.SGD(1e-7), "mse")
    monitor = NoiseScaleMonitor()
    model.fit(data["x"], data["y"], batch_size=8, shuffle=False, verbose=0, callbacks=[monitor])
    found = monitor.result
    print(json.dumps([found.value, found.low, found.high, found.observations, *monitor.record["batch_size"].tolist()]))
"""


@pytest.mark.skipif(keras.config.backend() != "tensorflow", reason="tf.distribute is TensorFlow's")
def test_monitor_uses_replicas_under_a_mirrored_strategy(data, tmp_path):
    """In a process of its own: the number of devices is fixed when TensorFlow starts."""
    np.savez(tmp_path / "data.npz", x=data[0], y=data[1])
    script = textwrap.dedent(MIRRORED).replace("PATH", repr(str(tmp_path / "data.npz")))
    source = str(Path(__file__).resolve().parents[2] / "src")
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": source},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    value, low, high, observations, *batches = json.loads(done.stdout.splitlines()[-1])
    assert low <= TRACE / GRADIENT_SQ <= high < 2 * low
    assert low < value < high
    assert (observations, batches) == (200, [BATCH])
