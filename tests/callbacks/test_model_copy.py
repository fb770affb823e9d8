"""A copy of a model and the file that it makes, compared with what Keras' own `model.save` writes."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest

from unetdyn.callbacks.model_copy import FreshState, ModelCopy

pytestmark = pytest.mark.usefixtures("untraced")

X = np.random.default_rng(0).random((8, 8, 8, 1)).astype("float32")
Y = (X > 0.5).astype("float32")


@pytest.fixture(params=["float32", "mixed_float16", "mixed_bfloat16", "bfloat16"])
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def trained(optimizer="adam", twice=False):
    """Nested, normalised, with a random layer, and one that is called twice: of that Keras' own files warn."""
    shared = keras.layers.Conv2D(2, 3, padding="same", activation="relu")
    inside = keras.Sequential([keras.Input((8, 8, 2)), shared, keras.layers.BatchNormalization()], name="inside")
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(2, 3, padding="same")(inputs)
    x = keras.layers.Dropout(0.5, seed=1)(inside(x))
    x = shared(x) if twice else x
    model = keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="sigmoid", dtype="float32")(x))
    model.compile(optimizer, "binary_crossentropy", metrics=["accuracy"])
    model.optimizer.build(model.trainable_variables)
    step(model)
    return model


def step(model):
    """Another value for each variable, as a step makes it, and nothing to compile."""
    random = np.random.default_rng(int(model.optimizer.iterations))
    for variable in (*model.variables, *model.optimizer.variables):
        if "learning_rate" not in variable.path:
            variable.assign(random.integers(1, 9, variable.shape))


def content(file):
    """What is in a `.keras` file: each array and attribute of the weights, and the configuration."""
    with zipfile.ZipFile(file) as archive:
        weights = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
        found = {"config": archive.read("config.json"), "names": sorted(archive.namelist())}

    def visit(name, part):
        array = np.array(part) if isinstance(part, h5py.Dataset) else np.zeros(0)
        found[name] = (dict(part.attrs), array.shape, str(array.dtype), array.tobytes())

    weights.visititems(visit)
    return found


def test_copy_writes_what_keras_writes(tmp_path, policy):
    model = trained(twice=True)
    model.save(tmp_path / "keras.keras")
    copied = ModelCopy(model)
    step(model)
    copied.write(tmp_path / "copied.keras")
    ours, theirs = content(tmp_path / "copied.keras"), content(tmp_path / "keras.keras")
    if policy == "mixed_float16":  # there the file says that the optimizer scales the loss
        assert ours.pop("config") != theirs.pop("config")
    assert ours == theirs
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copied.keras", "keras.keras"]


OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.5),
    "average": lambda: keras.optimizers.Nadam(0.5, use_ema=True, gradient_accumulation_steps=2),
    "begins elsewhere": lambda: keras.optimizers.Adagrad(0.5, initial_accumulator_value=0.25),
    "schedule": lambda: keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5, 0.25])),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fresh_state_is_that_of_an_optimizer_that_was_just_built(tmp_path, name):
    model, fresh = trained(OPTIMIZERS[name]()), FreshState()
    for _ in range(2):  # a second file is made from what was learnt for the first
        if name != "schedule":
            model.optimizer.learning_rate = model.optimizer.learning_rate / 2
        ModelCopy(model, fresh).write(tmp_path / "fresh.keras")
    model.save(tmp_path / "keras.keras")
    built = OPTIMIZERS[name]()
    if name != "schedule":
        built.learning_rate = 0.125
    built.build(model.trainable_variables)
    loaded = keras.saving.load_model(tmp_path / "fresh.keras")  # a warning would be an error
    for ours, expected in zip(loaded.optimizer.variables, built.variables, strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (ours, expected)))
    for ours, expected in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, expected)
    assert content(tmp_path / "fresh.keras").keys() == content(tmp_path / "keras.keras").keys()


