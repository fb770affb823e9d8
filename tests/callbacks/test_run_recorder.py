"""RunRecorder inside real `fit` calls: what lies in the run directory afterwards, and after an error."""

import keras
import numpy as np
import pytest

from unetdyn import runs
from unetdyn.analysis import read_history
from unetdyn.analysis.diagnosis import Evidence, findings_of_events
from unetdyn.callbacks import GradientMonitor, RunRecorder, StabilityMonitor

X = np.linspace(0, 1, 8).reshape(8, 1)


def make_model(learning_rate=0.1):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(learning_rate), loss="mse")
    return model


def fit(*callbacks, model=None, epochs=3, **kwargs):
    model = model or make_model()
    return model.fit(X, X, epochs=epochs, batch_size=4, verbose=0, callbacks=list(callbacks), **kwargs)


class Give(keras.callbacks.Callback):
    """Puts known values into `logs`."""

    def __init__(self, **series):
        super().__init__()
        self.series = series

    def on_epoch_end(self, epoch, logs=None):
        logs.update({name: values[epoch] for name, values in self.series.items() if values[epoch] is not None})


class KeepWeights(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.weights = []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(self.model.get_weights())


class Raise(keras.callbacks.Callback):
    def __init__(self, error, epoch=1):
        super().__init__()
        self.error, self.epoch = error, epoch

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise self.error


def saved_weights(run):
    return keras.saving.load_model(run.model_path).get_weights()


def assert_same(left, right):
    for one, other in zip(left, right, strict=True):
        np.testing.assert_array_equal(one, other)


def test_recorder_writes_the_history_that_fit_returns(tmp_path):
    recorder = RunRecorder(tmp_path / "run", config={"filters": 16}, seed=5, save_best="val_loss")
    history = fit(recorder, validation_data=(X, X))
    run = runs.open(recorder.path)
    assert run.status == "finished"
    assert run.config == {"filters": 16}
    assert run.seed == 5
    assert run.header["backend"] == keras.config.backend()
    assert set(history.history) == {"loss", "val_loss"}  # nothing of the recorder's in `logs`
    for name, values in history.history.items():
        np.testing.assert_array_equal(run.history[name], values)
    np.testing.assert_allclose(run.history["learning_rate"], 0.1, rtol=1e-6)
    assert (run.history["seconds"] >= 0).all()
    assert run.summary["epochs"] == 3
    assert run.summary["parameters"] == recorder.model.count_params()
    assert [event["kind"] for event in run.events if event["kind"] != "best"] == ["train_begin", "train_end"]


def test_recorder_notes_the_rate_of_a_schedule(tmp_path):
    model = make_model(keras.optimizers.schedules.PiecewiseConstantDecay([2], [0.5, 0.125]))
    fit(RunRecorder(tmp_path, save_best=None), model=model, epochs=2)
    assert runs.open(tmp_path).history["learning_rate"].tolist() == [0.5, 0.125]


@pytest.mark.parametrize(
    ("name", "mode", "values", "best"),
    [
        ("val_jaccard", "auto", [0.5, 0.8, 0.6], 1),
        ("val_jaccard", "min", [0.5, 0.8, 0.6], 0),
        ("my_loss", "auto", [0.5, 0.3, 0.2], 2),
        ("val_jaccard", "auto", [float("nan"), 0.1, float("nan")], 1),
        ("val_jaccard", "auto", [0.5, 0.5, 0.5], 0),
    ],
)
def test_recorder_keeps_the_model_of_the_best_epoch(tmp_path, name, mode, values, best):
    weights = KeepWeights()
    recorder = RunRecorder(tmp_path, save_best=name, mode=mode)
    fit(Give(**{name: values}), weights, recorder)
    run = runs.open(tmp_path)
    assert_same(saved_weights(run), weights.weights[best])
    assert recorder.best == (best, values[best])
    assert run.summary["best_epoch"] == best
    assert run.summary[f"best_{name}"] == values[best]
    assert [event for event in run.events if event["kind"] == "best"][-1]["epoch"] == best


@pytest.mark.parametrize(
    "name",
    [
        *(
            "val_mae",
            "val_mse",
            "val_hausdorff",
            "val_crossentropy",
            "val_perplexity",
            "val_brier",
            "val_rmse",
            "val_hd95",
        ),
        *("val_loss", "stability", "val_jaccard_stability_cv", "grad_exploding"),
    ],
)
def test_recorder_keeps_the_lowest_where_less_is_better(tmp_path, name):
    recorder = RunRecorder(tmp_path, save_best=name)
    fit(Give(**{name: [0.5, 0.3, 0.8]}), recorder)
    assert recorder.best == (1, 0.3)
    assert not [event for event in runs.open(tmp_path).events if event["kind"] == "warning"]


class Said(keras.metrics.Mean):
    """A metric object that says whether more or less of it is better."""

    def __init__(self, name, direction):
        super().__init__(name=name)
        self._direction = direction

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_pred)


