"""Counts above edges against a comparison for each edge."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.analysis.thresholds.counts import CELLS, count_above


def brute_force(images, edges, inclusive):
    hit, marked = [], []
    for y, p in images:
        rounded = edges.astype(p.dtype)[:, None]
        above = np.where(inclusive[:, None], p >= rounded, p > rounded)
        hit.append((above & y).sum(axis=1))
        marked.append(above.sum(axis=1))
    return hit, marked


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(st.floats(-0.5, 1.5), st.booleans()), min_size=1, max_size=30),
    st.sampled_from(["float32", "float64"]),
    st.randoms(use_true_random=False),
)
def test_counts_equal_a_comparison_for_each_edge(asked, dtype, random):
    edges, inclusive = np.array([edge for edge, _ in asked]), np.array([closed for _, closed in asked])
    inside = np.clip(edges, 0, 1).astype(dtype)
    beside = [np.nextafter(inside, np.dtype(dtype).type(end)) for end in (0, 1)]
    p = np.concatenate([inside, *beside, np.array([0, 0.5, 1], dtype)])
    y = np.array([random.random() < 0.5 for _ in p])
    images = [(y, p), (~y[:5], p[:5])]
    counts = count_above(images, edges, inclusive)
    hit, marked = brute_force(images, edges, inclusive)
    np.testing.assert_array_equal(counts.hit, hit)
    np.testing.assert_array_equal(counts.marked, marked)
    assert counts.objects.tolist() == [y.sum(), np.sum(~y[:5])]
    assert counts.pixels.tolist() == [len(p), len(p[:5])]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_edges_that_crowd_in_one_cell_are_told_apart(dtype):
    edges = 0.5 + np.arange(40) / (100 * CELLS)
    p = edges.astype(dtype)
    counts = count_above([(np.ones(40, bool), p)], edges, np.zeros(40, bool))
    assert counts.marked[0].tolist() == list(range(39, -1, -1))


def test_an_image_without_a_pixel_counts_nothing():
    counts = count_above([(np.zeros((0, 3)), np.zeros((0, 3)))], np.array([0.5]), np.array([False]))
    assert [part.tolist() for part in counts] == [[[0.0]], [[0.0]], [0.0], [0.0]]
    assert count_above([], np.array([0.5]), np.array([False])).hit.shape == (0, 1)


def test_images_of_several_precisions_mix():
    edges, inclusive = np.array([0.3, 0.3]), np.array([False, True])
    images = [(np.ones(1), np.array([0.3], dtype)) for dtype in ("float64", "float32", "float16")]
    # float16's nearest to 0.3 is above float32's, and both of the others are 0.3 itself in their precision.
    assert count_above(images, edges, inclusive).marked.tolist() == [[0, 1], [0, 1], [1, 1]]
