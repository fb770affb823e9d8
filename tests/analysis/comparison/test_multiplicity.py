"""Holm against statsmodels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from planted_designs import FACTORS, grid
from unetdyn.analysis import adjusted_tests, anova, holm, robust_tests


@settings(deadline=None, max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_against_statsmodels(p):
    found = holm(dict(enumerate(p)))
    assert list(found) == list(range(len(p)))
    assert list(found.values()) == pytest.approx(multipletests(p, method="holm")[1])


def test_holm_does_not_count_what_was_not_tested():
    found = holm({"a": 0.02, "b": math.nan, "c": 0.03})
    assert (found["a"], found["c"]) == (0.04, 0.04)
    assert math.isnan(found["b"])
    assert holm({}) == {}
    assert math.isnan(holm({"a": math.nan})["a"])


def test_holm_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match=r"`p` must hold numbers from 0 to 1, or NaN. Received: 'a': 1.5"):
        holm({"a": 1.5})


def test_adjusted_tests_are_of_all_factors_and_responses_asked_about():
    _, runs = grid(seed=1, noise=0.1)
    found = adjusted_tests(runs, FACTORS, ("performance", "final"))
    expected = multipletests([anova(runs, FACTORS, r).effects[f].p for r, f in found.p], method="holm")[1]
    assert list(found.p) == [(response, factor) for response in ("performance", "final") for factor in FACTORS]
    assert list(found.adjusted.values()) == pytest.approx(expected)
    assert found.count == 6


@pytest.mark.parametrize(("test", "attribute"), [("Welch", "welch_p"), ("permutation", "permutation_p")])
def test_adjusted_tests_are_those_asked_for(test, attribute):
    _, runs = grid(seed=1, noise=0.1)
    found = adjusted_tests(runs, FACTORS[:2], test=test, order=2, permutations=99)
    tests = robust_tests(runs, FACTORS[:2], order=2, permutations=99).tests
    np.testing.assert_array_equal(list(found.p.values()), [getattr(each, attribute) for each in tests.values()])
    assert found.count == {"Welch": 2, "permutation": 3}[test]


def test_adjusted_tests_refuse_an_unknown_test():
    with pytest.raises(ValueError, match=r"`test` must be one of 'F', 'Welch', 'permutation'. Received: test='welch'"):
        adjusted_tests([], "filters", test="welch")