@pytest.mark.parametrize(("direction", "best"), [("up", 1), ("down", 2)])
@pytest.mark.parametrize("name", ["mae", "jaccard", "stability", "sharpness"])
def test_recorder_believes_the_metric_object_and_not_its_name(tmp_path, name, direction, best):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[Said(name, direction)])
    recorder = RunRecorder(tmp_path, save_best=f"val_{name}")
    fit(Give(**{f"val_{name}": [0.5, 0.8, 0.3]}), recorder, model=model)
    assert recorder.best[0] == best
    run = runs.open(tmp_path)
    assert run.metrics == {name: direction}
    assert read_history(run).direction(f"val_{name}") == direction


@pytest.mark.parametrize("name", ["val_sharpness", "grad_norm"])
def test_recorder_says_which_direction_it_took_where_nothing_tells(tmp_path, name):
    expected = rf"the highest {name} is taken for the best.* pass mode='min' .* or mode='max' "
    with pytest.warns(UserWarning, match=expected) as caught:
        fit(Give(**{name: [0.5, 0.8, 0.3]}), RunRecorder(tmp_path / "auto", save_best=name))
    run = runs.open(tmp_path / "auto")
    assert run.summary["best_epoch"] == 1
    warned = [str(warning.message) for warning in caught if warning.category is UserWarning]
    assert [event["message"] for event in run.events if event["kind"] == "warning"] == warned
    assert len(warned) == 1
    fit(Give(**{name: [0.5, 0.8, 0.3]}), RunRecorder(tmp_path / "min", save_best=name, mode="min"))
    assert runs.open(tmp_path / "min").summary["best_epoch"] == 2


def test_recorder_takes_no_infinite_value_for_the_best(tmp_path):
    recorder = RunRecorder(tmp_path, save_best="val_jaccard")
    fit(Give(val_jaccard=[float("inf"), 0.2, float("inf")]), recorder)
    assert recorder.best == (1, 0.2)


@pytest.mark.parametrize("save_best", [None, "val_jaccard"])
def test_recorder_keeps_the_last_model_where_there_is_no_best(tmp_path, save_best):
    weights = KeepWeights()
    recorder = RunRecorder(tmp_path, save_best=save_best)
    if save_best:
        with pytest.warns(UserWarning, match=r"save_best='val_jaccard' is not in the logs of epoch 1.*loss") as caught:
            fit(weights, recorder)
        assert len([warning for warning in caught if warning.category is UserWarning]) == 1
    else:
        fit(weights, recorder)
    run = runs.open(tmp_path)
    assert_same(saved_weights(run), weights.weights[-1])
    assert "best_epoch" not in run.summary
    assert len([event for event in run.events if event["kind"] == "warning"]) == (save_best is not None)


def test_recorder_compares_no_epochs_by_a_value_a_class(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(3, activation="softmax")])
    model.compile(loss="categorical_crossentropy", metrics=[keras.metrics.F1Score(name="f1")])
    recorder, y = RunRecorder(tmp_path, save_best="f1"), np.eye(3)[np.arange(8) % 3]
    expected = r"save_best='f1' has 3 values in epoch 1, where one number is needed: let the metric average them"
    with pytest.warns(UserWarning, match=expected) as caught:
        model.fit(X, y, epochs=2, verbose=0, callbacks=[recorder])
    assert len([warning for warning in caught if warning.category is UserWarning]) == 1
    run = runs.open(tmp_path)
    assert (run.status, "best_epoch" in run.summary) == ("finished", False)
    assert_same(saved_weights(run), model.get_weights())


def test_recorder_compares_only_epochs_with_validation(tmp_path):
    with pytest.warns(UserWarning, match="Such epochs are not compared"):
        fit(RunRecorder(tmp_path, save_best="val_loss"), epochs=4, validation_data=(X, X), validation_freq=2)
    run = runs.open(tmp_path)
    assert run.series("val_loss")[0].tolist() == [1, 3]
    assert run.summary["best_epoch"] in (1, 3)


