"""What is set aside is what was there then, however the training goes on."""

import importlib

import keras
import numpy as np
import pytest

from unetdyn.dynamics.training_state import copied, set_aside

X = np.random.default_rng(0).random((12, 4)).astype("float32")


def compiled():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    model.compile(keras.optimizers.Adam(0.1), "mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    return model


class SetsAside(keras.callbacks.Callback):
    """At each epoch's end, now and later."""

    def __init__(self):
        super().__init__()
        self.now, self.later = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.now.append(copied(self.model))
        self.later.append(set_aside(self.model))


@pytest.fixture(params=["as it is", "as on a card"])
def way(request, monkeypatch):
    """On JAX also the way that a card with room takes, on the CPU."""
    if request.param == "as it is":
        return
    if keras.backend.backend() != "jax":
        pytest.skip("only JAX' arrays can be taken for a card's")
    jax = importlib.import_module("unetdyn.dynamics.backend.jax")
    monkeypatch.setattr(jax, "_on_device", lambda tensor: hasattr(tensor, "devices"))
    monkeypatch.setattr(jax, "_has_room", lambda tensors: True)


@pytest.mark.usefixtures("way")
def test_set_aside_gives_the_values_of_then():
    seen = SetsAside()
    compiled().fit(X, X[:, :3], batch_size=4, epochs=3, verbose=0, callbacks=[seen])
    assert not np.array_equal(seen.now[0]["model/0"], seen.now[1]["model/0"])
    for now, later in zip(seen.now, (each() for each in seen.later), strict=True):
        assert now.keys() == later.keys()
        for place, value in now.items():
            np.testing.assert_array_equal(later[place], value, strict=True)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="only JAX tells what a device has in use")
@pytest.mark.parametrize(("limit", "room"), [(200, True), (199, False), (None, False)])
def test_room_is_twice_the_size_beside_the_most_that_was_in_use(limit, room):
    jax = importlib.import_module("unetdyn.dynamics.backend.jax")

    class Device:
        def memory_stats(self):
            return None if limit is None else {"bytes_limit": limit, "peak_bytes_in_use": 100}

    class Array:
        nbytes = 25

        def devices(self):
            return {device}

    device = Device()
    assert jax._has_room([Array(), Array()]) is room
