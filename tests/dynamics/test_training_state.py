"""All variables of a training as arrays, and back."""

import keras
import numpy as np
import pytest

from unetdyn.dynamics.training_state import copied, put_back, variables_of

X = np.random.default_rng(0).random((12, 4)).astype("float32")
Y = (X[:, :1] > 0.5).astype("float32")


class Copies(keras.callbacks.Callback):
    """Begins with given values, and copies those at the end of each epoch."""

    def __init__(self, begin=None):
        super().__init__()
        self.begin, self.ends = begin, []

    def on_train_begin(self, logs=None):
        if self.begin is not None:
            put_back(self.model, {k: v for k, v in self.begin.items() if not k.startswith("metrics/")})

    def on_epoch_end(self, epoch, logs=None):
        self.ends.append(copied(self.model))


def compiled(units=1):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(units), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5, seed=1)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    optimizer = keras.optimizers.Adam(0.1, use_ema=True, gradient_accumulation_steps=2)
    model.compile(optimizer, "mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    return model


def fit(model, epochs=1, initial_epoch=0, begin=None):
    copies = Copies(begin)
    model.fit(
        X, Y, batch_size=4, shuffle=False, verbose=0, epochs=epochs, initial_epoch=initial_epoch, callbacks=[copies]
    )
    return copies.ends


def test_copied_values_are_all_that_a_training_goes_on_from():
    first, second = fit(compiled(), epochs=2)
    given = {place: value.copy() for place, value in first.items()}
    (resumed,) = fit(compiled(), epochs=2, initial_epoch=1, begin=first)
    assert resumed.keys() == second.keys() == first.keys()
    for place, value in second.items():
        np.testing.assert_array_equal(resumed[place], value, err_msg=place)
        np.testing.assert_array_equal(first[place], given[place], err_msg="a step changed a copy")
    assert any((first[place] != second[place]).any() for place in first)


def test_variables_are_those_of_model_optimizer_and_metrics_once_each():
    model = compiled()
    fit(model)
    variables = variables_of(model)
    assert len({id(variable) for variable in variables.values()}) == len(variables)
    expected = {id(v) for v in [*model.variables, *model.optimizer.variables, *model.metrics_variables]}
    assert {id(variable) for variable in variables.values()} == expected


@pytest.mark.parametrize("change", ["another", "fewer", "more"])
def test_values_of_another_model_are_refused_and_nothing_is_changed(change):
    model = compiled()
    values = copied(compiled(units=2) if change == "another" else model)
    if change == "fewer":
        del values["optimizer/1"]
    if change == "more":
        values["optimizer/99"] = np.zeros(1)
    before = copied(model)
    reason = {"another": "shape", "fewer": r"\(optimizer/1\)", "more": "optimizer/99, which is not there"}[change]
    with pytest.raises(ValueError, match=rf"`values` must be those of such a model. Received: .*{reason}"):
        put_back(model, values)
    for place, value in copied(model).items():
        np.testing.assert_array_equal(value, before[place])
