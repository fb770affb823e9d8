"""Memory that XLA takes over."""

import keras
import numpy as np
import pytest

from unetdyn.data.augmentation.aligned import aligned_empty, is_aligned
from unetdyn.data.augmentation.backend import engine


def test_tensor_of_an_aligned_array_is_in_its_memory():
    array = aligned_empty((4, 3))
    array[...] = np.arange(12).reshape(4, 3)
    if not engine().on_host():
        pytest.skip("The array goes to another device.")
    tensor = engine().tensor(array)
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(tensor), array)
    array[2, 1] = -5
    assert float(keras.ops.convert_to_numpy(tensor)[2, 1]) == -5


def test_arrays_that_begin_elsewhere_or_have_gaps_are_not_aligned():
    array = aligned_empty((64, 2))
    assert is_aligned(array)
    assert not is_aligned(array[1:])
    assert not is_aligned(array[:, :1])
    array.flags.writeable = False
    assert not is_aligned(array)


def test_tensor_of_any_other_array_has_its_values():
    array = np.arange(12, dtype="float32")[1:]
    array.flags.writeable = False
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(engine().tensor(array)), array)
