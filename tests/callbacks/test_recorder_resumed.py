"""A recorder whose training was killed: the record goes on where the state was taken, as if nothing had been."""

import copy
import json

import keras
import numpy as np
import pytest

from unetdyn import runs
from unetdyn.analysis.declarations import Declaration
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.callbacks import Monitor, ResumableRun, RunRecorder, StabilityMonitor, Watch, endings
from unetdyn.callbacks.watched_monitors import monitor_kinds

pytestmark = pytest.mark.usefixtures("untraced")

X = np.linspace(0, 1, 8).reshape(8, 1)


class Killed(BaseException):
    """After it nothing of the training is called any more."""


class Kill(keras.callbacks.Callback):
    """At an epoch's beginning or a training's end, when the state is written; or the walltime ends before a step."""

    def __init__(self, resumable, fit, epoch, step):
        super().__init__()
        self.resumable, self.at, self.step = resumable, (fit, epoch), step
        self.epoch = -1

    def get_state(self):
        return {}

    def set_state(self, state):
        pass

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.resumable._background.wait()  # so that each epoch's state is saved, however slow the disk is
        if (self.resumable.fits, epoch, 0) == (*self.at, self.step):
            self.kill()

    def on_train_batch_begin(self, batch, logs=None):
        if batch and (self.resumable.fits, self.epoch, batch) == (*self.at, self.step):
            self.resumable._asked = "walltime"

    def on_train_end(self, logs=None):
        if (self.resumable.fits, self.epoch + 1, 0) == (*self.at, self.step):
            self.kill()

    def kill(self):
        self.resumable._background.wait()
        raise Killed


class Spoken(Monitor):
    """Says something in each epoch, and keeps it."""

    declaration = Declaration("spoken", keys={"{name}": "down"}, columns=("{name}",), arrays=("epoch",))

    def _restart(self):
        super()._restart()
        self.seen = []

    @property
    def record(self):
        return {"epoch": np.array(self.seen)}

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(self._epoch)
        logs[self.name] = float(self._epoch)
        self.report(Finding("spoken", "info", "spoken", f"Epoch {self._epoch}."))

    def get_state(self):
        return {**super().get_state(), "seen": list(self.seen)}

    def set_state(self, state):
        super().set_state(state)
        self.seen = list(state["seen"])


def train(path, fits, kill=None, again=False, same=None, **recorder):
    """A script: the same each time that it is started; `same` keeps its monitor and its recorder, as a notebook may."""
    keras.utils.clear_session()  # names are numbered anew
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"], run_eagerly=True)
    same = [] if same is None else same
    if not same:
        same.append(Spoken())
        same.append(RunRecorder(path, {"a": 1}, 1, save_best="auto", monitors=same[:1], **recorder))
    monitor, made = same
    resumable = ResumableRun(path, verbose=0)
    callbacks = [Kill(resumable, *(kill or (0, 0, 0))), monitor, made, resumable]
    try:
        for name, epochs in fits:
            if name is not None:
                made.begin_stage(name, more=name != fits[-1][0])
            first = made.next_epoch if name is not None or again else 0
            until = first + epochs
            kept = {"batch_size": 2, "shuffle": False, "verbose": 0, "validation_data": (X, X)}
            model.fit(X, X, initial_epoch=first, epochs=until, callbacks=callbacks, **kept)
    except (Killed, SystemExit):
        endings.leave(made._ending)
        endings.leave(resumable)
        return None
    return made


def record(path):
    """All that is written, without the clock's part."""
    run = runs.open(path)
    epochs = [{key: value for key, value in row.items() if key != "seconds"} for row in run.epochs]
    events = [{key: value for key, value in event.items() if key != "time"} for event in run.events]
    summary = {key: value for key, value in run.summary.items() if key != "seconds"}
    told = ("status", "config", "seed", "backend", "metrics", "monitors", "setup", "stages")
    header = {key: run.header[key] for key in told}
    arrays = {name: {key: str(value.tolist()) for key, value in run.arrays(name).items()} for name in run.array_names}
    model = [weights.tolist() for weights in keras.saving.load_model(run.model_path).get_weights()]
    return {
        "epochs": epochs,
        "events": events,
        "summary": summary,
        "header": header,
        "arrays": arrays,
        "model": model,
        "notes": run.notes,
    }


