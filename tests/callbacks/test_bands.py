"""A band with two thresholds, on values that were planted."""

import pytest

from unetdyn.callbacks.bands import Band


def seen(values, act=0.1, calm=0.05):
    band, found = Band("σ", act, calm), []
    for value in values:
        band.look(value)
        found.append((band.out, band.calm_for))
    return found


def test_a_value_between_the_thresholds_is_out_only_if_it_was_out_before():
    assert seen([0.08, 0.1, 0.08, 0.05, 0.049, 0.08]) == [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (0, 0)]


def test_a_value_that_is_not_known_changes_nothing():
    nan = float("nan")
    assert seen([nan, 0.2, nan, nan, 0.2, 0.01, nan, 0.01]) == [
        *((0, 0), (1, 0), (1, 0), (1, 0)),
        *((2, 0), (0, 1), (0, 1), (0, 2)),
    ]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.2], "σ 0.2 ≥ 0.1 for 1 epoch"),
        ([0.2, 0.3], "σ 0.3 ≥ 0.1 for 2 epochs"),
        ([0.2, 0.07], "σ 0.1 ≥ 0.1 for 2 epochs (now 0.07, not yet < 0.05)"),
    ],
)
def test_words_have_the_value_and_the_bound(values, words):
    band = Band("σ", 0.1, 0.05)
    for value in values:
        band.look(value)
    assert band.words == words


def test_words_of_what_is_there_or_not_have_no_bound():
    band = Band("it swings", 1.0, 1.0)
    band.look(1.0)
    assert band.words == "it swings for 1 epoch"


def test_state_comes_back():
    band, other = Band("σ", 0.1, 0.05), Band("σ", 0.1, 0.05)
    for value in (0.2, 0.3):
        band.look(value)
    other.set_state(band.get_state())
    for each in (band, other):
        each.look(0.06)
    assert other.words == band.words
    assert other.get_state() == band.get_state()
