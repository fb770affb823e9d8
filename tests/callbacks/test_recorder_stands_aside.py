"""What RunRecorder can't write ends no training, and hides nothing of why it ended. Its hooks are called by hand."""

import shutil
import signal
import sys

import keras
import numpy as np
import pytest

from unetdyn import runs
from unetdyn._warnings import CodedWarning
from unetdyn.callbacks import LiveDashboard, RunRecorder, StabilityMonitor, endings
from unetdyn.callbacks.model_copy import ModelCopy
from unetdyn.runs import RunWriter

LOSSES = [0.5, 0.4, 0.3, 0.2]


@pytest.fixture
def model():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


def drive(model, recorder, before=lambda epoch: None, losses=LOSSES, end=True, **logged):
    """A training's hooks, without its steps; `before` is called in each epoch."""
    recorder.set_model(model)
    recorder.set_params({"epochs": len(losses), "steps": 1})
    recorder.on_train_begin()
    for epoch, loss in enumerate(losses):
        recorder.on_epoch_begin(epoch)
        before(epoch)
        for monitor in recorder.monitors:
            monitor.on_epoch_begin(epoch)
            monitor.on_epoch_end(epoch, {"loss": loss})
        recorder.on_epoch_end(epoch, {"loss": loss, **logged})
        if isinstance(recorder, RunRecorder):
            recorder.background.wait()
    if end:
        recorder.on_train_end()


def told(caught):
    return [str(warning.message) for warning in caught if warning.category in (UserWarning, CodedWarning)]


def test_full_disk_is_told_once_and_the_record_is_whole_where_it_has_room_again(model, tmp_path, full):
    monitor = StabilityMonitor("loss", window=2)
    recorder = RunRecorder(tmp_path, save_best="loss", monitors=[monitor])
    with pytest.warns(
        UserWarning, match=r"RunRecorder: .*OSError: \[Errno 28\] No space left.*training goes on"
    ) as told_:
        drive(model, recorder, lambda epoch: full(epoch in (1, 2)))
    assert len(told(told_)) == 1
    run = runs.open(tmp_path)
    assert (run.status, run.notes, run.history["loss"].tolist()) == ("finished", [], LOSSES)
    assert run.arrays("stability")["loss"].tolist() == LOSSES
    assert run.summary["best_epoch"] == 3
    assert [event["code"] for event in run.events if event["kind"] == "warning"] == ["recorder.not_written"]
    assert [event["message"] for event in run.events] == [event["message"] for event in recorder.events]
    assert not [file for file in tmp_path.rglob("*") if file.name.startswith(".")]


def test_disk_that_stays_full_leaves_what_was_there(model, tmp_path, full):
    recorder = RunRecorder(tmp_path, save_best="loss")
    with pytest.warns(UserWarning, match="No space left") as caught:
        drive(model, recorder, lambda epoch: full(epoch > 0))
    full(False)
    assert len(told(caught)) == 1
    run = runs.open(tmp_path)
    assert (run.status, run.history["loss"].tolist(), run.notes) == ("running", LOSSES[:1], [])
    assert [row["loss"] for row in recorder.epochs] == LOSSES
    assert recorder.best == (0, 0.5)  # that of the model that is there
    recorder.conclude(test_loss=0.25)  # somebody made room
    run = runs.open(tmp_path)
    assert (run.history["loss"].tolist(), run.status, run.summary["test_loss"]) == (LOSSES, "finished", 0.25)


def test_folder_that_was_removed_ends_no_training(model, tmp_path):
    recorder = RunRecorder(tmp_path / "run", save_best="loss")
    with pytest.warns(UserWarning, match="FileNotFoundError") as caught:
        drive(model, recorder, lambda epoch: epoch == 1 and shutil.rmtree(tmp_path / "run"))
    assert len(told(caught)) == 1
    assert (list(tmp_path.iterdir()), len(recorder.epochs)) == ([], 4)


