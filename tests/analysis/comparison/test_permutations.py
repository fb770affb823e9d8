"""Permutations within strata, counted one by one."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.analysis.comparison.permutations import arrangements, drawn, every_arrangement


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=6))
def test_every_arrangement_is_every_one_and_once(runs):
    strata, labels = (np.array(column) for column in zip(*runs, strict=True))
    legal = [order for order in permutations(range(len(runs))) if (strata[list(order)] == strata).all()]
    # y of order[i] lies at place i: which labels the runs get then
    expected = {tuple(labels[np.argsort(order)]) for order in map(list, legal)}
    found = every_arrangement(strata, labels)
    assert {tuple(labels[np.argsort(order)]) for order in found} == expected
    assert len(found) == len(expected) == arrangements(strata, labels)
    assert all((strata[order] == strata).all() and sorted(order) == list(range(len(runs))) for order in found)


def test_drawn_permutations_are_uniform_within_strata():
    strata = np.array([0, 1, 0, 1, 0])
    orders = drawn(strata, 6000, np.random.default_rng(0))
    assert (strata[orders] == strata).all()
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 6 * 2
    assert counts == pytest.approx(500, abs=5 * 500**0.5)
