"""What is left of a curve without its rise: against brute force and the known number of levels."""

import itertools

import numpy as np
import pytest

from unetdyn.analysis.monotone import around_monotone


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
