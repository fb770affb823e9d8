"""StabilityMonitor on histories given by hand, and inside real `fit` calls with Keras' own callbacks."""

import csv
import math
import statistics
from contextlib import nullcontext

import keras
import numpy as np
import pytest

from findings import numbers, told
from unetdyn.callbacks import StabilityMonitor

LOSSES = [0.9, 0.5, 0.45, 0.62, 0.41, 0.40, 0.43]


class Replay(keras.callbacks.Callback):
    """Puts known values into `logs`, so that a real `fit` shows a known history; None leaves the key out."""

    def __init__(self, **series):
        super().__init__()
        self.series = series

    def on_epoch_end(self, epoch, logs=None):
        for name, values in self.series.items():
            if values[epoch] is None:
                logs.pop(name, None)
            else:
                logs[name] = values[epoch]


def fit(*callbacks, epochs=3, **kwargs):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    x = np.ones((4, 1))
    return model.fit(x, x, epochs=epochs, verbose=0, callbacks=list(callbacks), **kwargs)


def replay(monitor, values, name="val_loss"):
    """The logs of each epoch, without a model."""
    seen = []
    for epoch, value in enumerate(values):
        monitor.on_epoch_begin(epoch)
        logs = {"loss": 0.5} | ({} if value is None else {name: value})
        monitor.on_epoch_end(epoch, logs)
        seen.append(logs)
    return seen


@pytest.mark.parametrize("ddof", [0, 1])
def test_monitor_writes_sigma_from_the_first_full_window(ddof):
    logs = replay(StabilityMonitor(window=4, ddof=ddof), LOSSES)
    deviation = statistics.stdev if ddof else statistics.pstdev
    for epoch, seen in enumerate(logs):
        if epoch < 3:
            assert seen.keys() == {"loss", "val_loss"}
        else:
            window = LOSSES[epoch - 3 : epoch + 1]
            assert seen["stability"] == pytest.approx(deviation(window))
            assert seen["stability_cv"] == pytest.approx(deviation(window) / statistics.fmean(window))


def test_monitor_default_window_is_ten():
    logs = replay(StabilityMonitor(), [0.5] * 10)
    assert ["stability" in seen for seen in logs] == [False] * 9 + [True]


def test_monitor_names_the_keys_of_other_values():
    logs = replay(StabilityMonitor("val_jaccard", window=2), [0.5, 0.7], name="val_jaccard")
    assert logs[1].keys() == {"loss", "val_jaccard", "val_jaccard_stability", "val_jaccard_stability_cv"}


def test_monitor_watches_several_values_under_its_own_name():
    monitor = StabilityMonitor(["val_loss", "loss"], window=2, name="spread")
    logs = replay(monitor, [0.5, 0.7])
    assert logs[1]["spread"] == pytest.approx(0.2 / math.sqrt(2))
    assert logs[1]["loss_spread"] == 0.0
    assert monitor.results["loss"].label == "Excellent"
    assert monitor.result.label == "Poor"


def test_monitor_keeps_a_record():
    monitor = StabilityMonitor(["val_loss", "loss"], window=2)
    with pytest.warns(UserWarning, match="val_loss"):
        replay(monitor, [0.5, None, 0.7])
    assert monitor.record.keys() == {
        "epoch",
        *(name + end for name in ("val_loss", "loss") for end in ("", "_sigma", "_cv")),
    }
    np.testing.assert_array_equal(monitor.record["epoch"], [0, 1, 2])
    np.testing.assert_array_equal(monitor.record["val_loss"], [0.5, np.nan, 0.7])
    np.testing.assert_allclose(monitor.record["val_loss_sigma"], [np.nan, np.nan, 0.2 / math.sqrt(2)])
    np.testing.assert_allclose(monitor.record["val_loss_cv"], [np.nan, np.nan, 0.2 / math.sqrt(2) / 0.6])
    np.testing.assert_array_equal(monitor.record["loss_sigma"], [np.nan, 0, 0])


