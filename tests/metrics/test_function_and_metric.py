"""`jacard_coef` as the studies' scripts have it: called, and written into `compile` beside callbacks without `mode`."""

import copy

import keras
import numpy as np
import pytest

from unetdyn.callbacks.metric_directions import metric_directions
from unetdyn.metrics import jacard_coef

RNG = np.random.default_rng(0)
X = RNG.random((8, 8, 8, 1), dtype="float32")
Y = (X > 0.6).astype("float32")
KEY = "val_jacard_coef"


def compiled(metrics, outputs=1):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((8, 8, 1))
    heads = [keras.layers.Conv2D(1, 1, activation="sigmoid", name=f"head{i}")(inputs) for i in range(outputs)]
    model = keras.Model(inputs, heads if outputs > 1 else heads[0])
    model.compile(keras.optimizers.Adam(0.05), "binary_crossentropy", metrics=metrics)
    return model


def fit(model, callbacks=(), epochs=3):
    data = {"x": X, "y": Y, "validation_data": (X, Y)}
    return model.fit(**data, batch_size=2, epochs=epochs, verbose=0, callbacks=list(callbacks)).history


def ratio(y, p):
    """Brute force."""
    true, pred = np.asarray(y) > 0.5, np.asarray(p) > 0.5
    return (true & pred).sum() / (true | pred).sum()


def test_validation_of_the_studies_passes():
    """One-dimensional arrays of whole numbers and probabilities; the index is 2/2."""
    assert float(jacard_coef(np.array([1, 1, 0, 0]), np.array([0.9, 0.8, 0.3, 0.2]))) == 1.0
    assert float(jacard_coef(y_true=[1, 1, 1, 0], y_pred=[0.9, 0.8, 0.3, 0.6])) == pytest.approx(2 / 4)


def test_log_keys_and_values_are_those_of_the_function():
    model = compiled(["accuracy", jacard_coef])
    history = fit(model)
    assert {"jacard_coef", "val_jacard_coef", "accuracy", "val_accuracy"} <= history.keys()
    outputs = model.predict(X, verbose=0)
    batches = [ratio(Y[i : i + 2], outputs[i : i + 2]) for i in range(0, 8, 2)]
    assert history[KEY][-1] == pytest.approx(np.mean(batches), abs=1e-6)


class Feed(keras.callbacks.Callback):
    """Puts values of a known course in the place of those of the epoch."""

    def __init__(self, values):
        super().__init__()
        self.values = values

    def on_epoch_end(self, epoch, logs=None):
        logs[KEY] = self.values[epoch]


def test_three_callbacks_without_mode_take_more_for_better(tmp_path):
    """The best is the second of five; a callback that wanted less would take the fifth."""
    model = compiled([jacard_coef])
    stopping = keras.callbacks.EarlyStopping(monitor=KEY, patience=3, restore_best_weights=True)
    plateau = keras.callbacks.ReduceLROnPlateau(monitor=KEY, factor=0.5, patience=2)
    checkpoint = keras.callbacks.ModelCheckpoint(tmp_path / "epoch{epoch}.keras", monitor=KEY, save_best_only=True)
    history = fit(model, [Feed([0.3, 0.9, 0.8, 0.7, 0.1, 0.0]), stopping, plateau, checkpoint], epochs=6)
    assert (stopping.best_epoch, stopping.stopped_epoch, stopping.best) == (1, 4, 0.9)
    assert history["learning_rate"] == pytest.approx([0.05, 0.05, 0.05, 0.05, 0.025])
    assert {path.name for path in tmp_path.iterdir()} == {"epoch1.keras", "epoch2.keras"}
    assert metric_directions(model) == {"jacard_coef": "up"}


def test_models_and_outputs_have_a_metric_each():
    """One object for all would mix their sums."""
    one, other = compiled([jacard_coef]), compiled([jacard_coef])
    one.evaluate(X, Y, verbose=0)
    first = one.get_metrics_result()["jacard_coef"]
    other.evaluate(X, 1 - Y, verbose=0)
    assert float(one.get_metrics_result()["jacard_coef"]) == pytest.approx(float(first))
    two = compiled([[jacard_coef], [jacard_coef]], outputs=2)
    values = two.evaluate(X, [Y, 1 - Y], batch_size=8, verbose=0, return_dict=True)
    outputs = two.predict(X, verbose=0)
    assert values["head0_jacard_coef"] == pytest.approx(ratio(Y, outputs[0]), abs=1e-6)
    assert values["head1_jacard_coef"] == pytest.approx(ratio(1 - Y, outputs[1]), abs=1e-6)


def test_loaded_model_goes_on_with_the_same_callbacks(tmp_path):
    """Also where a script passes `custom_objects`, as it had to. A fresh process: tests/contracts."""
    model = compiled([jacard_coef])
    expected = fit(model)[KEY][-1]
    model.save(tmp_path / "model.keras")
    for objects in (None, {"jacard_coef": jacard_coef}):
        loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects=objects)
        assert loaded.evaluate(X, Y, batch_size=2, verbose=0, return_dict=True)["jacard_coef"] == pytest.approx(
            expected
        )
        fit(loaded, [keras.callbacks.EarlyStopping(monitor=KEY, patience=1)])
        loaded.save(tmp_path / "again.keras")
        keras.saving.load_model(tmp_path / "again.keras")


def test_files_that_name_it_as_a_function_still_load():
    """As it was one before."""
    kept = {"module": "builtins", "class_name": "function", "config": "unetdyn>jacard_coef"}
    assert keras.saving.deserialize_keras_object({**kept, "registered_name": "function"}) is jacard_coef


def test_it_can_be_copied_and_wrapped():
    assert copy.deepcopy(jacard_coef) is jacard_coef
    wrapped = keras.metrics.MeanMetricWrapper(jacard_coef)
    again = keras.metrics.MeanMetricWrapper.from_config(wrapped.get_config())
    for metric in (wrapped, again):
        metric.update_state(Y, X)
        assert float(metric.result()) == pytest.approx(ratio(Y, X), abs=1e-6)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"`y_true` and `y_pred` must have the same shape .* Received: y_true.shape="):
        jacard_coef(np.zeros((2, 4)), np.zeros((2, 5)))
