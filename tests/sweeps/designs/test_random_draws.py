"""Random draws: all different, none forbidden, spread as they should be."""

import pytest
from scipy import stats

from unetdyn.sweeps.designs.random_draws import random_draws
from unetdyn.sweeps.levels import Range
from unetdyn.sweeps.table import SweepError


def test_draws_of_levels_are_all_different_and_may_be_all_there_are():
    drawn = random_draws({"a": [1, 2, 3], "b": ["x", "y"]}, runs=6, seed=4)
    assert sorted((each["a"], each["b"]) for each in drawn) == [(a, b) for a in (1, 2, 3) for b in "xy"]


def test_draws_of_a_logarithmic_range_are_uniform_in_the_logarithm():
    drawn = random_draws({"a": Range(low=1e-4, high=1e-2, log=True)}, runs=400, seed=1)
    assert stats.kstest([each["a"] for each in drawn], stats.loguniform(1e-4, 1e-2).cdf).pvalue > 0.01


def test_draws_of_whole_numbers_have_each_as_often():
    # Different draws: the second factor makes each of them so.
    drawn = random_draws({"a": Range(low=1, high=4, integer=True), "b": Range(low=0, high=1)}, runs=400, seed=2)
    counts = [sum(each["a"] == value for each in drawn) for value in (1, 2, 3, 4)]
    assert sum(counts) == 400
    assert stats.chisquare(counts).pvalue > 0.01


def test_draws_are_allowed_ones():
    drawn = random_draws({"a": [1, 2, 3], "b": [1, 2]}, 4, 0, lambda each: each["a"] != 2)
    assert len(drawn) == 4
    assert all(each["a"] != 2 for each in drawn)


def test_more_draws_than_there_are_is_refused():
    with pytest.raises(SweepError, match=r"must be at most the number .* Received: runs=4, and 3 were found"):
        random_draws({"a": [1, 2, 3]}, runs=4)


def test_more_draws_begin_with_those_of_fewer():
    factors = {"a": Range(low=0, high=1)}
    assert random_draws(factors, 9, seed=3)[:4] == random_draws(factors, 4, seed=3)
