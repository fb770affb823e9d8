"""Keras models on tiles: what they are asked, what they are told apart by, and what is refused."""

import keras
import numpy as np
import pytest
from scipy.ndimage import correlate

from unetdyn.inference import predict_tiled
from unetdyn.inference.called_model import CalledModel


def convolution(sides=(None, None), channels=1, **arguments):
    inputs = keras.Input((*sides, channels))
    return keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same", **arguments)(inputs))


def test_keras_model_over_tiles_is_the_convolution_of_the_whole_image(monkeypatch):
    model = convolution(activation="sigmoid")
    calls = []
    start = CalledModel.start
    monkeypatch.setattr(CalledModel, "start", lambda self, batch: calls.append(batch.shape) or start(self, batch))
    image = np.random.default_rng(0).random((50, 43)).astype("float32")
    found = predict_tiled(model, image, tile=16, overlap=0, batch_size=4, normalise="none")
    kernel, bias = model.get_weights()
    expected = 1 / (1 + np.exp(-correlate(image, kernel[..., 0, 0], mode="constant") - bias))
    beside = [
        np.isin(np.arange(length), borders)
        for length, borders in ((50, (15, 16, 31, 32, 33, 34, 47, 48)), (43, (15, 16, 26, 27, 31, 32)))
    ]
    fits = ~np.logical_or.outer(*beside)  # beside the border of a tile the network can't see all that it looks at
    assert fits.mean() > 0.6
    np.testing.assert_allclose(found[fits], expected[fits], atol=1e-5)
    assert set(calls) == {(4, 16, 16, 1)}  # so that nothing is compiled twice


def test_half_precision_is_answered_in_float32():
    model = convolution(dtype="mixed_bfloat16", activation="sigmoid")
    found = predict_tiled(model, np.ones((8, 8), "float32"), tile=8, normalise="none", batch_size=1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[3, 3], 1 / (1 + np.exp(-model.get_weights()[0].sum())), atol=0.01)


def test_hash_follows_the_weights():
    model, other = convolution(), convolution()
    other.set_weights(model.get_weights())
    assert CalledModel(model).hash() == CalledModel(other).hash()
    other.set_weights([2 * weight for weight in model.get_weights()])
    assert CalledModel(model).hash() != CalledModel(other).hash()
    assert CalledModel(max).hash() == "max"


def test_tile_is_that_of_the_model_or_of_its_training():
    fixed, free = CalledModel(convolution((16, 24))), CalledModel(convolution())
    assert fixed.tile_of(None, (8, 8)) == (16, 24)
    assert free.tile_of(None, (8, 8)) == (8, 8)
    assert free.tile_of(32, (8, 8)) == (32, 32)
    assert CalledModel(abs).tile_of((4, 8, 8), None) == (4, 8, 8)
    with pytest.raises(ValueError, match=r"`tile` must fit the model, which takes 16×24 pixels. Received: tile=32"):
        fixed.tile_of(32, None)
    with pytest.raises(ValueError, match="which takes any×any pixels"):
        free.tile_of((8, 8, 8), None)


def test_tile_that_a_network_can_not_halve_is_refused_before_it_starts():
    inputs = keras.Input((None, None, 1))
    small = keras.layers.UpSampling2D()(keras.layers.MaxPooling2D()(inputs))
    model = CalledModel(keras.Model(inputs, keras.layers.Concatenate()([inputs, small])))
    with pytest.raises(ValueError, match=r"tile=\(9, 9\), on which it fails .* multiples of 2\^d, .*\(16, 16\)"):
        model.classes((1, 9, 9, 1))


def test_channels_outputs_and_inputs_must_be_those_of_an_image():
    with pytest.raises(ValueError, match=r"`source` must have 3 channels, as the model takes. Received: a source of 1"):
        predict_tiled(convolution(channels=3), np.zeros((8, 8)), tile=8, normalise="none")
    two = keras.Model(inputs := keras.Input((8, 8, 1)), [inputs, inputs])
    with pytest.raises(ValueError, match=r"`model` must have one output. Received: a model with 2 outputs"):
        CalledModel(two).classes((1, 8, 8, 1))
    with pytest.raises(ValueError, match="`model` must take images"):
        CalledModel(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)]))