def test_monitor_record_is_there_before_training():
    assert StabilityMonitor().record["val_loss_sigma"].shape == (0,)
    assert not StabilityMonitor().result.determined


def test_monitor_window_counts_validations_not_epochs():
    monitor = StabilityMonitor(window=3)
    x = np.ones((4, 1))
    with pytest.warns(UserWarning, match=r"'val_loss' is not in the logs of epoch 1") as caught:
        history = fit(monitor, epochs=6, validation_data=(x, x), validation_freq=2)
    assert [warning.category for warning in caught].count(UserWarning) == 1
    assert len(history.history["val_loss"]) == 3
    assert history.history["stability"] == [pytest.approx(statistics.stdev(history.history["val_loss"]))]


def test_monitor_without_validation_says_so_once_and_trains():
    monitor = StabilityMonitor(window=2)
    with pytest.warns(UserWarning, match=r"which hold loss.*without validation data σ is never defined") as caught:
        history = fit(monitor)
    with pytest.warns(UserWarning, match="begins anew") as again:
        fit(monitor)
    assert [warning.category for warning in again].count(UserWarning) == 1
    assert [warning.category for warning in caught].count(UserWarning) == 1
    assert history.history.keys() == {"loss"}
    assert not monitor.result.determined


def test_monitor_warning_names_the_nearest_name():
    with pytest.warns(UserWarning, match=r"Did you mean 'loss'\?"):
        replay(StabilityMonitor("los"), [0.5])


def test_monitor_calls_a_diverged_loss_very_poor():
    monitor = StabilityMonitor(window=3)
    logs = replay(monitor, [0.5, 0.5, 0.5, math.nan])
    assert logs[2]["stability"] == 0.0
    assert math.isnan(logs[3]["stability"])
    assert monitor.result.label == "Very poor"


def test_monitor_prints_when_the_class_changes(capsys):
    monitor = StabilityMonitor(window=2, verbose=1)
    replay(monitor, [0.5, 0.5, 0.5, 1.5, 1.5])
    code = "stability.val_loss"
    assert told(monitor) == [(1, code, "good"), (3, code, "ill"), (4, code, "good")]
    assert numbers(monitor.findings[1][1]) == [0.707, 2, 0.5, 70.7]  # σ, epochs, where its class begins, variation
    printed = capsys.readouterr().out.split("\n")
    assert [line for line in printed if line] == [f"Epoch {epoch + 1}: {text}" for epoch, text in monitor.messages]


def test_monitor_is_silent_by_default_but_keeps_its_messages(capsys):
    monitor = StabilityMonitor(window=2)
    replay(monitor, [0.5, 0.5])
    assert capsys.readouterr().out == ""
    assert [epoch for epoch, _ in monitor.messages] == [1]


def test_monitor_starts_anew_at_epoch_zero_and_carries_on_later():
    monitor = StabilityMonitor(window=2)
    x = np.ones((4, 1))
    fit(monitor, epochs=2, validation_data=(x, x))
    fit(monitor, epochs=4, initial_epoch=2, validation_data=(x, x))
    assert monitor.record["epoch"].tolist() == [0, 1, 2, 3]
    with pytest.warns(UserWarning, match=r"of 4 epochs is gone: this is another model\. .*`initial_epoch=4`"):
        fit(monitor, epochs=1, validation_data=(x, x))
    assert monitor.record["epoch"].tolist() == [0]
    assert not monitor.result.determined
    fit(monitor, epochs=1, validation_data=(x, x))  # said once


def test_history_and_early_stopping_see_stability():
    # Stops when σ has not fallen for two epochs; the first comparison is at epoch 4, the first with a full window.
    values = [0.9, 0.5, 0.5, 0.5, 0.9, 0.1, 0.9, 0.5]
    stop = keras.callbacks.EarlyStopping("stability", mode="min", patience=2)
    with pytest.warns(UserWarning, match="Early stopping conditioned on metric `stability`"):
        history = fit(Replay(val_loss=values), StabilityMonitor(window=3), stop, epochs=8)
    assert history.epoch == [0, 1, 2, 3, 4, 5]
    assert len(history.history["stability"]) == 4


