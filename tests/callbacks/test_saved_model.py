"""The best model, written in the background: what is in the file, what counts as the best, and who waits."""

import threading

import keras
import numpy as np
import pytest

from unetdyn import runs
from unetdyn.callbacks import RunRecorder
from unetdyn.callbacks.model_copy import ModelCopy
from unetdyn.runs.input_recipe import InputRecipe, input_of

LIMIT = 60
X = np.random.default_rng(0).random((16, 4)).astype("float32")


def compiled(seed=0, policy="float32"):
    keras.utils.set_random_seed(seed)
    layers = [
        keras.layers.Dense(8, dtype=policy),
        keras.layers.BatchNormalization(dtype=policy),
        keras.layers.Dropout(0.5),
    ]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1, dtype="float32")])
    optimizer = keras.optimizers.Adam(0.1)
    model.compile(
        keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0) if policy == "mixed_float16" else optimizer,
        "mse",
        metrics=["mae"],
    )
    return model


@pytest.fixture
def writing(monkeypatch):
    """Holds each writing until it may go on."""

    class Writing:
        begun, may_end, held = threading.Event(), threading.Event(), []

    write = ModelCopy.write

    def held(copied, path):
        Writing.held.append(copied)
        Writing.begun.set()
        assert Writing.may_end.wait(LIMIT)
        write(copied, path)

    monkeypatch.setattr(ModelCopy, "write", held)
    yield Writing
    Writing.may_end.set()


@pytest.fixture
def begin(tmp_path):
    """A recorder in a training whose hooks are called by hand."""
    begun = []

    def make(model=None):
        recorder = RunRecorder(tmp_path, save_best="loss")
        recorder.set_model(model or compiled())
        recorder.on_train_begin()
        begun.append(recorder)
        return recorder

    yield make
    for recorder in begun:
        recorder.fail(KeyboardInterrupt())


@pytest.mark.parametrize("way", ["in line", "in the background"])
def test_file_says_how_images_were_made_ready(tmp_path, way):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    recipe = InputRecipe((12.0, 3.5), tile=(64, 64))
    writer = RunRecorder(tmp_path, input_recipe=recipe)._written
    if way == "in line":
        assert writer.save_model(model)
    else:
        writer.write_copy(ModelCopy(model))
    assert input_of(tmp_path) == recipe
    for ours, saved in zip(
        keras.saving.load_model(tmp_path / "model.keras").get_weights(), model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(ours, saved)


def test_recipe_must_be_one(tmp_path):
    with pytest.raises(TypeError, match=r"`input_recipe` must be .* Received: input_recipe='per_image'"):
        RunRecorder(tmp_path, input_recipe="per_image")
    assert not any(tmp_path.iterdir())


class Decide(keras.callbacks.Callback):
    """Only the first epoch is the best; it is written when the training has gone on for one more."""

    def __init__(self, writing):
        super().__init__()
        self.writing, self.weights = writing, []

    def on_epoch_end(self, epoch, logs=None):
        logs["val_score"] = float(epoch == 0)
        self.weights.append([weight.copy() for weight in self.model.get_weights()])
        if epoch == 1:
            self.writing.may_end.set()


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "bfloat16"])
@pytest.mark.parametrize("save_optimizer", [False, True])
def test_file_is_of_its_epoch_to_the_last_bit_though_the_training_went_on(tmp_path, writing, policy, save_optimizer):
    decide = Decide(writing)
    recorder = RunRecorder(tmp_path, save_best="val_score", mode="max", save_optimizer=save_optimizer)
    model = compiled(policy=policy)
    model.fit(X, X[:, :1], batch_size=8, epochs=4, verbose=0, callbacks=[decide, recorder])
    run = runs.open(tmp_path)
    assert (run.summary["best_epoch"], recorder.best) == (0, (0, 1.0))
    loaded = keras.saving.load_model(run.model_path)
    changed = []
    for ours, then, now in zip(loaded.get_weights(), decide.weights[0], model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, then)
        changed.append((ours != now).any())
    assert any(changed)
    assert (int(loaded.optimizer.iterations) > 0) == save_optimizer


def test_best_is_the_epoch_whose_file_is_there(begin, tmp_path, writing):
    recorder = begin()
    recorder.on_epoch_begin(0)
    recorder.on_epoch_end(0, {"loss": 0.5})
    assert writing.begun.wait(LIMIT)
    assert (recorder.best, recorder.background.busy, runs.open(tmp_path).model_path) == (None, True, None)
    recorder.on_epoch_begin(1)
    writing.may_end.set()
    recorder.on_epoch_end(1, {"loss": 0.6})  # not better than the one that was on its way
    assert (recorder.best, len(writing.held)) == ((0, 0.5), 1)
    assert [event["epoch"] for event in runs.open(tmp_path).events if event["kind"] == "best"] == [0]


def test_better_epoch_is_copied_when_the_one_before_is_written(begin, tmp_path, writing, monkeypatch):
    """So that there is one copy at a time."""
    alive, make = [], ModelCopy.__init__

    def counted(copied, *given):
        alive.append(recorder.background.busy)
        make(copied, *given)

    monkeypatch.setattr(ModelCopy, "__init__", counted)
    recorder = begin()
    for epoch, loss in enumerate((0.5, 0.4, 0.3)):
        recorder.on_epoch_begin(epoch)
        if epoch:
            writing.may_end.clear()
            threading.Timer(0.01, writing.may_end.set).start()
        recorder.on_epoch_end(epoch, {"loss": loss})
    recorder.on_train_end()
    assert alive == [False] * 3
    assert (recorder.best, runs.open(tmp_path).summary["best_epoch"]) == ((2, 0.3), 2)


def test_epoch_that_could_not_be_written_is_not_the_best(begin, tmp_path, full):
    recorder = begin()
    for epoch, loss in enumerate((0.3, 0.5)):
        recorder.on_epoch_begin(epoch)
        with pytest.warns(UserWarning, match="No space left") if epoch == 0 else pytest.MonkeyPatch.context():
            full(epoch == 0)
            recorder.on_epoch_end(epoch, {"loss": loss})
            recorder.background.wait()
    assert recorder.best == (1, 0.5)


def test_signal_waits_for_the_file(begin, tmp_path, writing):
    recorder = begin()
    recorder.on_epoch_begin(0)
    recorder.on_epoch_end(0, {"loss": 0.5})
    assert writing.begun.wait(LIMIT)
    threading.Timer(0.01, writing.may_end.set).start()
    recorder._ending.on_signal("SIGTERM")
    run = runs.open(tmp_path)
    assert (run.status, run.summary["best_epoch"], run.model_path is not None) == ("interrupted", 0, True)


@keras.saving.register_keras_serializable("unetdyn_tests")
class Files(keras.layers.Layer):
    def call(self, x):
        return x

    def save_assets(self, folder):
        with open(f"{folder}/words.txt", "w") as file:  # noqa: PTH123 - a text, as Keras gives it
            file.write("words")

    def load_assets(self, folder):
        with open(f"{folder}/words.txt") as file:  # noqa: PTH123
            self.words = file.read()


def test_model_with_files_of_its_own_is_saved_in_line(begin, tmp_path):
    model = keras.Sequential([keras.Input((1,)), Files(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.optimizer.build(model.trainable_variables)
    recorder = begin(model)
    recorder.on_epoch_begin(0)
    recorder.on_epoch_end(0, {"loss": 0.5})
    assert (recorder.background.busy, recorder.best) == (False, (0, 0.5))
    assert keras.saving.load_model(tmp_path / "model.keras").layers[0].words == "words"
