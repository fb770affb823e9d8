"""A monitor of the user's own: what it declares is kept with the run, and read without it."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from unetdyn import runs
from unetdyn.analysis import read_history
from unetdyn.analysis.declarations import Declaration, DeclaredDisplay
from unetdyn.analysis.diagnosis import Finding
from unetdyn.analysis.log_keys import log_keys_of
from unetdyn.callbacks import Monitor, RunRecorder, StabilityMonitor

X = np.linspace(0, 1, 8).reshape(8, 1)


class Sharpness(Monitor):
    declaration = Declaration(
        "sharpness",
        keys={"{name}": "down"},
        columns=("{name}",),
        arrays=("step", "grad_norm"),
        displays=(DeclaredDisplay("How sharp it is", "grad_norm", "GradientDisplay"),),
    )

    def __init__(self, name=None):
        super().__init__(name)
        self.seen = []

    @property
    def record(self):
        return {"step": np.arange(len(self.seen)), "grad_norm": np.array(self.seen)}

    def on_epoch_end(self, epoch, logs=None):
        logs[self.name] = [3.0, 1.0, 2.0][epoch]
        self.seen.append(logs[self.name])
        self.report(Finding("sharpness", "unknown", "sharpness", f"It is {logs[self.name]:g} sharp."))


def fit(tmp_path, *monitors, save_best=None):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    recorder = RunRecorder(tmp_path / "run", save_best=save_best, monitors=monitors)
    model.fit(X, X, validation_data=(X, X), epochs=3, verbose=0, callbacks=[*monitors, recorder])
    return runs.open(recorder.path)


@pytest.mark.parametrize("name", [None, "edge"])
def test_own_monitor_is_kept_with_what_it_declares(tmp_path, name):
    monitor = Sharpness(name)
    run = fit(tmp_path, monitor, save_best=monitor.name)
    assert run.summary["best_epoch"] == 1
    assert run.arrays(monitor.name)["grad_norm"].tolist() == [3.0, 1.0, 2.0]
    assert "It is 3 sharp." in [event["message"] for event in run.events if event["kind"] == "monitor"]
    assert log_keys_of(run).monitors == {
        monitor.name: Declaration.from_json(monitor.name, Sharpness.declaration.named(name).as_json())
    }
    curves = read_history(run)
    assert (curves.direction(monitor.name), curves.default_metric, curves.default_panel) == ("down", None, "mae")


def test_a_run_is_judged_without_keras_and_without_guessing(tmp_path):
    run = fit(tmp_path, Sharpness(), StabilityMonitor(window=2, name="calm"))
    code = (
        "import sys; from unetdyn.analysis import read_history;"
        f"curves = read_history({str(run.path)!r});"
        "print(curves.direction('sharpness'), curves.direction('calm_cv'), curves.default_panel);"
        "print('keras' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["down", "down", "mae", "False"]


def test_monitor_that_declares_nothing_is_kept_all_the_same(tmp_path):
    class Plain(Monitor):
        @property
        def record(self):
            return {"epoch": np.arange(3)}

    run = fit(tmp_path, Plain("plain"))
    assert run.arrays("plain")["epoch"].tolist() == [0, 1, 2]
    assert run.monitors == {}


def test_callback_that_only_looks_like_a_monitor_is_told_what_to_do(tmp_path):
    class Alike(keras.callbacks.Callback):
        name, record = "alike", {}

    with pytest.raises(TypeError, match=r"subclasses of its `Monitor`.* Received: Alike"):
        RunRecorder(tmp_path / "run", monitors=[Alike()])
