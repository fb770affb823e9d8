"""Watch inside real `fit` calls: that everyone gets what Keras tells, and what is said while a training goes on."""

import types

import keras
import numpy as np
import pytest

from unetdyn import callbacks, runs
from unetdyn.analysis.declarations import Declaration
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.finding import TROUBLE
from unetdyn.callbacks import (
    GradientMonitor,
    LiveDashboard,
    Monitor,
    NonFiniteGuard,
    RunRecorder,
    StabilityMonitor,
    Watch,
)
from unetdyn.callbacks.live_findings import LiveFindings, evidence_so_far
from unetdyn.metrics import ThresholdedJaccard

pytestmark = pytest.mark.usefixtures("untraced")

RNG = np.random.default_rng(0)
X = RNG.random((8, 4, 4, 1), dtype="float32")
Y = (X > 0.5).astype("float32")
NAMES = {"stability", "gradient", "update", "noise_scale"}
QUIET = {"display": "off", "verbose": 0}


def make_model(learning_rate=0.1):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, activation="sigmoid")])
    model.compile(keras.optimizers.SGD(learning_rate), "binary_crossentropy", metrics=[ThresholdedJaccard()])
    return model


def fit(*given, model=None, epochs=3, **arguments):
    arguments = {"validation_data": (X, Y), "batch_size": 4, "verbose": 0} | arguments
    model = model or make_model()
    keras.utils.set_random_seed(1)  # the order of the images
    return model.fit(X, Y, epochs=epochs, callbacks=list(given), **arguments)


class Give(keras.callbacks.Callback):
    """Puts known values into `logs`, where others wrote theirs."""

    def __init__(self, **series):
        super().__init__()
        self.series = series

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: values[epoch] for name, values in self.series.items()})


