"""What counts as a change."""

import numpy as np
import pytest

from planted_runs import CALM
from unetdyn.analysis.diagnosis.change import LAST, LITTLE, NOISE_SCALES, NOTHING, ending, never_left, noise


def test_noise_of_normal_values_is_their_standard_deviation():
    values = np.random.default_rng(0).normal(scale=0.3, size=20_000)
    assert noise(values) == pytest.approx(0.3, rel=0.03)


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, 1.0]])
def test_too_few_values_have_no_noise(values):
    assert noise(np.array(values)) == 0.0


def swinging(scatter):
    """Values about 1, of which the first is 1, with this noise."""
    values = np.random.default_rng(0).normal(size=40)
    values[0] = 0.0
    return 1.0 + scatter * values / noise(values)


def test_both_a_tenth_and_the_noise_must_be_passed_to_stay():
    """Between a fiftieth and a tenth the noise decides; above a tenth nothing does."""
    calm, loud = swinging(0.01), swinging(0.5)
    assert NOTHING < NOISE_SCALES * noise(calm) < LITTLE
    assert never_left(calm, 1 - NOISE_SCALES * noise(calm) + 1e-9)
    assert not never_left(calm, 1 - NOISE_SCALES * noise(calm) - 1e-9)
    assert never_left(loud, 1 - LITTLE + 1e-9)
    assert not never_left(loud, 1 - LITTLE - 1e-9)


@pytest.mark.parametrize("first", [0.693, -0.8, 1e-6, 1e6])
def test_fiftieth_is_nothing_however_calm_the_curve(first):
    """A cross-entropy that falls from 0.693 to 0.692 without any noise has learned nothing."""
    assert never_left(np.full(9, first), first - (NOTHING - 1e-6) * abs(first))
    larger = first * (1 + NOTHING) + 1e-3 * first
    assert not never_left(np.full(9, first), larger)


def test_beginning_is_the_first_finite_value():
    assert never_left(np.r_[np.inf, np.nan, 1.0 + CALM], 1.0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.9, 0.8, 0.7, 0.1], 0.7),
        ([0.9, 0.8, 0.1, 0.1], 0.1),
        ([0.5, 0.7], 0.6),
        ([0.5], 0.5),
        ([0.3, 0.5, 0.4, np.nan, np.inf], 0.4),
    ],
)
def test_ending_is_the_median_of_the_last_finite_values(values, expected):
    assert LAST == 3
    assert ending(np.array(values)) == pytest.approx(expected)


@pytest.mark.parametrize("values", [[], [np.nan, np.inf]])
def test_nothing_has_no_ending(values):
    assert np.isnan(ending(np.array(values)))
