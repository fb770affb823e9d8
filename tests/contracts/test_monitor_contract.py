"""What every monitor owes its user, and every control that has nothing to do: it leaves training and model alone.

Each is put through one training of each way to train; the tests look at that training from different sides.
"""

import copy
import functools
from types import SimpleNamespace
from typing import NamedTuple

import keras
import numpy as np
import pytest

from monitored_units import CONTROLS, MONITORS
from ways_to_train import WAYS_TO_TRAIN, met_by, ways_of_all

BACKEND = keras.config.backend()
UNITS = MONITORS | CONTROLS


def make_model(dtype="float32", gradient_accumulation_steps=None, seed=1, **compile_arguments):
    """Small, with every kind of state: weights, moving statistics, the seed of a dropout, the optimizer's."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(4, activation="relu", dtype=dtype),
            keras.layers.BatchNormalization(dtype=dtype),
            keras.layers.Dropout(0.5, seed=2, dtype=dtype),
            keras.layers.Dense(1, activation="sigmoid", dtype="float32"),
        ]
    )
    optimizer = keras.optimizers.Adam(0.01, gradient_accumulation_steps=gradient_accumulation_steps)
    if dtype == "mixed_float16":
        # A scale that is too large at first, so that there are skipped steps too.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**21)
    model.compile(optimizer, "binary_crossentropy", metrics=[keras.metrics.BinaryAccuracy()], **compile_arguments)
    optimizer.build(model.trainable_variables)
    return model


def fit(model, callbacks, epochs=2, initial_epoch=0, seed=3):
    """The order of the samples is drawn from the global seed: a monitor that draws from it would change the order."""
    keras.utils.set_random_seed(seed)
    x = np.random.default_rng(0).random((16, 4)).astype("float32")
    y = (x[:, :1] > 0.5).astype("float32")
    return model.fit(
        x[:12],
        y[:12],
        batch_size=3,
        epochs=epochs,
        initial_epoch=initial_epoch,
        shuffle=True,
        validation_data=(x[12:], y[12:]),
        verbose=0,
        callbacks=callbacks,
    )


def state(model):
    """Weights, moving statistics, metrics, seeds and the optimizer's variables, in order."""
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable.value).astype("float64") for variable in variables]


def anatomy(model):
    """What hangs on the model, its variables and its optimizer; nothing is to be left on them."""
    optimizers = [model.optimizer, getattr(model.optimizer, "inner_optimizer", model.optimizer)]
    stores = [{} for _ in optimizers]
    for optimizer, store in zip(optimizers, stores, strict=True):
        optimizer.save_own_variables(store)
    parts = [model, *model.layers, *model.variables, *optimizers, *model.optimizer.variables]
    return [(type(part), sorted(vars(part))) for part in parts], [sorted(store) for store in stores]


def assert_same(watched, plain, way="plain"):
    """Equal to the last bit; to rounding on XLA, which may fuse two programs differently."""
    tolerance = {"rtol": 0, "atol": 0}
    if BACKEND == "jax" or way == "jit":
        tolerance = {"rtol": 2e-2, "atol": 5e-3} if "float16" in way else {"rtol": 2e-5, "atol": 2e-6}
    for left, right in zip(watched, plain, strict=True):
        np.testing.assert_allclose(left, right, **tolerance)


class Files(keras.callbacks.Callback):
    """Loads weights into the model that is being trained, and saves and copies it while it is."""

    def __init__(self, folder, weights):
        super().__init__()
        self.folder = folder
        self.weights = weights

    def on_train_begin(self, logs=None):
        self.model.load_weights(self.weights)

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 0:
            self.model.save(self.folder / "model.keras")
            self.model.save_weights(self.folder / "model.weights.h5")
            self.copy = copy.deepcopy(self.model)


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """A new empty folder at each call."""
    return lambda: tmp_path_factory.mktemp("contract")


recent = functools.lru_cache(24)
"""A unit's tests follow each other, and what all compare with is asked for again and again: other models are let go."""


@functools.cache
def initial_weights(way, folders):
    """A file of the weights of a model of no one's concern."""
    path = folders() / "initial.weights.h5"
    make_model(**WAYS_TO_TRAIN[way]).save_weights(path)
    return path


@recent
def training(name, way, folders):
    """With the monitor or control of that name, or None, of a model that begins with other weights and loads those."""
    own, files = units(name, folders), Files(folders(), initial_weights(way, folders))
    model = make_model(**WAYS_TO_TRAIN[way], seed=5)
    history = fit(model, [*own, files]).history
    return SimpleNamespace(model=model, state=state(model), history=history, files=files, units=own)


def units(name, folders):
    return [UNITS[name](folders())] if name else []


