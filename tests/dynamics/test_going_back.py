"""Back to an earlier state of the same training, from two real epochs."""

import keras
import numpy as np

from unetdyn.dynamics import OptimizerTap
from unetdyn.dynamics.going_back import go_back, state_to_keep
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
