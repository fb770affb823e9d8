import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import zoom

from unetdyn.models import CropLike, LinearUpsampling, PadToMultiple


def _array(x):
    return keras.ops.convert_to_numpy(x)


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (4, 3)])
def test_linear_upsampling_equals_keras_bilinear_in_2d(size):
    x = np.random.default_rng(0).normal(size=(2, *size, 3)).astype("float32")

    expected = keras.layers.UpSampling2D(2, interpolation="bilinear")(x)

    np.testing.assert_allclose(_array(LinearUpsampling()(x)), _array(expected), atol=1e-6)


@pytest.mark.parametrize("size", [(1, 2, 3), (4, 3, 5)])
def test_linear_upsampling_equals_scipy_trilinear_in_3d(size):
    x = np.random.default_rng(0).normal(size=(1, *size, 2)).astype("float32")

    expected = zoom(x, (1, 2, 2, 2, 1), order=1, mode="nearest", grid_mode=True)

    np.testing.assert_allclose(_array(LinearUpsampling()(x)), expected, atol=1e-6)


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 1000))
def test_linear_upsampling_keeps_mean_and_range(height, width, seed):
    x = np.random.default_rng(seed).uniform(-1, 1, (1, height, width, 1)).astype("float32")

    y = _array(LinearUpsampling()(x))

    np.testing.assert_allclose(y.mean(), x.mean(), atol=1e-6)
    assert x.min() - 1e-6 <= y.min() <= y.max() <= x.max() + 1e-6


def test_linear_upsampling_handles_sizes_unknown_at_build_time():
    inputs = keras.Input((None, None, 2))
    model = keras.Model(inputs, LinearUpsampling()(inputs))
    x = np.random.default_rng(0).normal(size=(1, 3, 5, 2)).astype("float32")

    assert model.output_shape == (None, None, None, 2)
    np.testing.assert_allclose(model.predict(x, verbose=0), _array(LinearUpsampling()(x)), atol=1e-6)


def test_crop_like_drops_the_far_end():
    x = np.arange(2 * 4 * 6 * 2, dtype="float32").reshape(2, 4, 6, 2)

    y = _array(CropLike()(x, np.zeros((2, 3, 6, 7), "float32")))

    np.testing.assert_array_equal(y, x[:, :3])


@pytest.mark.parametrize("sizes", [(None, None, None), (None, 4, 6)])
def test_crop_like_handles_sizes_unknown_at_build_time(sizes):
    x, reference = keras.Input((*sizes, 2)), keras.Input((*sizes, 5))
    model = keras.Model([x, reference], CropLike()(x, reference))
    values = np.random.default_rng(0).normal(size=(1, 4, 4, 6, 2)).astype("float32")

    assert model.output_shape == (None, *sizes, 2)
    cropped = model.predict([values, np.zeros((1, 3, 4, 6, 5), "float32")], verbose=0)
    np.testing.assert_array_equal(cropped, values[:, :3])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_layers_compute_in_the_dtype_of_their_policy(dtype):
    x = np.ones((1, 2, 2, 1), "float32")

    assert keras.backend.standardize_dtype(LinearUpsampling(dtype=dtype)(x).dtype) == dtype
    assert keras.backend.standardize_dtype(CropLike(dtype=dtype)(x, x).dtype) == dtype


@pytest.mark.parametrize("sizes", [(5, 8), (None, None)])
def test_pad_to_multiple_repeats_the_last_pixel(sizes):
    inputs = keras.Input((*sizes, 2))
    model = keras.Model(inputs, PadToMultiple(4)(inputs))
    x = np.random.default_rng(0).normal(size=(1, 5, 8, 2)).astype("float32")

    assert model.output_shape == (None, *(None if size is None else 8 for size in sizes), 2)
    expected = np.pad(x, ((0, 0), (0, 3), (0, 0), (0, 0)), mode="edge")
    np.testing.assert_array_equal(model.predict(x, verbose=0), expected)


def test_pad_to_multiple_refuses_no_count_of_pixels():
    with pytest.raises(
        ValueError, match=r"`multiple` must be a whole number of pixels, 1 or more. Received: multiple=0"
    ):
        PadToMultiple(0)