def test_folder_that_became_another_run_is_left_alone(model, tmp_path):
    def exchange(epoch):
        if epoch == 1:
            (tmp_path / "run").rename(tmp_path / "moved")
            RunWriter(tmp_path / "run", config={"other": True})

    recorder = RunRecorder(tmp_path / "run", save_best="loss")
    with pytest.warns(UserWarning, match="run directory of another training now") as caught:
        drive(model, recorder, exchange)
    assert len(told(caught)) == 1
    other = runs.open(tmp_path / "run")
    assert (other.config, other.epochs, other.events, other.model_path) == ({"other": True}, [], [], None)


@pytest.mark.parametrize("way", ["__init__", "write"])
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), NotImplementedError("no get_config")])
def test_model_that_cannot_be_saved_costs_only_the_model(model, tmp_path, monkeypatch, error, way):
    def refuse(self, *path):
        raise error

    monkeypatch.setattr(ModelCopy, way, refuse)
    monkeypatch.setattr(model, "save", lambda path: refuse(model))
    recorder = RunRecorder(tmp_path, save_best="loss")
    with pytest.warns(UserWarning, match=rf"model\.keras could not be written\. {type(error).__name__}") as caught:
        drive(model, recorder)
    assert len(told(caught)) == 1
    run = runs.open(tmp_path)
    assert (run.status, run.history["loss"].tolist(), run.model_path, recorder.best) == ("finished", LOSSES, None, None)


class Unreadable:
    """As a variable on several devices is to NumPy."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("MirroredVariable")


def test_value_that_cannot_be_read_costs_only_itself(model, tmp_path):
    recorder = RunRecorder(tmp_path, save_best="loss")
    with pytest.warns(UserWarning, match="'odd' of the logs could not be written") as caught:
        drive(model, recorder, odd=Unreadable(), even=2)
    assert len(told(caught)) == 1
    run = runs.open(tmp_path)
    assert (run.history["loss"].tolist(), run.history["even"].tolist()) == (LOSSES, [2] * 4)
    assert "odd" not in run.history


def test_record_that_cannot_be_written_costs_only_itself(model, tmp_path, monkeypatch):
    broken, sound = StabilityMonitor("loss", window=2, name="broken"), StabilityMonitor("loss", window=2)
    monkeypatch.setattr(type(broken), "record", property(lambda self: 1 / 0 if self is broken else {"a": np.ones(1)}))
    recorder = RunRecorder(tmp_path, save_best="loss", monitors=[broken, sound])
    with pytest.warns(UserWarning, match="the record of broken could not be written. ZeroDivisionError") as caught:
        drive(model, recorder)
    assert len(told(caught)) == 1
    assert runs.open(tmp_path).array_names == ["stability"]


def test_error_stays_the_reason_when_the_disk_is_full_too(model, tmp_path, full):
    recorder = RunRecorder(tmp_path, save_best="loss")
    drive(model, recorder, end=False)
    full(True)
    with pytest.warns(UserWarning, match="No space left"):
        recorder.fail(RuntimeError("no memory"))
    full(False)
    recorder.fail(RuntimeError("no memory"))
    run = runs.open(tmp_path)
    assert (run.status, run.summary["error"]) == ("failed", "RuntimeError: no memory")


posix = pytest.mark.skipif(sys.platform == "win32", reason="these signals are POSIX's")


@pytest.fixture
def handled():
    """A handler of the user's own for SIGTERM, which lets the process live, and notes what the run says."""
    seen, before = [], signal.getsignal(signal.SIGTERM)
    seen.append(lambda: None)
    signal.signal(signal.SIGTERM, lambda number, frame: seen.append(seen[0]()))
    yield seen
    signal.signal(signal.SIGTERM, before)


@posix
def test_signal_is_noted_before_the_process_ends(model, tmp_path, handled):
    mine = signal.getsignal(signal.SIGTERM)
    recorder = RunRecorder(tmp_path, save_best="loss")
    handled[0] = lambda: runs.open(tmp_path)
    drive(model, recorder, lambda epoch: epoch == 2 and signal.raise_signal(signal.SIGTERM), end=False)
    noted = handled[1]
    assert (noted.status, noted.summary["error"], noted.summary["epochs"]) == (
        "interrupted",
        "SIGTERM came after 2 whole epochs: the process was told to end.",
        2,
    )
    assert runs.open(tmp_path).status == "running"  # it lives on, and has recorded further epochs
    recorder.on_train_end()
    run = runs.open(tmp_path)
    assert (run.status, run.history["loss"].tolist(), "error" in run.summary) == ("finished", LOSSES, False)
    assert [event["kind"] for event in run.events if event["kind"] != "best"] == [
        "train_begin",
        "interrupted",
        "train_end",
    ]
    assert signal.getsignal(signal.SIGTERM) is mine