def resumptions(path):
    return [(each["epoch"], each["step"], each["ended"]) for each in runs.open(path).header["resumed"]]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A training that nothing cuts off, once for all tests."""
    made = {}

    def recorder(fits, again=False):
        key = str(fits), again
        if key not in made:
            made[key] = train(tmp_path_factory.mktemp("whole") / "run", fits, again=again)
        return made[key]

    return recorder


WALLTIME = "The end of the walltime"
ONE, LOOP = [(None, 3)], [(None, 2), (None, 2), (None, 1)]
STAGES = [("coarse", 2), ("fine", 3), ("finest", 1)]


@pytest.mark.parametrize(
    ("fits", "kill", "carried_on"),
    [
        (ONE, (1, 2, 0), (2, 0, None)),
        (ONE, (1, 1, 3), (1, 3, WALLTIME)),
        (ONE, (1, 0, 1), (0, 1, WALLTIME)),
        (ONE, (1, 3, 0), (3, 0, None)),
        (LOOP, (2, 1, 0), (3, 0, None)),
        (LOOP, (2, 0, 2), (2, 2, WALLTIME)),
        (LOOP, (2, 2, 0), (4, 0, None)),
        (STAGES, (2, 3, 0), (3, 0, None)),
        (STAGES, (2, 5, 0), (5, 0, None)),
        (STAGES, (3, 5, 2), (5, 2, WALLTIME)),
    ],
    ids=str,
)
def test_record_has_no_seam(tmp_path, uninterrupted, fits, kill, carried_on):
    whole = uninterrupted(fits)
    assert train(tmp_path / "run", fits, kill) is None
    recorder = train(tmp_path / "run", fits)
    assert record(tmp_path / "run") == record(whole.path)
    assert resumptions(tmp_path / "run") == [carried_on]
    assert resumptions(whole.path) == []
    assert recorder.events == whole.events
    assert (recorder.best, recorder.save_best, recorder.setup, recorder.stages, recorder.next_epoch) == (
        whole.best,
        whole.save_best,
        whole.setup,
        whole.stages,
        whole.next_epoch,
    )


def watch(path, kill=None):
    """A script whose recorder is that of a `Watch`, which looks at the run with the rules after each epoch."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(3.0), "mse", run_eagerly=True)  # far too high: there is something to find
    made = Watch(
        path,
        stability=StabilityMonitor("loss", window=2),
        **dict.fromkeys(monitor_kinds().keys() - {"stability"}),
        window=2,
        display="off",
        verbose=0,
    )
    resumable = ResumableRun(path, verbose=0)
    callbacks = [Kill(resumable, *(kill or (0, 0, 0))), made, resumable]
    try:
        model.fit(X, X, batch_size=2, shuffle=False, epochs=3, verbose=0, callbacks=callbacks)
    except (Killed, SystemExit):
        endings.leave(made.recorder._ending)
        endings.leave(resumable)


@pytest.mark.parametrize("kill", [(1, 1, 0), (1, 2, 2)])
def test_record_of_a_watch_has_no_seam(tmp_path, kill):
    watch(tmp_path / "whole")
    watch(tmp_path / "run", kill)
    watch(tmp_path / "run")
    assert record(tmp_path / "run") == record(tmp_path / "whole")
    assert len(resumptions(tmp_path / "run")) == 1
    assert "finding" in {event["kind"] for event in runs.open(tmp_path / "run").events}


def test_killed_twice_is_carried_on_twice(tmp_path, uninterrupted):
    whole = uninterrupted(ONE)
    for kill in ((1, 1, 0), (1, 1, 1), None):
        train(tmp_path / "run", ONE, kill)
    assert record(tmp_path / "run") == record(whole.path)
    assert resumptions(tmp_path / "run") == [(1, 0, None), (1, 1, WALLTIME)]


def test_recorder_that_is_used_once_more_carries_on(tmp_path, uninterrupted):
    """The cell of a notebook is run again, after an exception of which nobody told it."""
    whole, same = uninterrupted(ONE), []
    for kill in ((1, 1, 0), (1, 1, 2), None):
        train(tmp_path / "run", ONE, kill, same=same)
    assert record(tmp_path / "run") == record(whole.path)
    assert resumptions(tmp_path / "run") == [(1, 0, None), (1, 2, WALLTIME)]
    assert same[1].events == whole.events


def test_loop_by_next_epoch_is_passed_over_as_it_was(tmp_path, uninterrupted):
    """Fits that had ended have no epoch; the others begin where they began."""
    whole = uninterrupted(LOOP, again=True)
    train(tmp_path / "run", LOOP, (2, 3, 0), again=True)
    recorder = train(tmp_path / "run", LOOP, again=True)
    assert record(tmp_path / "run") == record(whole.path)
    assert recorder.next_epoch == 5


def test_what_was_recorded_after_the_state_is_done_once_more(tmp_path, uninterrupted):
    """A signal came then: its event is gone, and `resumed` names it."""
    whole = uninterrupted(ONE)
    train(tmp_path / "run", ONE, (1, 2, 0))
    writer = runs.RunWriter.reopen(tmp_path / "run")
    writer.log_epoch(2, {"loss": 99.0})
    writer.event("interrupted", "SIGTERM came.")
    writer.finish("interrupted", {"error": "SIGTERM came.", "signal": "SIGTERM"})
    train(tmp_path / "run", ONE)
    assert record(tmp_path / "run") == record(whole.path)
    assert resumptions(tmp_path / "run") == [(2, 0, "SIGTERM")]