class Raise(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        raise RuntimeError("stopped")


class Hears(Monitor):
    """Notes every hook in the order in which all that share its list were called."""

    declaration = Declaration("hears")

    def __init__(self, heard, name="hears"):
        self.heard = heard
        super().__init__(name)

    @property
    def record(self):
        return {"count": np.array([len(self.heard)])}

    def __getattribute__(self, hook):
        found = super().__getattribute__(hook)
        if hook.startswith("on_") and not getattr(found, "_is_default", False):
            super().__getattribute__("heard").append((super().__getattribute__("name"), hook))
        return found


class HearsBatches(Hears):
    def on_batch_end(self, batch, logs=None):
        assert "loss" in logs


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """One training with everything by default, and one that nobody watched."""
    watch = Watch(tmp_path_factory.mktemp("watch") / "run", config={"filters": 1}, seed=3, **QUIET)
    model, plain = make_model(), make_model()
    history = fit(watch, model=model)
    return types.SimpleNamespace(watch=watch, model=model, history=history, plain=plain, alone=fit(model=plain))


def test_watch_holds_every_monitor_that_is_exported(trained):
    kinds = [getattr(callbacks, name) for name in callbacks.__all__]
    declared = {kind.declaration.name for kind in kinds if issubclass(kind, Monitor) and kind is not Monitor}
    assert set(trained.watch.monitors) == declared - {""} - {"monitor"} - {Monitor.declaration.name}
    assert set(trained.watch.monitors) >= NAMES


def test_watch_leaves_a_whole_run(trained):
    run = trained.watch.run
    assert (run.status, run.config, run.seed) == ("finished", {"filters": 1}, 3)
    assert set(run.array_names) >= NAMES
    for name, values in trained.history.history.items():
        np.testing.assert_array_equal(run.series(name)[1], values)
    for name, record in trained.watch.monitors["gradient"].record.items():
        if not isinstance(record, dict):
            np.testing.assert_array_equal(run.arrays("gradient")[name], record)
    assert run.setup["optimizer"]["name"] == "SGD"
    assert trained.watch.path == run.path
    assert isinstance(trained.watch.recorder, RunRecorder)


def test_states_await_the_model_that_a_watch_writes(tmp_path):
    """As that of a recorder: `ResumableRun` asks each callback for its `background`."""
    watch = Watch(tmp_path / "run", display="off")
    assert watch.background is watch.recorder.background


def test_watch_changes_no_training(trained):
    for name, values in trained.alone.history.items():
        np.testing.assert_allclose(trained.history.history[name], values, rtol=2e-5)
    for one, other in zip(trained.model.get_weights(), trained.plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=2e-6)


def test_watch_chooses_the_best_epoch_by_the_overlap(trained):
    assert trained.watch.recorder.save_best == "val_jaccard"
    best = int(np.argmax(trained.history.history["val_jaccard"]))
    assert trained.watch.run.summary["best_epoch"] == best


def test_evidence_in_memory_is_that_of_the_run_directory(trained):
    recorder = trained.watch.recorder
    memory, disk = evidence_so_far(recorder), Evidence.read(trained.watch.run)
    assert list(memory.curves) == list(disk.curves)
    for name, curve in disk.curves.items():
        np.testing.assert_array_equal(memory.curves[name].epochs, curve.epochs)
        np.testing.assert_array_equal(memory.curves[name].values, curve.values)
        assert memory.curves.direction(name) == disk.curves.direction(name)
    assert (memory.metric, memory.epochs, memory.status) == (disk.metric, disk.epochs, "finished")
    assert memory.setup == disk.setup
    untimed = [{key: value for key, value in event.items() if key != "time"} for event in disk.events]
    assert list(memory.events) == untimed
    assert set(memory.records) == set(disk.records)
    for name in memory.records:
        assert memory.records[name].keys() == disk.records[name].keys()


def test_monitors_are_left_out_and_replaced(tmp_path):
    mine = StabilityMonitor("loss", window=2)
    watch = Watch(
        tmp_path, gradient=None, noise_scale=None, stability=mine, monitors=[NonFiniteGuard(verbose=0)], **QUIET
    )
    fit(watch, epochs=2)
    assert watch.monitors["stability"] is mine
    assert {"gradient", "noise_scale"}.isdisjoint(watch.monitors)
    assert "non_finite_guard" in watch.run.array_names
    assert "loss_stability" in watch.run.history


class Probed(Monitor):
    """One that a later version may export: it takes a probe."""

    declaration = Declaration("probed")
    record = {}  # noqa: RUF012

    def __init__(self, probe=None, name="probed", verbose=0):
        self.probe = probe
        super().__init__(name, verbose)


def test_new_monitors_join_by_being_exported_and_are_given_the_probe(tmp_path, monkeypatch):
    monkeypatch.setattr(callbacks, "Probed", Probed, raising=False)
    monkeypatch.setattr(callbacks, "__all__", [*callbacks.__all__, "Probed"])
    probe = (X[:2], Y[:2])
    assert Watch(tmp_path / "one", probe=probe, **QUIET).monitors["probed"].probe is probe
    assert "probed" not in Watch(tmp_path / "two", probed=None, **QUIET).monitors


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"gradeint": None}, TypeError, r"`Watch` takes a keyword for each monitor: .* Did you mean 'gradient'\?"),
        ({"save_bets": "loss"}, TypeError, r"Received: save_bets='loss'. Did you mean 'save_best'\?"),
        ({"gradient": StabilityMonitor()}, TypeError, "`gradient` must be a GradientMonitor, or None. Received: Stab"),
        ({"every": 0}, ValueError, "`every` must be a whole number of epochs, 1 or more, or None for never"),
        ({"display": "noteboook"}, ValueError, r"`display` must be one of .* Did you mean 'notebook'\?"),
        ({"stop_on": ("nonfinte",)}, ValueError, r"`stop_on` must name codes .* Did you mean '.*nonfinite'\?"),
        ({"monitors": [StabilityMonitor()]}, ValueError, "`monitors` must have different names"),
        ({"window": 1}, ValueError, "window"),
        ({"every": None, "stop_on": ["nonfinite"]}, ValueError, "`every` must be a number where `stop_on` is given"),
    ],
)
def test_wrong_arguments_are_refused_and_leave_no_directory(tmp_path, arguments, error, text):
    with pytest.raises(error, match=text):
        Watch(tmp_path / "run", **arguments)
    assert not (tmp_path / "run").exists()


def test_a_directory_that_holds_something_is_refused(tmp_path):
    RunRecorder(tmp_path / "run")
    with pytest.raises(FileExistsError, match="new or empty"):
        Watch(tmp_path / "run")


def test_hooks_are_handed_on_in_order(tmp_path):
    heard = []
    one, two = Hears(heard, "one"), HearsBatches(heard, "two")
    watch = Watch(tmp_path, monitors=[one, two], **QUIET)
    heard.clear()
    fit(watch, epochs=1)
    hooks = [hook for name, hook in heard if name == "one"]
    assert hooks == ["on_epoch_begin"]  # all that a monitor of its own overrides; the others do nothing
    assert [name for name, hook in heard if hook == "on_epoch_begin"] == ["one", "two"]
    assert [name for name, hook in heard if hook == "on_batch_end"] == ["two"] * 2
    assert watch.run.arrays("two")["count"].size == 1


