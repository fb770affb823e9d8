"""Numbers as tensors, rounded as NumPy rounds them."""

import keras
import numpy as np
import pytest

from unetdyn.metrics.constants import scalar, vector

to_numpy = keras.ops.convert_to_numpy


@pytest.mark.parametrize("value", [0.0, -1e-30, 0.1, 0.9999999403953552, 255, float("inf"), float("-inf")])
def test_scalar_is_the_number_rounded_to_its_type(value):
    found = to_numpy(scalar(value, "float32"))
    assert found.dtype == np.float32
    assert found.shape == ()
    assert found == np.float32(value)


def test_vector_has_the_numbers_in_their_order():
    thirds = (np.arange(1, 4) / 6).tolist()
    np.testing.assert_array_equal(to_numpy(vector(thirds, "float32")), np.float32(thirds))
    np.testing.assert_array_equal(to_numpy(vector([2, 0], "int32")), np.array([2, 0], "int32"))