@posix
def test_signal_after_the_last_epoch_is_no_error_of_a_training_that_finished(model, tmp_path, handled):
    recorder = RunRecorder(tmp_path, save_best="loss")
    drive(model, recorder, end=False)
    signal.raise_signal(signal.SIGTERM)
    recorder.on_train_end()
    run = runs.open(tmp_path)
    assert (run.status, "error" in run.summary) == ("finished", False)


@posix
def test_signal_stays_the_reason_where_it_ends_the_training_as_an_exception(model, tmp_path, handled):
    def stop():
        raise SystemExit(143)

    handled[0] = stop
    recorder = RunRecorder(tmp_path, save_best="loss")
    with pytest.raises(SystemExit) as caught:
        drive(model, recorder, lambda epoch: epoch == 2 and signal.raise_signal(signal.SIGTERM))
    recorder.fail(caught.value)
    run = runs.open(tmp_path)
    assert (run.status, run.summary["error"].split()[0]) == ("interrupted", "SIGTERM")
    assert [event["kind"] for event in run.events].count("failed") == 0


@posix
def test_signal_between_two_stages_is_noted(model, tmp_path, handled):
    recorder = RunRecorder(tmp_path, save_best="loss")
    recorder.begin_stage("coarse", more=True)
    drive(model, recorder)
    signal.raise_signal(signal.SIGTERM)
    assert runs.open(tmp_path).status == "interrupted"
    recorder.fail(KeyboardInterrupt())


@pytest.mark.parametrize(
    ("error", "text"), [(ValueError("bad"), "ValueError: bad"), (None, "the process ended before")]
)
def test_process_that_leaves_is_noted(model, tmp_path, error, text):
    recorder = RunRecorder(tmp_path, save_best="loss")
    drive(model, recorder, end=False)
    recorder._ending.on_exit(error)
    run = runs.open(tmp_path)
    assert (run.status, text in run.summary["error"]) == ("failed", True)


def test_fit_that_is_refused_leaves_the_record_of_the_one_that_finished(model, tmp_path):
    """How it ends, by the refusal itself, is not how the recorded training ended."""
    stability = StabilityMonitor("loss", window=2)
    recorder = RunRecorder(tmp_path, save_best="loss", monitors=[stability])
    drive(model, recorder)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    other = keras.models.clone_model(model)
    stability.set_model(other)
    with pytest.warns(UserWarning, match="begins anew"):
        stability.on_epoch_begin(0)
    with pytest.raises(ValueError, match="another model") as caught:
        drive(other, recorder)
    assert recorder._ending not in endings._attending
    recorder.fail(caught.value)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_dashboard_that_cannot_draw_says_so_once(model, monkeypatch):
    def refuse():
        raise RuntimeError("no display")

    dashboard = LiveDashboard(where="notebook", every_seconds=0)
    monkeypatch.setattr(dashboard, "_show", refuse)
    dashboard.monitors = ()
    with pytest.warns(
        CodedWarning, match=r"the epoch could not be shown, and the training goes on\. RuntimeErr"
    ) as caught:
        drive(model, dashboard, losses=LOSSES[:2], end=False)
    assert [warning.message.code for warning in caught if warning.category is CodedWarning] == ["dashboard.failed"]


def test_dashboard_writes_to_a_closed_terminal(model, monkeypatch):
    class Closed:
        encoding = "utf-8"

        def write(self, text):
            raise BrokenPipeError(32, "Broken pipe")

        def flush(self):
            pass

    dashboard = LiveDashboard(where="terminal")
    dashboard.monitors = ()
    monkeypatch.setattr(sys, "stdout", Closed())
    with pytest.warns(CodedWarning, match="BrokenPipeError"):
        drive(model, dashboard)
