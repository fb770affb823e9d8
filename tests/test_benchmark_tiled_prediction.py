"""What `benchmarks/tiled_prediction.py` calls a seam."""

import numpy as np
import pytest

from scripts_by_path import benchmarks_importable


@pytest.fixture(scope="module")
def script():
    with benchmarks_importable():
        import tiled_prediction
    return tiled_prediction


def test_excess_is_the_step_at_borders_relative_to_that_elsewhere(script):
    ramp = np.add.outer(np.arange(12.0), np.arange(9.0))
    borders = np.array([4, 8]), np.array([3])
    assert script.seam_excess(ramp, borders) == pytest.approx(1)
    ramp[4:8] += 2  # a step of 1 becomes one of 3 at row 4, and of −1 at row 8
    at_borders = [3] * 9 + [1] * 9 + [1] * 12
    assert script.seam_excess(ramp, borders) == pytest.approx(np.mean(at_borders))


def test_borders_are_where_tiles_begin_and_where_they_end(script):
    assert script.borders_of(100, 40, 0.5).tolist() == [20, 40, 60, 80]
    assert script.borders_of(90, 40, 0).tolist() == [32, 40, 50, 72]
