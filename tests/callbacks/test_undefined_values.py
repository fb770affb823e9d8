"""What is in `logs` before a value is defined, as Keras' callbacks take it that keep the best so far."""

import math
import warnings

import keras
import numpy as np
import pytest

from unetdyn.callbacks import Monitor, NoiseScaleMonitor, StabilityMonitor

# σ over three falls from epoch 3 on: 0.26, 0.21, 0.15, …
FALLING = [0.9, 0.4, 0.8, 0.45, 0.7, 0.5, 0.6, 0.55, 0.58, 0.56]
NAN = float("nan")


def make_model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    return model


def drive(monitor, others, losses=FALLING):
    """An epoch's hooks for each loss; gives the logs, and the model."""
    model, told = make_model(), []
    listed = keras.callbacks.CallbackList([monitor, *others], model=model, epochs=len(losses), steps=1)
    listed.on_train_begin()
    for epoch, loss in enumerate(losses):
        logs = {"val_loss": loss}
        listed.on_epoch_begin(epoch)
        listed.on_epoch_end(epoch, logs)
        told.append(logs)
        if model.stop_training:
            break
    listed.on_train_end()
    return told, model


class Epochs(keras.callbacks.Callback):
    """Notes the logs as Keras hands them on, which is a copy of those that it was given."""

    def __init__(self):
        super().__init__()
        self.logs = []

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(dict(logs))


def keepers(folder, patience=2):
    options = {"monitor": "stability", "mode": "min"}
    return (
        keras.callbacks.ModelCheckpoint(folder / "best.keras", save_best_only=True, **options),
        keras.callbacks.ReduceLROnPlateau(patience=patience, **options),
        keras.callbacks.EarlyStopping(patience=patience, **options),
    )


def sigma(losses):
    return [np.std(losses[end - 3 : end], ddof=1) for end in range(3, len(losses) + 1)]


def quietly(monitor, others, losses=FALLING):
    """Without Keras' own warnings of keys that are not there yet."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return drive(monitor, others, losses)


def test_best_so_far_of_a_value_that_is_defined_later_is_its_best(tmp_path):
    """σ falls with every epoch: nothing stops, no rate is lowered, and the last model is the best."""
    assert (np.diff(sigma(FALLING)) < 0).all()
    checkpoint, plateau, stopping = keepers(tmp_path)
    epochs = Epochs()
    _, model = quietly(StabilityMonitor(window=3), [epochs, checkpoint, plateau, stopping])
    assert ["stability" in logs for logs in epochs.logs] == [False, False] + [True] * 8
    np.testing.assert_allclose([logs["stability"] for logs in epochs.logs[2:]], sigma(FALLING))
    assert checkpoint.best == plateau.best == stopping.best == pytest.approx(min(sigma(FALLING)))
    assert float(model.optimizer.learning_rate) == 0.5
    assert not model.stop_training


@pytest.mark.parametrize("losses", [[NAN, 0.5, *FALLING], [0.5, 0.5, math.inf, *FALLING]])
def test_best_so_far_survives_losses_that_are_not_finite_in_the_first_window(tmp_path, losses):
    checkpoint, plateau, stopping = keepers(tmp_path)
    quietly(StabilityMonitor(window=3), [checkpoint, plateau, stopping], losses)
    assert checkpoint.best == plateau.best == stopping.best == pytest.approx(min(sigma(FALLING)))


def test_training_that_diverges_later_is_no_best(tmp_path):
    """The key stays: Keras' checkpoint saves in every epoch without it."""
    epochs, (checkpoint, _, _), saved = Epochs(), keepers(tmp_path), []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: saved.append((tmp_path / "best.keras").stat().st_mtime_ns)
    )
    quietly(StabilityMonitor(window=3), [epochs, checkpoint, note], [*FALLING, NAN, NAN])
    assert np.isnan([logs["stability"] for logs in epochs.logs[-2:]]).all()
    assert saved[-3] > saved[-4]
    assert saved[-3:] == [saved[-3]] * 3
    assert checkpoint.best == pytest.approx(min(sigma(FALLING)))


@pytest.mark.parametrize("which", [0, 1, 2])
def test_nan_for_the_best_is_told_at_the_first_epochs_end(tmp_path, which):
    keeper = keepers(tmp_path)[which]
    expected = rf"{type(keeper).__name__}\(monitor='stability'\) takes the first value .*Leave `undefined='absent'`"
    monitor = StabilityMonitor(window=3, undefined="nan")
    with pytest.warns(UserWarning, match=expected) as told:
        drive(monitor, [keeper], FALLING[:2])
    assert [warning.category for warning in told].count(UserWarning) == 1
    assert [(epoch, found.code) for epoch, found in monitor.findings] == [(0, "training.nan_is_best")]


def test_nan_is_no_concern_of_those_that_keep_no_first_value(tmp_path):
    options = {"monitor": "stability", "mode": "min"}
    others = [
        keras.callbacks.EarlyStopping(start_from_epoch=2, **options),
        keras.callbacks.ModelCheckpoint(tmp_path / "all.keras", **options),
        keras.callbacks.ModelCheckpoint(
            tmp_path / "best.keras", save_best_only=True, initial_value_threshold=math.inf, **options
        ),
        keras.callbacks.ReduceLROnPlateau(monitor="val_loss"),
    ]
    drive(StabilityMonitor(window=3, undefined="nan"), others)
    assert others[0].best == others[2].best == pytest.approx(min(sigma(FALLING)))


class Later(Monitor):
    """Knows its value from the second epoch on, and one that is never known."""

    @property
    def record(self):
        return {}

    def on_epoch_end(self, epoch, logs=None):
        self._put_into_logs(logs, {"later": NAN if epoch in (0, 2) else 0.5 * epoch, "never": NAN, "now": 1.0})


def test_every_monitor_leaves_out_what_was_never_a_number():
    epochs = Epochs()
    drive(Later(), [epochs], FALLING[:4])
    told = [{key: logs[key] for key in logs if key != "val_loss"} for logs in epochs.logs]
    assert repr(told) == repr(
        [{"now": 1.0}, {"later": 0.5, "now": 1.0}, {"later": NAN, "now": 1.0}, {"later": 1.5, "now": 1.0}]
    )


def test_column_that_a_csv_will_lack_is_told(tmp_path):
    monitor = Later()
    with pytest.warns(UserWarning, match=r"first epoch, in which later, never are not .* RunRecorder has them\.$"):
        drive(monitor, [keras.callbacks.CSVLogger(tmp_path / "log.csv")], FALLING[:4])
    assert [(epoch, found.code) for epoch, found in monitor.findings] == [(0, "training.column_missing")]


def test_noise_scale_is_written_by_the_same_rule(monkeypatch):
    monitor, seen = NoiseScaleMonitor(), []
    for value in (NAN, 2.0, NAN):
        logs = {}
        monitor._put_into_logs(logs, {"noise_scale": value})
        seen.append(logs)
    assert repr(seen) == repr([{}, {"noise_scale": 2.0}, {"noise_scale": NAN}])
    told = {}
    NoiseScaleMonitor(undefined="nan")._put_into_logs(told, {"noise_scale": NAN})
    assert math.isnan(told["noise_scale"])
