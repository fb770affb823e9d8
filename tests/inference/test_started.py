"""Batches begun before the last are fetched: what comes out is what Keras' own prediction gives."""

import gc
import threading
import weakref

import keras
import numpy as np
import pytest

from unetdyn.inference import predict_tiled
from unetdyn.inference.started import starter
from ways_to_train import WAYS_TO_TRAIN, supported

BATCHES = np.random.default_rng(0).random((3, 2, 8, 8, 1), dtype=np.float32)


class Doubled(keras.Model):
    """Predicts in its own way, as a user's model may."""

    def predict_step(self, *arguments):
        found = super().predict_step(*arguments)
        return (2 * found[0], found[1]) if isinstance(found, tuple) else 2 * found


def network(kind=keras.Model):
    inputs = keras.Input((8, 8, 1))
    hidden = keras.layers.BatchNormalization()(keras.layers.Conv2D(2, 3, padding="same")(inputs))
    return kind(inputs, keras.layers.Dropout(0.5)(hidden))


@pytest.mark.parametrize("kind", [keras.Model, Doubled])
@pytest.mark.parametrize("way", [None, *(supported(way) for way in ("plain", "jit", "eager"))])
def test_outputs_are_those_of_predict_on_batch(kind, way):
    model = network(kind)
    if way:
        model.compile("sgd", "mse", **WAYS_TO_TRAIN[way])
    expected = [model.predict_on_batch(batch) for batch in BATCHES]
    start = starter(model)
    begun = [start(batch) for batch in BATCHES]  # none is fetched before all have begun
    found = []
    fetching = threading.Thread(target=lambda: found.extend(map(keras.ops.convert_to_numpy, begun)))
    fetching.start()
    fetching.join()
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(model.predict_on_batch(BATCHES[0]), expected[0])  # nothing was taken from it


def test_weights_are_those_of_the_moment():
    model = network()
    arguments = {"tile": 8, "overlap": 0, "batch_size": 1, "normalise": "none", "reduce": "logits"}
    first = predict_tiled(model, BATCHES[0, 0, ..., 0], **arguments)
    model.set_weights([weight + 1 for weight in model.get_weights()])
    second = predict_tiled(model, BATCHES[0, 0, ..., 0], **arguments)
    np.testing.assert_allclose(second, model.predict_on_batch(BATCHES[0, :1])[0], atol=1e-6)
    assert abs(second - first).max() > 0.1


def test_model_is_let_go_of():
    model = network()
    keras.ops.convert_to_numpy(starter(model)(BATCHES[0]))
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