def test_keras_need_not_wait_for_steps_that_nobody_listens_to(tmp_path):
    watch = Watch(tmp_path, **QUIET)
    for name in ("on_train_batch_begin", "on_train_batch_end", "on_test_batch_end", "on_batch_end"):
        assert getattr(watch, name)._is_default


@pytest.mark.parametrize("given", ["before", "after"])
def test_a_monitor_in_the_list_of_callbacks_too_is_called_once(tmp_path, given):
    mine, other = StabilityMonitor(window=2), GradientMonitor()
    watch = Watch(tmp_path, stability=mine, **QUIET)
    fit(*((mine, other, watch) if given == "before" else (watch, other, mine)), epochs=3)
    assert mine.record["epoch"].tolist() == [0, 1, 2]
    np.testing.assert_array_equal(other.record["grad_norm"], watch.monitors["gradient"].record["grad_norm"])
    again = make_model()
    with pytest.warns(UserWarning, match="StabilityMonitor begins anew"):
        fit(mine, epochs=1, model=again)
    assert mine.record["epoch"].tolist() == [0]


def test_watch_carries_on_and_refuses_a_second_training(tmp_path):
    watch, model = Watch(tmp_path, **QUIET), make_model()
    fit(watch, model=model, epochs=2)
    fit(watch, model=model, epochs=3, initial_epoch=2)
    assert watch.run.history["epoch"].tolist() == [0, 1, 2]
    assert watch.monitors["stability"].record["epoch"].tolist() == [0, 1, 2]
    assert watch.run.status == "finished"
    fit(watch, model=model, epochs=1)  # a loop of fits, each of which counts from 0
    assert watch.run.history["epoch"].tolist() == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"a run directory holds one training.* at epoch 0: this is another model"):
        fit(watch, epochs=2)
    assert watch.monitors["stability"].record["epoch"].tolist() == [0, 1, 2, 3]
    assert model.evaluate(X, Y, verbose=0, callbacks=[watch]) is not None


def test_after_an_exception_nothing_is_lost(tmp_path):
    watch = Watch(tmp_path, **QUIET)
    with pytest.raises(RuntimeError, match="stopped") as caught:
        fit(watch, Raise())
    assert watch.run.status == "running"
    assert len(watch.run.epochs) == 1
    assert watch.run.setup["optimizer"]["name"] == "SGD"
    watch.fail(caught.value)
    assert watch.run.status == "failed"
    assert "stopped" in watch.run.summary["error"]


def test_terminal_shows_a_line_an_epoch_and_findings(tmp_path, capsys):
    watch = Watch(tmp_path, display="terminal", noise_scale=None)
    fit(Give(loss=[0.5, np.nan, 0.4], val_loss=[0.5, 0.5, 0.5]), watch)
    assert isinstance(watch.dashboard, LiveDashboard)
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("epoch ")]) == 3
    codes = {event["code"] for event in watch.run.events if event["kind"] == "finding"}
    assert codes
    for code in codes:
        assert any(line.startswith("Epoch ") and code in line for line in lines)


# The live rules, with planted findings: which there are is a matter of the rules.


def diagnosis_of(*findings):
    made = [callbacks.watch.Finding(code, level, "thing", f"{code} is seen.") for code, level in findings]
    return types.SimpleNamespace(findings=tuple(made), headline=tuple(one for one in made if one.level in TROUBLE))


@pytest.fixture
def planted(monkeypatch):
    """Lets a test say what the rules find at each look."""

    def plant(*looks):
        left = iter(looks)
        seen = []

        def diagnose(evidence):
            seen.append(evidence)
            found = next(left)
            if isinstance(found, Exception):
                raise found
            return diagnosis_of(*found)

        monkeypatch.setattr("unetdyn.analysis.diagnosis.diagnose", diagnose)
        return seen

    return plant


def findings_of(run):
    events = [event for event in run.events if event["kind"] == "finding"]
    return [(event["epoch"], event["code"], event["level"], bool(event.get("over"))) for event in events]


LOW, BAD, FINE = ("a.low", "watch"), ("b.bad", "ill"), ("c.fine", "good")


