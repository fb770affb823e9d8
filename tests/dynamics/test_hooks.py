"""What a forward pass writes stays finite, and variables are as before afterwards."""

import keras
import numpy as np

from unetdyn.dynamics.hooks import keep_finite, release


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