def thing(y_true, y_pred):
    """A metric of which Keras can't say whether more is better."""
    return keras.ops.mean(keras.ops.square(y_pred - y_true))


def watched_by(recorder, **arguments):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=[thing])
    model.fit(X, X, verbose=0, callbacks=[recorder], **arguments)
    return runs.open(recorder.path)


def test_recorder_says_each_of_its_troubles_with_a_code_of_its_own(tmp_path):
    """Two warnings of one recorder are two findings of a report."""
    recorder = RunRecorder(tmp_path, save_best="val_thing")
    with pytest.warns(UserWarning, match="save_best='val_thing' is not in the logs"):
        watched_by(recorder)
    with pytest.warns(UserWarning, match="the highest val_thing is taken for the best"):
        run = watched_by(recorder, validation_data=(X, X), epochs=2, initial_epoch=1)
    evidence, codes = Evidence.read(run), ["recorder.best_not_logged", "recorder.direction_assumed"]
    assert [event["code"] for event in evidence.events if event["kind"] == "warning"] == codes
    assert [found.code for found in findings_of_events(evidence)] == codes


@pytest.mark.parametrize(("mode", "best"), [("min", 1), ("max", 0)])
def test_run_is_read_by_the_direction_its_best_epoch_was_chosen_by(tmp_path, mode, best):
    """A function as metric says nothing of its direction."""
    run = watched_by(RunRecorder(tmp_path, save_best="val_thing", mode=mode), validation_data=(X, X), epochs=2)
    assert run.summary["best_epoch"] == best
    assert read_history(run).best("val_thing") == best


