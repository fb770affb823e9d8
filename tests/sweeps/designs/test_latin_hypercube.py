"""Latin hypercubes: one draw in each part of each factor."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.sweeps.designs.latin_hypercube import latin_hypercube
from unetdyn.sweeps.levels import Range


@settings(max_examples=30)
@given(runs=st.integers(1, 40), levels=st.integers(2, 7), seed=st.integers(0, 2**32 - 1))
def test_each_level_comes_equally_often(runs, levels, seed):
    drawn = latin_hypercube({"a": list(range(levels)), "b": Range(low=0, high=1)}, runs, seed)
    counts = Counter(each["a"] for each in drawn)
    each = [counts.get(level, 0) for level in range(levels)]
    assert sum(each) == runs
    assert max(each) - min(each) <= (runs % levels > 0)


@pytest.mark.parametrize("log", [False, True])
def test_each_part_of_a_range_has_one(log):
    low, high, runs = 1e-4, 1e-2, 16
    values = [each["a"] for each in latin_hypercube({"a": Range(low=low, high=high, log=log)}, runs, seed=5)]
    scale = np.log if log else np.asarray
    shares = (scale(np.array(values)) - scale(low)) / (scale(high) - scale(low))
    assert sorted(np.floor(shares * runs).astype(int)) == list(range(runs))


def test_draws_are_those_of_the_seed():
    factors = {"a": Range(low=0, high=1)}
    assert latin_hypercube(factors, 5, seed=1) == latin_hypercube(factors, 5, seed=1)
    assert latin_hypercube(factors, 5, seed=1) != latin_hypercube(factors, 5, seed=2)