def test_signal_is_named_in_the_summary(tmp_path):
    recorder = RunRecorder(tmp_path)
    recorder._ending.on_signal("SIGUSR1")
    summary = runs.open(tmp_path).summary
    assert summary["signal"] == "SIGUSR1"
    recorder.writer.resume()
    assert not {"signal", "error"} & runs.open(tmp_path).summary.keys()


def content(path):
    return {file: file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def fit(*callbacks):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, X, verbose=0, callbacks=list(callbacks))


def test_fit_that_does_not_carry_on_touches_nothing(tmp_path):
    """Neither does anything else that the recorder is asked for before its run is brought back."""
    train(tmp_path / "run", ONE, (1, 2, 0))
    before = content(tmp_path)
    recorder = RunRecorder(tmp_path / "run")
    recorder.event("note", "Something.")
    with pytest.raises(
        FileExistsError, match=r"holds a training that was not finished\. .*ResumableRun\('.*run'\) amon"
    ):
        fit(recorder)
    with pytest.raises(FileExistsError, match="or move that one away"):
        fit(recorder, ResumableRun(tmp_path / "other"))
    recorder.fail(ValueError("no"))
    recorder.conclude(test_jaccard=0.5)
    assert content(tmp_path) == before


def test_fit_that_begins_anew_beside_a_state_is_refused(tmp_path):
    train(tmp_path / "run", ONE, (1, 2, 0))
    before = content(tmp_path)
    resumable = ResumableRun(tmp_path / "run", verbose=0)
    resumable._live = True  # as if the process had begun another training with it
    with pytest.raises(FileExistsError, match="its state was not brought back before this `fit` began"):
        fit(RunRecorder(tmp_path / "run"), resumable)
    assert content(tmp_path) == before


@pytest.mark.parametrize("epochs", [0, 2])
def test_run_that_was_killed_before_its_first_state_begins_again(tmp_path, epochs, uninterrupted):
    """Its process is gone; what it has recorded since is done once more."""
    whole = uninterrupted(ONE)
    if epochs:
        train(tmp_path / "run", ONE, (1, epochs, 0))
        for file in (tmp_path / "run/state").iterdir():
            file.unlink()
    else:
        RunRecorder(tmp_path / "run", {"a": 1}, 1)
        header = json.loads((tmp_path / "run/run.json").read_text())
        header["process"] |= {"pid": 2**22 + 7, "started": None}
        (tmp_path / "run/run.json").write_text(json.dumps(header))
    with pytest.warns(UserWarning, match="was killed before its first state was saved. It begins again"):
        train(tmp_path / "run", ONE)
    assert record(tmp_path / "run") == record(whole.path)
    assert resumptions(tmp_path / "run") == [(0, 0, None)]


def test_finished_run_is_carried_on_where_that_is_said(tmp_path, uninterrupted):
    train(tmp_path / "run", [(None, 2)])
    before = content(tmp_path)
    with pytest.raises(
        FileExistsError, match=r"whose training has\. To carry .*: `unetdyn resume .*run --epochs N`, or"
    ):
        train(tmp_path / "run", ONE)
    assert content(tmp_path) == before
    train(tmp_path / "run", ONE, extend=True)
    longer, whole = record(tmp_path / "run"), record(uninterrupted(ONE).path)
    assert longer["epochs"] == whole["epochs"]
    assert longer["summary"] == whole["summary"]
    assert [event["kind"] for event in longer["events"]] == [event["kind"] for event in whole["events"]]
    assert resumptions(tmp_path / "run") == [(2, 0, "finished")]


def test_run_without_a_state_is_refused_as_ever(tmp_path):
    recorder = RunRecorder(tmp_path, save_best=None)
    fit(recorder)
    for status in ("running", "failed", "finished"):
        recorder.writer.finish("finished") if status == "finished" else recorder.writer.resume()
        with pytest.raises(FileExistsError, match="must be a new or empty folder"):
            RunRecorder(tmp_path)


def test_damaged_run_with_a_state_is_said_to_be_damaged(tmp_path):
    train(tmp_path, ONE, (1, 2, 0))
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(runs.RunError, match="is damaged"):
        RunRecorder(tmp_path)


def test_copy_of_a_waiting_recorder_is_a_new_run(tmp_path):
    train(tmp_path / "run", ONE, (1, 2, 0))
    waiting = RunRecorder(tmp_path / "run", {"a": 2}, save_best="loss")
    for made in (copy.copy(waiting), copy.deepcopy(waiting)):
        fit(made)
        run = runs.open(made.path)
        assert (run.path.parent, run.status, run.config) == (tmp_path, "finished", {"a": 2})
        assert run.path != waiting.path


def test_state_is_taken_without_a_change(tmp_path):
    recorder = RunRecorder(tmp_path / "run", save_best="loss")
    fit(recorder)
    before = content(tmp_path)
    recorder.get_state()
    assert content(tmp_path) == before