class FilesOfRecord(keras.callbacks.Callback):
    """What lies in `dynamics` after each epoch, and what a reader makes of it."""

    def __init__(self, path):
        super().__init__()
        self.path, self.files, self.steps = path, [], []

    def on_epoch_end(self, epoch, logs=None):
        folder = self.path / "dynamics"
        self.files.append(sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*.npz")))
        self.steps.append(runs.open(self.path).arrays("gradient")["step"].tolist())


def test_epoch_writes_its_own_steps_and_the_end_makes_one_file(tmp_path):
    monitor, files = GradientMonitor(), FilesOfRecord(tmp_path)
    fit(monitor, RunRecorder(tmp_path, save_best=None, monitors=[monitor]), files, epochs=3)
    assert files.files == [
        ["gradient/000000000000-000000000002.npz"],
        ["gradient/000000000000-000000000004.npz"],
        ["gradient/000000000000-000000000004.npz", "gradient/000000000004-000000000006.npz"],
    ]
    assert files.steps == [list(range(2 * epochs)) for epochs in (1, 2, 3)]
    assert [file.name for file in (tmp_path / "dynamics").iterdir()] == ["gradient.npz"]
    recorded = runs.open(tmp_path).arrays("gradient")
    assert str(recorded) == str(monitor.record)


def test_recorder_keeps_the_records_and_messages_of_monitors(tmp_path):
    monitor = StabilityMonitor("loss", window=2)
    recorder = RunRecorder(tmp_path, save_best=None, monitors=[monitor])
    fit(monitor, recorder)
    run = runs.open(tmp_path)
    for name, values in monitor.record.items():
        np.testing.assert_array_equal(run.arrays("stability")[name], values)
    assert "loss_stability" in run.history
    events = [event for event in run.events if event["kind"] == "monitor"]
    assert [(event["epoch"], event["message"]) for event in events] == list(monitor.messages)
    assert [(event["code"], event["level"]) for event in events] == [
        (finding.code, finding.level) for _, finding in monitor.findings
    ]
    assert {event["code"] for event in events} == {"stability.loss"}
    assert run.summary["stability"]["loss"]["label"] == monitor.result.label
    assert run.summary["stability"]["loss"]["sigma"] == monitor.result.sigma


@pytest.mark.parametrize(
    ("error", "status"), [(RuntimeError("no memory"), "failed"), (KeyboardInterrupt(), "interrupted")]
)
def test_recorder_tells_how_training_stopped(tmp_path, error, status):
    recorder = RunRecorder(tmp_path, save_best="loss")
    with pytest.raises(type(error)):
        fit(recorder, Raise(error))
    assert runs.open(tmp_path).status == "running"
    recorder.fail(error)
    run = runs.open(tmp_path)
    assert run.status == status
    assert type(error).__name__ in run.summary["error"]
    assert run.events[-1]["kind"] == status
    assert "after 2 whole epochs" in run.events[-1]["message"]
    assert run.model_path is not None


class RaiseAt(keras.callbacks.Callback):
    """Breaks training off in the second of an epoch's two steps."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.now, batch) == (self.epoch, 1):
            raise RuntimeError("no memory")


def test_recorder_keeps_the_steps_that_led_to_an_error(tmp_path):
    monitor = GradientMonitor()
    recorder = RunRecorder(tmp_path, save_best="loss", monitors=[monitor])
    with pytest.raises(RuntimeError, match="no memory") as caught:
        fit(monitor, recorder, RaiseAt(2))
    assert runs.open(tmp_path).arrays("gradient")["epoch"].tolist() == [0, 0, 1, 1]
    recorder.fail(caught.value)
    assert runs.open(tmp_path).arrays("gradient")["epoch"].tolist() == [0, 0, 1, 1, 2, 2]


def test_recorder_tells_where_the_unfinished_epoch_cannot_be_read(tmp_path, monkeypatch):
    def read():
        raise RuntimeError("the device is lost")

    monitor = GradientMonitor()
    recorder = RunRecorder(tmp_path, save_best="loss", monitors=[monitor])
    with pytest.raises(RuntimeError, match="no memory") as caught:
        fit(monitor, recorder, RaiseAt(2))
    monkeypatch.setattr(monitor, "read", read)
    recorder.fail(caught.value)
    run = runs.open(tmp_path)
    assert "no memory" in run.summary["error"]
    expected = "The unfinished epoch could not be read. RuntimeError: the device is lost"
    assert expected in [event["message"] for event in run.events]


def test_recorder_carries_on_with_initial_epoch_and_refuses_a_second_training(tmp_path):
    recorder = RunRecorder(tmp_path, save_best=None)
    fit(recorder, epochs=2)
    with pytest.raises(
        ValueError, match=r"a run directory holds one training. Received: a fit that begins at epoch 0.*=2 "
    ):
        fit(recorder, epochs=2)
    fit(recorder, epochs=3, initial_epoch=2)
    run = runs.open(tmp_path)
    assert run.history["epoch"].tolist() == [0, 1, 2]
    assert run.status == "finished"
    assert run.summary["epochs"] == 3


def test_recorder_records_metrics_with_several_values(tmp_path):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=[keras.metrics.F1Score(average=None, name="f1")])
    fit_y = np.eye(2, dtype="float32")[[0, 1] * 4]
    history = model.fit(X, fit_y, verbose=0, callbacks=[RunRecorder(tmp_path, save_best=None)])
    expected = keras.ops.convert_to_numpy(history.history["f1"][0])
    np.testing.assert_allclose(runs.open(tmp_path).epochs[0]["f1"], expected)


def test_recorder_of_no_epochs_is_a_finished_run(tmp_path):
    fit(RunRecorder(tmp_path), epochs=0)
    run = runs.open(tmp_path)
    assert run.status == "finished"
    assert run.epochs == []
    assert run.model_path is None


def test_recorder_refuses_a_folder_that_holds_something(tmp_path):
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(FileExistsError, match=r"`path` must be a new or empty folder"):
        RunRecorder(tmp_path)


def test_recorder_refuses_bad_arguments_before_it_makes_the_folder(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(ValueError, match=r"`mode` must be one of 'auto', 'max', 'min'. Received: mode='maximum'"):
        RunRecorder(path, mode="maximum")
    with pytest.raises(
        TypeError, match=r"`monitors` must be monitors or controls of `unetdyn.callbacks`, .* Received: EarlyStopping"
    ):
        RunRecorder(path, monitors=[keras.callbacks.EarlyStopping()])
    with pytest.raises(
        ValueError, match=r"`monitors` must have different names.*Received: \['stability', 'stability'\]"
    ):
        RunRecorder(path, monitors=[StabilityMonitor(), StabilityMonitor()])
    assert not path.exists()


def test_recorder_overrides_no_batch_hook():
    for hook in ("on_batch_end", "on_train_batch_end", "on_test_batch_end", "on_predict_batch_end"):
        assert getattr(RunRecorder, hook) is getattr(keras.callbacks.Callback, hook)


def test_recorder_keeps_one_run_of_several_stages(tmp_path):
    recorder, model, seen = RunRecorder(tmp_path, save_best="loss"), make_model(0.1), []
    look = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: seen.append(runs.open(tmp_path).status))
    recorder.begin_stage("coarse", more=True)
    fit(recorder, look, model=model, epochs=2)
    between = runs.open(tmp_path)
    assert (between.status, recorder.next_epoch) == ("running", 2)
    assert between.stages == [{"name": "coarse", "epoch": 0, "setup": between.setup}]
    model.compile(keras.optimizers.SGD(0.01), "mae")
    recorder.begin_stage("fine")
    fit(recorder, look, model=model, initial_epoch=2, epochs=3)
    run = runs.open(tmp_path)
    assert (run.status, run.summary["epochs"], seen) == ("finished", 3, ["running"] * 3)
    told = [(stage["name"], stage["epoch"], stage["setup"]["loss"]["name"]) for stage in run.stages]
    assert told == [("coarse", 0, "mean_squared_error"), ("fine", 2, "mean_absolute_error")]
    rates = [stage["setup"]["optimizer"]["learning_rate"] for stage in run.stages]
    assert rates == pytest.approx([0.1, 0.01])
    assert run.setup == run.stages[1]["setup"]
    kinds = [event["kind"] for event in run.events if event["kind"] != "best"]
    assert kinds == ["train_begin", "stage", "stage_end", "train_begin", "stage", "train_end"]
    (end,) = [event for event in run.events if event["kind"] == "stage_end"]
    assert (end["message"], end["epoch"], end["stage"]) == ("Stage 'coarse' ended after epoch 2.", 1, "coarse")


def test_recorder_ends_a_run_with_a_fit_that_is_no_stage(tmp_path):
    """More were announced, and none came: what was said of the stage stays."""
    recorder, model = RunRecorder(tmp_path, save_best="loss"), make_model()
    recorder.begin_stage("coarse", more=True)
    fit(recorder, model=model, epochs=1)
    model.compile(keras.optimizers.Adam(), "mae")
    fit(recorder, model=model, initial_epoch=1, epochs=2)
    run = runs.open(tmp_path)
    assert (run.status, run.summary["epochs"]) == ("finished", 2)
    assert [(stage["name"], stage["setup"]["optimizer"]["name"]) for stage in run.stages] == [("coarse", "SGD")]
    assert run.setup["optimizer"]["name"] == "Adam"


def test_recorder_has_a_stage_of_the_epochs_before_the_first(tmp_path):
    recorder, model = RunRecorder(tmp_path, save_best="loss"), make_model()
    fit(recorder, model=model, epochs=1)
    assert recorder.stages == []
    with pytest.raises(ValueError, match=r"those are \['before'\]. Received: name='before'"):
        recorder.begin_stage("before")
    model.compile("sgd", "mae")
    recorder.begin_stage("fine")
    fit(recorder, model=model, initial_epoch=1, epochs=2)
    told = [(stage["name"], stage["epoch"], stage["setup"]["loss"]["name"]) for stage in runs.open(tmp_path).stages]
    assert told == [("before", 0, "mean_squared_error"), ("fine", 1, "mean_absolute_error")]
    assert Evidence.read(tmp_path).loss_since == 1


def test_recorder_refuses_stages_of_one_name(tmp_path):
    recorder = RunRecorder(tmp_path, save_best="loss")
    recorder.begin_stage("coarse", more=True)
    fit(recorder, epochs=1)
    text = r"`name` must be a text that no earlier stage has; those are \['coarse'\]\. Received: name="
    for name in ("coarse", "", 3):
        with pytest.raises(ValueError, match=text):
            recorder.begin_stage(name)


def test_recorder_says_what_a_stage_was_made_with_that_failed_in_its_first_epoch(tmp_path):
    recorder, model = RunRecorder(tmp_path, save_best="loss"), make_model()
    recorder.begin_stage("coarse", more=True)
    fit(recorder, model=model, epochs=1)
    model.compile(keras.optimizers.Adam(), "mse")
    recorder.begin_stage("fine")
    with pytest.raises(RuntimeError) as caught:
        fit(Raise(RuntimeError("broken"), epoch=1), recorder, model=model, initial_epoch=1, epochs=2)
    recorder.fail(caught.value)
    run = runs.open(tmp_path)
    assert (run.status, run.history["epoch"].tolist()) == ("failed", [0])
    assert [stage["setup"]["optimizer"]["name"] for stage in run.stages] == ["SGD", "Adam"]
