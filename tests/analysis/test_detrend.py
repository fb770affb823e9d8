"""What is left of a curve without its trend: against planted swings, brute force and the known number of levels."""

import itertools

import numpy as np
import pytest

from unetdyn.analysis.detrend import around_monotone, detrend


def brute_force(values):
    """The best of all cuts into neighbouring groups, each at its mean, whose means rise."""
    best = None
    for cuts in itertools.product((False, True), repeat=len(values) - 1):
        groups = np.split(values, [place + 1 for place, cut in enumerate(cuts) if cut])
        means = [group.mean() for group in groups]
        left = np.concatenate([group - mean for group, mean in zip(groups, means, strict=True)])
        if all(a <= b for a, b in itertools.pairwise(means)) and (best is None or left @ left < best @ best):
            best = left
    return best


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_nearest_curve_that_only_rises_or_falls(seed):
    values = np.random.default_rng(seed).normal(size=7)
    np.testing.assert_allclose(around_monotone(values, rising=True), brute_force(values), atol=1e-12)
    np.testing.assert_allclose(around_monotone(values, rising=False), -brute_force(-values), atol=1e-12)


@pytest.mark.parametrize("tau", [0.5, 2, 8, 100])
def test_nothing_is_left_of_a_descent(tau):
    assert not around_monotone(np.exp(-np.arange(10) / tau), rising=False).any()
    assert around_monotone([], rising=True).shape == (0,)


def test_of_noise_it_takes_as_much_as_there_are_levels():
    """The mean square of what is left of n independent values is σ² (1 − Hₙ / n), with Hₙ = Σ 1/i."""
    noise = np.random.default_rng(0).normal(size=(4000, 10))
    left = np.mean([np.mean(around_monotone(row, rising=True) ** 2) for row in noise])
    assert left == pytest.approx(1 - np.sum(1 / np.arange(1, 11)) / 10, rel=0.02)


def test_detrend_takes_a_curve_with_gaps_and_keeps_a_fast_swing():
    epochs = np.delete(np.arange(100), [3, 40, 41])
    swing = 0.1 * np.sin(2 * np.pi * epochs / 7)
    left = detrend(epochs, 0.9 - 0.5 * np.exp(-epochs / 5) - 0.2 * (epochs / 100) ** 2 + swing)
    assert np.abs(left - swing)[10:].max() < 0.02


def test_detrend_scales_with_the_values():
    rng = np.random.default_rng(3)
    values = rng.normal(size=30)
    assert detrend(np.arange(30), 1e-9 * values) == pytest.approx(1e-9 * detrend(np.arange(30), values), rel=1e-6)