@pytest.fixture(params=ways_of_all(), scope="session")
def way(request):
    return request.param


@pytest.fixture(params=UNITS, scope="session")
def name(request):
    return request.param


class Pair(NamedTuple):
    """Two trainings that went the same way."""

    with_it: SimpleNamespace
    without: SimpleNamespace
    way: str


@pytest.fixture(params=met_by(UNITS), scope="session")
def pair(request, folders):
    name, way = request.param
    return Pair(training(name, way, folders), training(None, way, folders), way)


def test_monitor_leaves_training_as_it_is(pair):
    """Also: a weights file saved without the monitor was loaded under it."""
    with_it, without, way = pair
    assert_same(with_it.state, without.state, way)
    assert_same([with_it.history[name] for name in without.history], without.history.values(), way)


def test_contract_can_fail(folders):
    """A callback that only looks at outputs, but in training mode, moves a dropout's seed, and that is noticed."""

    class Look(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            self.model(np.zeros((1, 4)), training=True)

    model = make_model()
    fit(model, [Look()])
    with pytest.raises(AssertionError):
        assert_same(state(model), training(None, "plain", folders).state)


def test_monitor_leaves_nothing_behind(pair):
    assert anatomy(pair.with_it.model) == anatomy(pair.without.model)


def test_files_of_a_watched_training_are_those_of_any_other(pair):
    """`.keras` with the optimizer's state, and `.weights.h5`, saved in the midst of it."""
    loaded = [keras.saving.load_model(each.files.folder / "model.keras") for each in pair[:2]]
    assert_same(*map(state, loaded), pair.way)
    plain = loaded[1]
    plain.load_weights(pair[0].files.folder / "model.weights.h5")
    assert_same(plain.get_weights(), loaded[0].get_weights())


def test_watched_model_can_be_copied(pair):
    with_it, without, way = pair
    assert_same(with_it.files.copy.get_weights(), without.files.copy.get_weights(), way)
    assert anatomy_of_weights(with_it.files.copy) == anatomy_of_weights(without.files.copy)


def anatomy_of_weights(model):
    return [(type(part), sorted(vars(part))) for part in (*model.layers, *model.variables)]


def test_record_needs_no_pickle(pair, tmp_path):
    arrays = getattr(pair[0].units[0], "record", {})
    flat = [leaf for value in arrays.values() for leaf in (value.values() if isinstance(value, dict) else [value])]
    np.savez(tmp_path / "record.npz", *flat)
    with np.load(tmp_path / "record.npz", allow_pickle=False) as back:
        assert [back[name].dtype for name in back.files] == [np.asarray(leaf).dtype for leaf in flat]


@recent
def carried_on(name, folders):
    """Two fits, the second from where the first ended; with the same object of that name, or None."""
    callbacks, model = units(name, folders), make_model()
    fit(model, callbacks)
    history = fit(model, callbacks, epochs=3, initial_epoch=2).history
    return SimpleNamespace(state=state(model), history=history)


def test_monitor_bears_a_second_fit_that_carries_on(name, folders):
    with_it, without = carried_on(name, folders), carried_on(None, folders)
    assert_same(with_it.state, without.state)
    assert_same([with_it.history[key] for key in without.history], without.history.values())


class Stop(keras.callbacks.Callback):
    """Raises in the midst of an epoch."""

    def on_train_batch_end(self, batch, logs=None):
        if batch == 1:
            raise RuntimeError("stopped by another callback")


@recent
def broken_off(names, way, folders):
    """Keras calls no callback when training raises: the model must be of use all the same, and be watched again."""
    model = make_model(**WAYS_TO_TRAIN[way])
    files = folders() / "after.keras"
    with pytest.raises(RuntimeError, match="stopped by another callback"):
        fit(model, [*(unit for name in names for unit in units(name, folders)), Stop()])
    fit(model, [], epochs=1)
    model.save(files)
    fit(model, [unit for name in names for unit in units(name, folders)], epochs=1)
    return SimpleNamespace(model=model, state=state(model), files=files)


def test_monitor_leaves_a_usable_model_after_an_error_elsewhere(name, folders):
    assert_usable_after_an_error([name], "plain", folders)


def test_all_together_leave_a_usable_model_after_an_error_elsewhere(way, folders):
    assert_usable_after_an_error(UNITS, way, folders)


def assert_usable_after_an_error(names, way, folders):
    with_it, without = broken_off(tuple(names), way, folders), broken_off((), way, folders)
    assert_same(with_it.state, without.state, way)
    assert anatomy(with_it.model) == anatomy(without.model)
    assert_same(*(state(keras.saving.load_model(each.files)) for each in (with_it, without)), way)
