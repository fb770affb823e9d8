"""Collapses: planted falls, ordinary noise, and the definition word by word."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.analysis import collapses
from unetdyn.analysis.ar1 import AR1


def noisy(relative, phi=0.0, seed=0, rising=True, epochs=100):
    level = 0.6 * (1 - np.exp(-(np.arange(epochs) + 1) / 15)) if rising else np.full(epochs, 0.6)
    noise = AR1(phi, np.sqrt(1 - phi**2)).draw(epochs, 1, np.random.default_rng(seed))[0]
    return np.clip(level * (1 + relative * noise), 0, 1)


def by_loop(values, depth):
    """The three conditions, one epoch after the other."""
    found = []
    for at in range(1, len(values)):
        past = values[:at]
        level = np.median(past[-5:])
        steps = np.diff(past)[-20:]
        known = len(steps) >= 8
        scale = 1.4826 / math.sqrt(2) * np.median(np.abs(steps - np.median(steps))) if known else 0.0
        least = depth if known else max(depth, 0.8)
        drop = level - values[at]
        found.append(drop >= least * level and drop >= 6 * scale and drop >= 0.05 * max(past))
    return np.flatnonzero([False, *found])


def test_the_example_is_found_from_three_epochs_on():
    (event,) = collapses([0.0288, 0.0020, 0.0797]).events
    assert (event.epoch, event.before, event.lowest, event.lowest_epoch) == (1, 0.0288, 0.0020, 1)
    assert event.depth == pytest.approx((0.0288 - 0.0020) / 0.0288)
    assert event.recovery == 1
    assert event.recovered
    assert event.finite


@pytest.mark.parametrize("before", [[], [0.004, 0.012], [0.002, 0.008, 0.011, 0.019, 0.024]])
@pytest.mark.parametrize("after", [[], [0.12, 0.2], [0.12, 0.2, *(0.7 + 0.01 * np.sin(np.arange(90.0)))]])
def test_the_example_is_found_within_a_longer_training(before, after):
    (event,) = collapses([*before, 0.0288, 0.0020, 0.0797, *after]).events
    assert (event.epoch, event.before, event.lowest, event.recovery) == (len(before) + 1, 0.0288, 0.0020, 1)


@given(st.integers(0, 10**6), st.floats(0.2, 0.9))
@settings(deadline=None, max_examples=40)
def test_the_first_collapse_is_where_the_definition_says(seed, depth):
    rng = np.random.default_rng(seed)
    values = np.clip(0.5 + 0.1 * rng.standard_t(2, size=40), 0.001, 1)
    values[rng.integers(3, 40, 3)] *= 0.1
    expected = by_loop(values, depth)
    found = collapses(values, depth=depth)
    assert [event.epoch for event in found.events][:1] == expected[:1].tolist()
    assert {event.epoch for event in found.events} <= set(expected.tolist())


@pytest.mark.parametrize("rising", [True, False])
@pytest.mark.parametrize(("relative", "phi", "most"), [(0.1, 0.0, 0), (0.1, 0.8, 0), (0.2, 0.0, 18), (0.2, 0.8, 18)])
def test_ordinary_noise_hardly_collapses(relative, phi, most, rising):
    """Noise of a fifth of the level, which loses half of it in every second training, alarms in 5 % of them."""
    alarms = sum(bool(collapses(noisy(relative, phi, seed, rising))) for seed in range(200))
    assert alarms <= most


@pytest.mark.parametrize(("at", "kept"), [(12, 0.1), (40, 0.1), (40, 0.4), (99, 0.4)])
def test_a_planted_fall_is_found_and_nothing_else(at, kept):
    for seed in range(50):
        values = noisy(0.05, seed=seed)
        values[at] *= kept
        found = collapses(values)
        assert [event.epoch for event in found.events] == [at]
        assert found.events[0].lowest == values[at]
        assert found.events[0].recovered == (at < 99)


def test_depth_and_recovery_of_a_fall_over_several_epochs():
    values = [0.5] * 12 + [0.3, 0.2, 0.05, 0.1, 0.3, 0.44, 0.46, 0.5]
    (event,) = collapses(values).events
    assert (event.epoch, event.before, event.lowest, event.lowest_epoch) == (13, 0.5, 0.05, 14)
    assert event.depth == pytest.approx(0.9)
    assert event.recovery == 5
    assert collapses(values, recovery=1.0).events[0].recovery == 6


def test_a_training_that_never_comes_back():
    found = collapses([0.5] * 12 + [0.02] * 8)
    (event,) = found.events
    assert not event.recovered
    assert str(found) == "collapse 1  epoch 13: from 0.5 to 0.02 at epoch 13, 96 % below; back never"


def test_two_collapses_are_two():
    values = np.full(60, 0.5)
    values[[20, 40]] = 0.01
    found = collapses(values)
    assert [event.epoch for event in found.events] == [20, 40]
    assert len(found) == 2
    assert tuple(found) == found.events


def test_a_peak_is_no_collapse_of_what_follows():
    assert not collapses([0.3] * 12 + [0.9] + [0.3] * 12)


def test_a_slow_decline_is_none():
    assert not collapses(0.8 * 0.93 ** np.arange(60))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_divergence_is_a_collapse_that_says_so(bad):
    found = collapses([0.4, 0.5, bad, bad, 0.1, 0.46, 0.5])
    (event,) = found.events
    assert (event.epoch, event.lowest_epoch, event.recovery, event.finite) == (2, 2, 3, False)
    assert math.isnan(event.depth)
    assert str(event) == "epoch 3: from 0.5 to not a finite number at epoch 3; back after 3 epochs"


def test_a_fall_that_becomes_nan_is_one_collapse():
    (event,) = collapses([0.5, 0.5, 0.01, math.nan, math.nan]).events
    assert (event.epoch, event.lowest_epoch, event.finite, event.recovery) == (2, 3, False, None)


@pytest.mark.parametrize(("at", "kept", "found"), [(8, 0.4, False), (8, 0.1, True), (20, 0.4, True)])
def test_a_fall_before_the_noise_is_known_must_be_deeper(at, kept, found):
    values = 0.6 + 0.01 * np.random.default_rng(3).standard_normal(40)
    values[at] *= kept
    assert [event.epoch for event in collapses(values)] == ([at] if found else [])


def test_a_nan_after_zero_has_no_depth():
    assert math.isnan(collapses([0.0, math.nan, 0.1]).events[0].depth)


def test_a_training_of_nothing_but_nan_fell_from_nowhere():
    assert not collapses([math.nan] * 5)
    assert [event.epoch for event in collapses([math.nan, math.nan, 0.5, 0.6, math.nan]).events] == [4]


@pytest.mark.parametrize("values", [[], [0.3]])
def test_what_has_too_few_epochs_says_so(values):
    assert str(collapses(values)) == f"collapses  undetermined: {len(values)} of the 2 epochs that it needs"


def test_what_has_none_says_so():
    assert str(collapses([0.1, 0.2, 0.3])) == "collapses  none in 3 epochs"
    assert not collapses([0.0] * 30)


def test_epochs_with_gaps_are_told_as_they_were():
    (event,) = collapses([0.5, 0.5, 0.01, 0.5], epochs=[2, 5, 8, 11]).events
    assert (event.epoch, event.recovery) == (8, 3)


def test_all_are_found_in_a_hundred_thousand_epochs():
    values = noisy(0.05, epochs=100_000)
    values[5_000::1_000] *= 0.01
    values[90_500:] = math.nan
    found = collapses(values)
    assert [event.epoch for event in found.events] == [*range(5_000, 90_500, 1_000), 90_500]


@pytest.mark.parametrize(
    ("values", "kwargs", "text"),
    [
        ([[0.1, 0.2]], {}, r"`values` must be one value an epoch, .* Received: shape \(1, 2\)"),
        (
            [0.1, 0.2],
            {"epochs": [1, 1]},
            r"`epochs` must be ascending whole numbers, one for each of the 2 values. Received: \[1, 1\]",
        ),
        ([0.1, 0.2], {"epochs": [1]}, r"`epochs` must be ascending whole .* Received: \[1\]"),
        ([0.1], {"depth": 50}, r"`depth` must lie between 0 and 1, .* Received: depth=50"),
        ([0.1], {"recovery": 0}, r"`recovery` must lie between 0 and 1, without 0. Received: recovery=0"),
    ],
)
def test_arguments_that_mean_nothing_are_refused(values, kwargs, text):
    with pytest.raises(ValueError, match=text):
        collapses(values, **kwargs)
