"""Images as small as for the training, and results as large as the images."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unetdyn import data
from unetdyn.data.lazy import LazyArray
from unetdyn.experiment.shrinking import enlarged, shrunk


@given(st.integers(1, 4), st.integers(4, 11), st.integers(4, 11))
def test_sections_are_those_of_downsample_and_come_back_in_their_size(factor, height, width):
    images = np.random.default_rng(0).integers(0, 256, (2, height, width, 1), dtype=np.uint8)
    small = shrunk(LazyArray.of(images), factor)
    cut = images[:, : height // factor * factor, : width // factor * factor]
    stack = data.downsample(data.Stack(cut, np.zeros_like(cut), ("a", "b")), factor)
    np.testing.assert_array_equal(small[:], stack.images)
    large = enlarged(small[0], factor, (height, width))
    assert large.shape == (height, width, 1)
    for row in range(height):
        for column in range(width):
            place = min(row // factor, small.shape[1] - 1), min(column // factor, small.shape[2] - 1)
            assert large[row, column] == small[0][place]


def test_images_smaller_than_a_block_are_refused():
    with pytest.raises(ValueError, match=r"Images must be 4 pixels or more .*Received: 3×8 pixels\."):
        shrunk(LazyArray.of(np.zeros((1, 3, 8, 1), np.uint8)), 4)
