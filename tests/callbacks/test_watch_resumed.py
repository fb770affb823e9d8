"""A watch, with all it has, in a training that was cut off and started again."""

import itertools
import signal

import keras
import numpy as np
import pytest

from unetdyn.callbacks import ResumableRun, StabilityMonitor, Watch

EPOCHS, STEPS, CUT = 4, 3, 7
OFF = dict.fromkeys(("batch", "flips", "mathematical", "mode_gap", "noise_scale", "predictions", "update"))


def interrupting():
    """Interrupts the process before the second step of epoch 2."""
    steps = itertools.count()

    def interrupt(batch, logs):
        if next(steps) == CUT:
            signal.raise_signal(signal.SIGINT)

    return keras.callbacks.LambdaCallback(on_train_batch_begin=interrupt)


class Diverging(keras.callbacks.Callback):
    """Makes the loss of epochs 1 and 2 rise: there is something to find."""

    def on_epoch_end(self, epoch, logs=None):
        logs["val_loss"] = [0.5, 5.0, float("nan"), float("nan")][epoch]


def watched(folder, cut=False):
    """What a script does each time it is started."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,), name="in"), keras.layers.Dense(1, name="dense")], name="model")
    model.compile(keras.optimizers.SGD(0.1), "mse")
    watch = Watch(folder, stability=StabilityMonitor(window=2), display="terminal", verbose=0, **OFF)
    x = np.random.default_rng(0).random((9, 4)).astype("float32")
    callbacks = [*([interrupting()] if cut else []), Diverging(), watch, ResumableRun(folder, verbose=0)]
    model.fit(x, x[:, :1], batch_size=3, shuffle=False, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    return watch


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    with pytest.raises(KeyboardInterrupt):
        watched(folder / "cut", cut=True)
    return watched(folder / "cut"), watched(folder / "whole")


def test_monitors_of_a_watch_go_on(pair):
    for name, unit in pair[1].monitors.items():
        np.testing.assert_equal(pair[0].monitors[name].record, unit.record)
        assert pair[0].monitors[name].findings == unit.findings
    assert len(pair[1].monitors["gradient"].record["step"]) == STEPS * EPOCHS


def test_what_holds_has_held_since_then(pair):
    assert pair[0].findings == pair[1].findings
    assert [epoch for epoch, found in pair[1].findings if found.code == "loss.nonfinite"] == [2]


def test_dashboard_has_all_curves(pair):
    curves, expected = (each.dashboard.curves for each in pair)
    assert list(curves) == list(expected)
    for name in expected:
        np.testing.assert_equal(curves[name], expected[name])
    assert curves.epochs == EPOCHS


def test_run_is_one(pair):
    runs = [each.run for each in pair]
    assert [run.status for run in runs] == ["finished", "finished"]
    np.testing.assert_equal(runs[0].history["val_loss"], runs[1].history["val_loss"])
    told = [[(event["epoch"], event["code"]) for event in run.events if "code" in event] for run in runs]
    assert told[0] == told[1]
    assert len(told[1]) > 1
