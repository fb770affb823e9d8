"""What is said to be lost of callbacks that have no state to give."""

from collections import deque

import keras
import numpy as np
import pytest

from unetdyn.callbacks.lost_state import LostState, optimizers_beside


class Own(keras.callbacks.Callback):
    def __init__(self, value):
        super().__init__()
        self.value = value


@pytest.mark.parametrize("value", [float("nan"), np.zeros(3), {1}, deque([1]), None, [np.nan]], ids=str)
def test_what_stays_as_it_is_is_not_lost(value):
    assert LostState([Own(value)]).now() == []


@pytest.mark.parametrize(
    ("value", "change"),
    [
        (np.zeros(3), lambda value: value.__iadd__(1)),
        ({1}, lambda value: value.add(2)),
        (deque([1]), lambda value: value.append(2)),
        ({"a": [1]}, lambda value: value["a"].append(2)),
    ],
    ids=["array", "set", "deque", "nested"],
)
def test_what_changes_within_is_lost(value, change):
    lost = LostState([Own(value)])
    change(value)
    assert lost.now() == [("Own", ["value"])]


def test_optimizers_of_the_models_own_are_lost():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    assert optimizers_beside(model) == []
    model.critic_optimizer = keras.optimizers.Adam()
    assert optimizers_beside(model) == ["critic_optimizer"]
