"""Levels: when two are the same, and what lies at a share of the way through a factor."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unetdyn.sweeps.levels import Range, level_at, same


@given(share=st.floats(0, 1, exclude_max=True), log=st.booleans(), integer=st.booleans())
def test_level_at_stays_within_a_range_and_rises_with_the_share(share, log, integer):
    of_range = Range(low=2, high=37, log=log, integer=integer)
    value = level_at(of_range, share)
    assert 2 <= value <= 37
    assert value <= level_at(of_range, (share + 1) / 2)
    assert isinstance(value, int) == integer


def test_level_at_whole_numbers_of_a_logarithmic_range_end_where_the_range_does():
    of_range = Range(low=1, high=1000, log=True, integer=True)
    assert (level_at(of_range, 0.0), level_at(of_range, 0.999999)) == (1, 1000)
    assert level_at(of_range, 0.5) == pytest.approx((0.5 * 1000.5) ** 0.5, abs=0.5)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (None, "null", False),
        ("1", 1, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1.0}, True),
    ],
)
def test_same_is_the_same_value(one, other, equal):
    assert (same(one) == same(other)) is equal
