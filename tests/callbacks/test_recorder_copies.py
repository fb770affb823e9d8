"""Copies of recorders and watches, as tuners and folds make them: each has a run directory of its own."""

import copy

import keras
import numpy as np
import pytest

from unetdyn import runs
from unetdyn.callbacks import GradientMonitor, RunRecorder, StabilityMonitor, Watch

X = np.linspace(0, 1, 8).reshape(8, 1)


def fit(*callbacks, targets=X, epochs=2):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(X, targets, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return model


def test_trials_of_a_tuner_are_runs_of_their_own(tmp_path):
    """A tuner copies the list of callbacks for each trial; the worst of three overwrote the best model of all."""
    monitor = StabilityMonitor("loss", window=2)
    callbacks = [monitor, RunRecorder(tmp_path / "run", {"trial": "?"}, save_best="loss", monitors=[monitor])]
    models = [fit(*copy.deepcopy(callbacks), targets=X + shift) for shift in (0, 1, 2)]
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["run", "run-2", "run-3", "run-4"]
    trials = [runs.open(tmp_path / f"run-{number}") for number in (2, 3, 4)]
    for run, model in zip(trials, models, strict=True):
        assert (run.status, run.config, run.history["epoch"].tolist()) == ("finished", {"trial": "?"}, [0, 1])
        assert run.monitors.keys() == {"stability"}
        assert run.arrays("stability")["loss"].tolist() == run.history["loss"].tolist()
        saved = keras.saving.load_model(run.model_path).get_weights()
        for one, other in zip(saved, model.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
    assert len({run.summary["best_loss"] for run in trials}) == 3


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_copy_of_a_recorder_that_has_recorded_is_as_new(tmp_path, make):
    monitor = GradientMonitor()
    recorder = RunRecorder(tmp_path / "run", save_best="loss", monitors=[monitor])
    fit(monitor, recorder)
    copied = make(recorder)
    assert (copied.epochs, copied.events, copied.best, copied.setup, copied.next_epoch) == ([], [], None, {}, 0)
    assert (copied.monitors[0] is monitor) == (make is copy.copy)
    assert copied.path == tmp_path / "run-2"
    assert runs.open(recorder.path).summary["epochs"] == len(recorder.epochs) == 2


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_copy_of_a_watch_has_its_own_run_and_monitors(tmp_path, make):
    watch = Watch(tmp_path / "run", display="off")
    copied = make(watch)
    assert copied.path == tmp_path / "run-2"
    assert copied.recorder.monitors == tuple(copied.monitors.values())
    assert copied._live.recorder is copied.recorder
    assert not set(map(id, copied.monitors.values())) & set(map(id, watch.monitors.values()))
