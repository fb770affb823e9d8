"""Tiles cover an axis, on a grid that networks that halve keep, and their shares add up to 1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal.windows import gaussian

from unetdyn.inference.grid import axis_of, profile

SIZES = {"length": st.integers(1, 300), "tile": st.integers(1, 64), "overlap": st.floats(0, 0.9)}


@settings(max_examples=60, deadline=None)
@given(**SIZES, weighting=st.sampled_from(["gaussian", "uniform"]))
def test_shares_of_all_tiles_add_up_to_one_at_each_pixel(length, tile, overlap, weighting):
    axis = axis_of(length, tile, overlap, weighting)
    total = np.zeros(length)
    for number, share in enumerate(axis.weights):
        assert share.min() > 0
        total[axis.inside(number)] += share
    np.testing.assert_allclose(total, 1, rtol=1e-12)


@settings(max_examples=60, deadline=None)
@given(**SIZES)
def test_tiles_reach_both_ends_without_a_gap_or_a_tile_too_many(length, tile, overlap):
    starts = axis_of(length, tile, overlap, "uniform").starts
    if length <= tile:
        assert len(starts) == 1
        assert starts[0] + tile >= length
        return
    step = max(1, round(tile * (1 - overlap)))
    assert (starts[0], starts[-1]) == (0, length - tile)
    assert min(np.diff(starts)) > 0
    assert max(np.diff(starts)) <= step
    assert len(starts) == -(-(length - tile) // step) + 1


@pytest.mark.parametrize(("length", "tile", "grid"), [(1000, 512, 64), (250, 96, 16), (640, 64, 32), (100, 50, 1)])
def test_tiles_but_the_last_begin_on_a_power_of_two(length, tile, grid):
    assert not any(start % grid for start in axis_of(length, tile, 0.5, "uniform").starts[:-1])


def test_gaussian_is_that_of_scipy_above_its_floor():
    found = profile(64, "gaussian")
    np.testing.assert_allclose(found, np.maximum(gaussian(64, 8), 1e-3), rtol=1e-12)
    assert profile(1, "gaussian").tolist() == [1]


def test_weighted_shares_are_those_of_the_formula():
    axis = axis_of(10, 4, 0.5, "gaussian")
    weight = np.maximum(np.exp(-0.5 * ((np.arange(4) - 1.5) / 0.5) ** 2), 1e-3)
    # The tile at 2: its first two pixels are shared with the tile at 0, the others with that at 4.
    np.testing.assert_allclose(axis.weights[1][:2], weight[:2] / (weight[:2] + weight[2:]))
    np.testing.assert_allclose(axis.weights[1][2:], weight[2:] / (weight[2:] + weight[:2]))


def test_lines_are_settled_where_the_next_tile_begins():
    axis = axis_of(10, 4, 0.5, "uniform")
    assert [axis.settled(number) for number in range(4)] == [2, 4, 6, 10]
