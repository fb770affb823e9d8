"""Back to an earlier state of the same training, from two real epochs."""

import keras
import numpy as np

from unetdyn.dynamics import OptimizerTap
from unetdyn.dynamics.going_back import build_optimizer, go_back, state_to_keep
from unetdyn.dynamics.training_state import copied, variables_of

X = np.random.default_rng(0).random((12, 4)).astype("float32")


def compiled():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5, seed=1)]
    model = keras.Sequential([keras.Input((4,)), *layers, keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    return model


def test_all_but_random_generators_and_rows_is_as_it_was():
    model = compiled()
    tap = OptimizerTap(model)
    model.fit(X, X[:, :1], batch_size=4, verbose=0)
    kept = state_to_keep(model)
    model.fit(X, X[:, :1], batch_size=4, verbose=0)
    before, seed = copied(model, metrics=False), model.layers[2].seed_generator.state
    go_back(model, kept, state_to_keep(model))
    places = {place: id(each) for place, each in variables_of(model, metrics=False).items()}
    changed = 0
    for place, value in copied(model, metrics=False).items():
        goes_on = place.startswith("taps/") or places[place] == id(seed)
        np.testing.assert_array_equal(value, before[place] if goes_on else kept[place], err_msg=place)
        changed += bool((value != before[place]).any())
    assert changed > 8  # weights, statistics, slots, the counter
    model.fit(X, X[:, :1], batch_size=4, verbose=0)
    rows = tap.read()
    tap.detach()
    assert rows.step.tolist() == list(range(9))


def test_optimizer_that_is_built_beforehand_trains_as_one_that_is_not():
    weights = []
    for beforehand in (False, True):
        model = compiled()
        if beforehand:
            build_optimizer(model)
            assert model.optimizer.built
        model.fit(X, X[:, :1], batch_size=4, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_optimizer_of_a_model_without_shapes_waits_for_the_first_step():
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("adam", "mse")
    build_optimizer(model)
    assert not model.optimizer.built
