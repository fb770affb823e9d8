"""Which combinations a design has, by its kind, and what is said of them."""

import pytest

from unetdyn.sweeps.design import Design
from unetdyn.sweeps.designs.choice import choose
from unetdyn.sweeps.designs.factorial import full_factorial
from unetdyn.sweeps.table import SweepError

TWO = {key: [0, 1] for key in ("a.x", "b", "c", "d", "e")}
MIXED = {"a": [1, 2, 3], "b": [1, 2], "c": [1, 2]}


def chosen(factors, exclude=(), **scheme):
    return choose(Design(name="x", base={}, factors=factors, seeds=1, exclude=list(exclude), design=scheme))


def test_factorial_has_every_combination_but_the_excluded():
    found = chosen(MIXED, [{"a": 1, "b": 2}], kind="factorial")
    assert len(found.cells) == 10
    assert found.left_out == 2
    assert all(cell in full_factorial(MIXED) and (cell["a"], cell["b"]) != (1, 2) for cell in found.cells)


def test_fractional_by_resolution_tells_its_aliases():
    found = chosen(TWO, kind="fractional", resolution=3)
    assert len(found.cells) == 8
    text = "; ".join(found.notes)
    assert "8 of 32 combinations, a regular fraction of resolution 3: D = AB, E = AC" in text
    assert "A: a.x" in text
    assert "I = ABD = ACE = BCDE" in text
    assert "A = BD = CE; " in text


def test_fractional_of_resolution_5_has_no_aliases():
    found = chosen(TWO, kind="fractional", resolution=5)
    assert len(found.cells) == 16
    assert found.notes[-1] == "effects and interactions of two are clear of each other"


def test_fractional_without_a_fraction_is_the_full_factorial():
    found = chosen({"a": [0, 1], "b": [0, 1]}, kind="fractional", resolution=5)
    assert len(found.cells) == 4
    assert found.notes == ("all 4 combinations: no fraction of them has that resolution",)


def test_fractional_of_a_power_of_two_is_regular_and_of_another_number_d_optimal():
    assert "regular fraction of resolution 5" in chosen(TWO, kind="fractional", runs=16).notes[0]
    found = chosen(TWO, kind="fractional", runs=12)
    assert len(found.cells) == 12
    assert "12 of 32 combinations, D-optimal for main effects: D-efficiency" in found.notes[0]


def test_fractional_of_mixed_levels_is_d_optimal():
    found = chosen(MIXED, kind="fractional", runs=6)
    assert len(found.cells) == 6
    assert [sum(cell["a"] == level for cell in found.cells) for level in (1, 2, 3)] == [2, 2, 2]
    assert "D-efficiency 97.7 %" in found.notes[0]


def test_fractional_leaves_out_what_is_excluded():
    found = chosen(TWO, [{"a.x": 1, "b": 1}], kind="fractional", runs=8)
    assert found.left_out == 8
    assert not any(cell["a.x"] == cell["b"] == 1 for cell in found.cells)


@pytest.mark.parametrize(
    ("factors", "exclude", "scheme", "message"),
    [
        (
            MIXED,
            [],
            {"resolution": 4},
            r"is for up to 9 factors with two levels each.* Received: 3 factors with 3, 2, 2",
        ),
        (TWO, [{"b": 1}], {"resolution": 3}, "without `exclude`"),
        (TWO, [], {"resolution": 4, "runs": 8}, r"enough for a resolution of 4\. Received: runs=8, which has 3"),
        (
            TWO,
            [],
            {"resolution": 3, "runs": 12},
            r"must be a power of 2 above the number of factors and up to 32\. Recei",
        ),
        (MIXED, [], {"runs": 4}, r"`design\.runs` must be from 5"),
    ],
)
def test_fractional_that_is_not_there_is_refused(factors, exclude, scheme, message):
    with pytest.raises(SweepError, match=message):
        chosen(factors, exclude, kind="fractional", **scheme)


def test_latin_hypercube_says_which_draws_repeat():
    found = chosen({"a": [1, 2], "b": [1, 2]}, kind="latin_hypercube", runs=12)
    assert len(found.cells) == 4
    assert "8 draws repeat others" in found.notes[1]


def test_latin_hypercube_leaves_out_what_is_excluded():
    factors = {"a": {"low": 0, "high": 1}, "b": [1, 2]}
    found = chosen(factors, [{"b": 2}], kind="latin_hypercube", runs=12)
    assert len(found.cells) == found.left_out == 6


def test_random_has_as_many_as_are_asked_for():
    found = chosen(MIXED, [{"a": 2}], kind="random", runs=7, seed=3)
    assert len(found.cells) == 7
    assert found.left_out == 0
    assert all(cell["a"] != 2 for cell in found.cells)


def test_a_sweep_of_one_combination_is_refused():
    with pytest.raises(SweepError, match=r"must have two combinations or more\. Received: 1, with 1 left out"):
        chosen({"a": [1, 2]}, [{"a": 2}], kind="factorial")


def test_more_combinations_than_anybody_trains_are_refused():
    factors = {letter: list(range(10)) for letter in "abcdef"}
    with pytest.raises(SweepError, match=r"at most 100,000 combinations\. Received: 1,000,000"):
        full_factorial(factors)
