"""What a forward pass writes stays finite, and variables are as before afterwards."""

import keras
import numpy as np
import pytest

from unetdyn.dynamics.hooks import Overrides, keep_finite, keep_finite_in, release


def norm():
    layer = keras.layers.BatchNormalization(momentum=0.5)
    layer.build((None, 2))
    return layer


def statistics(layer):
    return [keras.ops.convert_to_numpy(v.value).tolist() for v in (layer.moving_mean, layer.moving_variance)]


def forward(layer, x):
    """A training step's forward pass; JAX has its state apart."""
    if keras.backend.backend() != "jax":
        layer(x, training=True)
        return
    trainable, other = ([v.value for v in part] for part in (layer.trainable_variables, layer.non_trainable_variables))
    _, other = layer.stateless_call(trainable, other, x, training=True)
    for variable, value in zip(layer.non_trainable_variables, other, strict=True):
        variable.assign(value)


def test_keep_finite_keeps_nan_out_of_moving_statistics():
    layer, plain = norm(), norm()
    keep_finite(layer.non_trainable_variables)
    good = np.array([[1.0, 2.0], [3.0, 6.0]], "float32")
    for each in (layer, plain):
        forward(each, good)
    assert statistics(layer) == statistics(plain)
    before = statistics(layer)
    forward(layer, good * np.nan)
    assert statistics(layer) == before
    forward(plain, good * np.nan)
    assert np.isnan(statistics(plain)).all()


def test_keep_finite_judges_entry_by_entry():
    layer = norm()
    keep_finite(layer.non_trainable_variables)
    forward(layer, np.array([[1.0, np.inf], [3.0, 6.0]], "float32"))
    assert statistics(layer) == [[1.0, 0.0], [1.0, 1.0]]


def test_release_leaves_no_trace():
    layer = norm()
    before = [dict(vars(v)) for v in layer.variables]
    for _ in range(2):
        keep_finite(layer.non_trainable_variables)
    assert "assign" in vars(layer.moving_mean)
    for _ in range(2):
        release(layer.non_trainable_variables)
    assert [set(vars(v)) for v in layer.variables] == [set(each) for each in before]


def test_release_leaves_what_somebody_else_has_set():
    variable = keras.Variable([1.0], trainable=False)
    theirs = vars(variable)["assign"] = variable.assign
    keep_finite([variable])
    release([variable])
    assert vars(variable)["assign"] is theirs


def test_keep_finite_leaves_integers_alone():
    variable = keras.Variable([1], dtype="int32", trainable=False)
    keep_finite([variable])
    assert "assign" not in vars(variable)


def trained_on(*batches):
    """Two layers' statistics after a training step on each batch with all kept finite, and the model."""
    model = keras.Sequential([keras.Input((2,)), norm(), norm(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    overrides = Overrides()
    keep_finite_in(model, overrides)
    for batch in batches:
        model.train_on_batch(np.array(batch, "float32"), np.zeros((2, 1)))
        assert all("assign" in vars(variable) for variable in model.layers[0].non_trainable_variables)
    overrides.restore()
    release(model.variables)
    return [statistics(layer) for layer in model.layers[:2]], model


def test_a_whole_step_judges_entry_by_entry_and_leaves_no_trace():
    good = [[1.0, 2.0], [3.0, 6.0]]
    (first, second), model = trained_on(good, [[np.nan, 2.0], [3.0, 6.0]])
    (after_good, _), _ = trained_on(good)
    (all_good, _), _ = trained_on(good, [[0.0, 2.0], [3.0, 6.0]])
    assert [[row[0] for row in first], [row[1] for row in first]] == [
        [row[0] for row in after_good],
        [row[1] for row in all_good],
    ]
    assert np.isfinite(second).all()
    assert "train_step" not in vars(model)
    assert not any("assign" in vars(variable) for variable in model.variables)


def test_a_step_that_raises_leaves_what_is_kept_finite_kept():
    def fails(truth, predicted):
        raise OSError("no loss today")

    model = keras.Sequential([keras.Input((2,)), norm(), keras.layers.Dense(1)])
    model.compile("sgd", fails, run_eagerly=True)
    overrides = Overrides()
    keep_finite_in(model, overrides)
    before = [vars(variable)["assign"] for variable in model.layers[0].non_trainable_variables]
    with pytest.raises(OSError, match="no loss today"):
        model.train_on_batch(np.ones((2, 2)), np.zeros((2, 1)))
    assert [vars(variable)["assign"] for variable in model.layers[0].non_trainable_variables] == before
