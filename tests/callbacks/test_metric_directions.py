"""Which of the logged values are the model's, under the names that Keras gives them."""

import keras
import numpy as np

from unetdyn.analysis import read_history
from unetdyn.callbacks.metric_directions import metric_directions

X = np.linspace(0, 1, 8).reshape(8, 1)


def half(y_true, y_pred):
    return keras.ops.mean(y_pred) * 0 + 0.5


class Mine(keras.metrics.Mean):
    def __init__(self, name, direction):
        super().__init__(name=name)
        self._direction = direction

    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(y_pred)


def fit(metrics, outputs=1, **compile_arguments):
    inputs = keras.Input((1,))
    made = [keras.layers.Dense(1, name=f"out{place}")(inputs) for place in range(outputs)]
    model = keras.Model(inputs, made if outputs > 1 else made[0])
    model.compile(loss=["mse"] * outputs if outputs > 1 else "mse", metrics=metrics, **compile_arguments)
    y = [X] * outputs if outputs > 1 else X
    return model, model.fit(X, y, epochs=1, verbose=0, batch_size=4).history


def assert_named_as_logged(model, history):
    assert set(metric_directions(model)) | {"loss"} == set(history)


def test_directions_are_those_of_the_metric_objects():
    model, history = fit(["mae", keras.metrics.MeanSquaredError(), half, Mine("worse_is_better", "down"), "accuracy"])
    assert metric_directions(model) == {
        "mae": "down",
        "mean_squared_error": "down",
        "half": None,
        "worse_is_better": "down",
        "accuracy": "up",
    }
    assert_named_as_logged(model, history)


def test_a_loss_as_metric_is_to_fall():
    model, _ = fit([keras.losses.mean_squared_error])
    assert metric_directions(model) == {"mean_squared_error": "down"}


def test_names_are_those_of_the_logs_with_several_outputs_and_several_of_one_name():
    model, history = fit([["mae", Mine("mine", "up")], ["mae"]], outputs=2)
    found = metric_directions(model)
    assert found["out0_mae"] == found["out1_mae"] == "down"
    assert found["out0_mine"] == "up"
    assert_named_as_logged(model, history)
    model, history = fit([Mine("mine", "up"), Mine("mine", "down")], weighted_metrics=[Mine("mine", "up")])
    assert metric_directions(model) == {"mine": "up", "mine_1": "down", "weighted_mine": "up"}
    assert_named_as_logged(model, history)


def test_metrics_that_a_model_updates_by_itself_are_found():
    class Model(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1)
            self.own = Mine("own", "up")

        def call(self, inputs):
            return self.dense(inputs)

    model = Model()
    model.compile(loss="mse")
    model.fit(X, X, verbose=0)
    assert metric_directions(model) == {"own": "up"}


def test_a_model_without_metrics_has_none():
    assert metric_directions(fit(None)[0]) == {}
    assert metric_directions(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])) == {}
    assert metric_directions(None) == {}


def test_read_history_hears_of_them_from_the_model():
    def sharpness(y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_pred - y_true))

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(loss="mse", metrics=[sharpness, keras.metrics.MeanSquaredError(name="blur")])
    history = model.fit(np.ones((4, 1)), np.ones((4, 1)), epochs=2, verbose=0)
    curves = read_history(history)
    assert curves.default_metric == "sharpness"
    assert curves.direction("blur") == "down"