def test_findings_are_said_once_when_they_begin_and_once_when_they_are_over(tmp_path, planted, capsys):
    seen = planted([FINE, LOW], [LOW, BAD], [BAD], [LOW, BAD], [FINE])
    watch = Watch(tmp_path, display="off", noise_scale=None)
    assert watch.diagnosis is None
    fit(watch, epochs=4)
    expected = [
        (0, "a.low", "watch", False),
        (1, "b.bad", "ill", False),
        (2, "a.low", "good", True),
        (3, "a.low", "watch", False),
    ]
    assert findings_of(watch.run) == expected
    lines = [line for line in capsys.readouterr().out.splitlines() if line]
    assert [line.split(":")[0] for line in lines] == ["Epoch 1", "Epoch 2", "Epoch 3", "Epoch 4"]
    assert lines[2] == "Epoch 3: a.low: over since epoch 3."
    assert "b.bad is seen." in lines[1]
    assert [(since, found.code) for since, found in watch.findings] == [(3, "a.low"), (1, "b.bad")]
    assert [found.code for found in watch.diagnosis.findings] == ["c.fine"]
    assert [evidence.epochs for evidence in seen] == [1, 2, 3, 4, 4]
    assert [evidence.status for evidence in seen] == ["running"] * 4 + ["finished"]


@pytest.mark.parametrize(("every", "looks"), [(2, 1), (None, 0), (1, 3)])
def test_rules_are_applied_every_so_many_epochs(tmp_path, planted, every, looks):
    seen = planted([], [], [])
    fit(Watch(tmp_path, every=every, noise_scale=None, **QUIET))
    assert len(seen) == looks


@pytest.mark.parametrize(
    ("stop_on", "epochs"), [(("nonfinite",), 2), (("loss.nonfinite",), 2), ("gradient", 4), ((), 4)]
)
def test_training_stops_only_at_what_was_named(tmp_path, planted, stop_on, epochs, capsys):
    planted([LOW], [("loss.nonfinite", "ill")], [], [])
    watch = Watch(tmp_path, stop_on=stop_on, display="off", noise_scale=None)
    fit(watch, epochs=4)
    assert len(watch.run.epochs) == epochs
    stopped = [event for event in watch.run.events if event["kind"] == "stopped"]
    assert [event["code"] for event in stopped] == ["loss.nonfinite"] * (epochs == 2)
    assert [found.code for found in watch.stopped_on] == ["loss.nonfinite"] * (epochs == 2)
    assert ("Watch stops the training" in capsys.readouterr().out) == (epochs == 2)
    assert watch.run.status == "finished"


def test_a_rule_that_fails_ends_no_training_and_is_said_once(tmp_path, planted):
    planted(RuntimeError("odd"), RuntimeError("odd"), [LOW])
    watch = Watch(tmp_path, noise_scale=None, **QUIET)
    with pytest.warns(UserWarning, match="RuntimeError: odd") as caught:
        fit(watch)
    assert len([each for each in caught if "odd" in str(each.message)]) == 1
    assert [event["code"] for event in watch.run.events if event["kind"] == "warning"] == ["watch.failed"]
    assert findings_of(watch.run) == [(2, "a.low", "watch", False)]


def test_a_training_that_starts_anew_forgets_what_held(tmp_path, planted):
    planted([LOW], [LOW])
    live = LiveFindings(RunRecorder(tmp_path))
    assert [len(part) for part in live.look(0)] == [1, 0]
    live.restart()
    assert [len(part) for part in live.look(0)] == [1, 0]


@pytest.mark.parametrize("save_best", ["val_loss", None])
def test_recorders_choice_of_the_best_epoch_is_handed_on(tmp_path, save_best):
    watch = Watch(tmp_path, save_best=save_best, every=None, **QUIET)
    fit(watch, epochs=1)
    assert ("best_val_loss" in watch.run.summary) == (save_best is not None)
    assert watch.run.model_path is not None


def test_best_epoch_is_by_the_validation_loss_where_no_metric_is(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1)])
    model.compile("sgd", "mse")
    recorder = RunRecorder(tmp_path / "val", save_best="auto")
    fit(recorder, model=model, epochs=2, validation_freq=2)
    assert (recorder.save_best, recorder.best[0]) == ("val_loss", 1)
    without = RunRecorder(tmp_path / "none", save_best="auto")
    fit(without, model=model, epochs=1, validation_data=None)
    assert (without.best, runs.open(without.path).model_path is None) == (None, False)