def test_file_without_state_evaluates_and_trains_in_whatever_precision_it_is_opened(tmp_path, policy):
    model = trained()
    ModelCopy(model, FreshState()).write(tmp_path / "fresh.keras")
    keras.config.set_dtype_policy("float32")
    loaded = keras.saving.load_model(tmp_path / "fresh.keras")
    assert loaded.evaluate(X, Y, verbose=0, return_dict=True) == model.evaluate(X, Y, verbose=0, return_dict=True)
    assert type(loaded.optimizer) is type(model.optimizer)
    assert int(loaded.optimizer.iterations) == 0


def test_file_without_state_is_a_third_of_the_size(tmp_path):
    model = keras.Sequential([keras.Input((500,)), keras.layers.Dense(500)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    for name, fresh in (("fresh", FreshState()), ("whole", None)):
        ModelCopy(model, fresh).write(tmp_path / f"{name}.keras")
    sizes = [(tmp_path / f"{name}.keras").stat().st_size for name in ("fresh", "whole")]
    assert 4 * 500 * 501 < sizes[0] < 0.37 * sizes[1]


@keras.saving.register_keras_serializable("unetdyn_tests")
class Count(keras.layers.Layer):
    """Has state that is no variable, and saves it itself."""

    seen = 0

    def save_own_variables(self, store):
        store["seen"] = np.array(self.seen)

    def load_own_variables(self, store):
        self.seen = int(store["seen"][()])


def test_layer_that_saves_itself_is_asked_at_once(tmp_path):
    model = keras.Sequential([keras.Input((2,)), Count()])
    model.layers[0].seen = 3
    copied = ModelCopy(model)
    model.layers[0].seen = 5
    copied.write(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").layers[0].seen == 3


def test_quantised_layer_is_saved_as_it_is(tmp_path):
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(4)])
    model.layers[0].quantize("int8")
    ModelCopy(model).write(tmp_path / "model.keras")
    model.save(tmp_path / "keras.keras")
    assert content(tmp_path / "model.keras") == content(tmp_path / "keras.keras")


def test_model_that_was_not_compiled_has_no_optimizer(tmp_path):
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(4)])
    ModelCopy(model, FreshState()).write(tmp_path / "model.keras")
    model.save(tmp_path / "keras.keras")
    assert content(tmp_path / "model.keras") == content(tmp_path / "keras.keras")


@keras.saving.register_keras_serializable("unetdyn_tests")
class Words(keras.layers.Layer):
    def save_assets(self, folder):
        raise AssertionError("the copy asked for files")


def test_layer_with_files_of_its_own_can_not_be_copied():
    with pytest.raises(TypeError, match="layers/words writes files of its own"):
        ModelCopy(keras.Sequential([keras.Input((2,)), Words()]))


def test_nothing_is_left_of_a_file_that_cannot_be_written(tmp_path, monkeypatch):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    copied = ModelCopy(model)
    monkeypatch.setattr(zipfile.ZipFile, "writestr", lambda *given: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        copied.write(tmp_path / "model.keras")
    assert not list(tmp_path.glob("*.h5"))


def test_fresh_state_of_a_loss_scale_keeps_it_when_the_rate_changes():
    """Before it is built it has two variables less, and those of the optimizer in it at other places."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.25), initial_scale=1024.0)
    optimizer.build(model.trainable_variables)
    fresh = FreshState()
    for rate in (0.25, 0.125):
        optimizer.learning_rate = rate
        values = fresh.entries(optimizer, model.trainable_variables)["optimizer"].values
        found = {variable.path: values[str(place)] for place, variable in enumerate(optimizer.variables)}
        assert found[optimizer.dynamic_scale.path] == 1024
        assert found[optimizer.inner_optimizer._learning_rate.path] == rate


def test_a_second_copy_makes_no_layers_to_see_what_they_have(tmp_path, monkeypatch):
    model = trained()
    ModelCopy(model).write(tmp_path / "first.keras")
    made = []
    original = keras.Layer.__init__
    monkeypatch.setattr(keras.Layer, "__init__", lambda self, **named: made.append(self) or original(self, **named))
    ModelCopy(model).write(tmp_path / "second.keras")
    assert made == []
    assert content(tmp_path / "second.keras") == content(tmp_path / "first.keras")