def test_undefined_nan_gives_csv_logger_its_columns(tmp_path):
    for undefined, expected in (("absent", None), ("nan", ["nan", "nan"])):
        file = tmp_path / f"{undefined}.csv"
        monitor = StabilityMonitor(window=3, undefined=undefined)
        expects = pytest.warns(UserWarning, match="takes its columns from the first epoch.*`undefined='nan'`")
        with expects if expected is None else nullcontext():
            fit(Replay(val_loss=[0.5, 0.6, 0.7]), monitor, keras.callbacks.CSVLogger(file), epochs=3)
        with file.open() as lines:
            rows = list(csv.DictReader(lines))
        assert [float(row["val_loss"]) for row in rows] == [0.5, 0.6, 0.7]
        assert ("stability" in rows[0]) == (expected is not None)
    assert [row["stability"] for row in rows[:2]] == expected
    assert float(rows[2]["stability"]) == pytest.approx(0.1)


def test_undefined_nan_works_with_early_stopping_that_starts_with_the_window():
    values = [0.9, 0.5, 0.5, 0.5, 0.9, 0.1, 0.9, 0.5]
    stop = keras.callbacks.EarlyStopping("stability", mode="min", patience=2, start_from_epoch=2)
    history = fit(Replay(val_loss=values), StabilityMonitor(window=3, undefined="nan"), stop, epochs=8)
    assert history.epoch == [0, 1, 2, 3, 4, 5]


def test_monitor_overrides_no_batch_hook():
    """Else Keras would wait for every batch: it runs batch hooks in the background only when all are its defaults."""
    for hook in ("on_batch_end", "on_train_batch_end", "on_test_batch_end", "on_predict_batch_end"):
        assert getattr(StabilityMonitor, hook) is getattr(keras.callbacks.Callback, hook)


@pytest.mark.parametrize(
    ("kwargs", "error", "text"),
    [
        ({"monitor": 3}, TypeError, r"`monitor` must be a name in `logs`, or a list of them. Received: monitor=3"),
        ({"monitor": []}, TypeError, r"Received: monitor=\[\]"),
        ({"monitor": ["loss", 1]}, TypeError, r"Received: monitor=\['loss', 1\]"),
        ({"monitor": ""}, TypeError, r"Received: monitor=''"),
        ({"monitor": ["loss", "loss"]}, ValueError, r"`monitor` must name each value once"),
        ({"window": 1}, ValueError, r"`window` must be a whole number of epochs, 2 or more. Received: window=1"),
        ({"ddof": 3}, ValueError, r"`ddof` must be one of 1, 0. Received: ddof=3"),
        ({"undefined": "zero"}, ValueError, r"`undefined` must be one of 'absent', 'nan'. Received: undefined='zero'"),
    ],
)
def test_monitor_refuses_bad_arguments_at_construction(kwargs, error, text):
    with pytest.raises(error, match=text):
        StabilityMonitor(**kwargs)


def test_monitor_reads_a_single_number_in_an_array():
    assert replay(StabilityMonitor(window=2), [np.float32(0.5), np.array([0.5])])[1]["stability"] == 0


def test_stability_monitor_refuses_a_value_a_class():
    monitor = StabilityMonitor("val_iou", window=2)
    with pytest.raises(ValueError, match=r"one number an epoch\. Received: 'val_iou' with 3 values"):
        fit(Replay(val_iou=[np.ones(3)] * 3), monitor)


@pytest.mark.parametrize("watched", ["val_loss", "val_jaccard"])
def test_val_losses_is_the_list_that_the_studies_class_keeps(watched):
    monitor = StabilityMonitor(watched)
    assert monitor.val_losses == []
    with pytest.warns(UserWarning, match=f"'{watched}' is not in the logs"):
        replay(monitor, [0.9, None, 0.5])
    assert monitor.val_losses == [0.9, 0.5]
    replay(monitor, [0.7])
    assert monitor.val_losses == [0.7]
