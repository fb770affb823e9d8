"""That the ways which `benchmarks/decoder_ways.py` times compute the same."""

import keras
import numpy as np
import pytest

from autodiff import gradient
from scripts_by_path import benchmarks_importable

with benchmarks_importable():
    from decoder_ways import WAYS


def _arrays():
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype("float32") for shape in ((2, 3, 2, 4), (2, 6, 4, 2), (3, 3, 6, 2))]


def _by_hand(coarse, skip, kernel):
    """The 3×3 convolution of the joined map, padded with zeros, one place of the window after the other."""
    joined = np.concatenate([coarse.repeat(2, 1).repeat(2, 2), skip], -1).astype("float64")
    _, h, w, _ = joined.shape
    padded = np.pad(joined, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sum(padded[:, a : a + h, b : b + w] @ kernel[a, b] for a in range(3) for b in range(3))


@pytest.mark.parametrize("name", WAYS)
def test_each_way_is_the_convolution_of_the_joined_map(name):
    arrays = _arrays()

    y = keras.ops.convert_to_numpy(WAYS[name](*map(keras.ops.convert_to_tensor, arrays)))

    np.testing.assert_allclose(y, _by_hand(*arrays), atol=1e-4)


@pytest.mark.parametrize("name", [name for name in WAYS if name != "concat"])
def test_each_way_has_the_gradients_of_the_graph_as_it_is(name):
    arrays = _arrays()
    for place, array in enumerate(arrays):

        def output(x, way, place=place):
            given = [keras.ops.convert_to_tensor(each) for each in arrays]
            given[place] = x
            y = way(*given)
            return y * keras.ops.convert_to_tensor(np.arange(y.shape[2], dtype="float32")[:, None])

        wanted, found = (gradient(lambda x, way=way: output(x, way), array) for way in (WAYS["concat"], WAYS[name]))
        np.testing.assert_allclose(found, wanted, atol=1e-3)
