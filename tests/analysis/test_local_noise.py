"""The noise of a curve against noise that was planted, and its bias table against brute force."""

import numpy as np
import pytest

from planted_noise import ar1
from unetdyn.analysis.local_noise import _PHI, LocalNoise, _expected, local_noise


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("curve", ["flat", "falls"])
def test_planted_noise_is_found_on_whatever_curve(phi, curve):
    rng = np.random.default_rng(0)
    clean = np.zeros(400) if curve == "flat" else np.exp(-np.arange(400) / 40)
    found = [local_noise(clean + 0.05 * noise) for noise in ar1(rng, (60, 400), phi)]
    added = np.sqrt((1 - phi**2) / 400)  # φ is raised by a standard error on purpose
    assert np.mean([noise.phi for noise in found]) == pytest.approx(phi + added, abs=0.06)
    assert np.median([noise.sigma for noise in found]) == pytest.approx(0.05, rel=0.08)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_what_a_parabola_leaves_of_noise_is_as_by_brute_force(phi):
    window, x = 20, np.arange(20)
    without, mean_squares, lag_ones = _expected(window)
    drawn = ar1(np.random.default_rng(1), (4000, window), phi)
    left = drawn - np.array([np.polyval(fit, x) for fit in np.polyfit(x, drawn.T, 2).T])
    assert drawn @ without == pytest.approx(left, abs=1e-9)
    place = np.argmin(np.abs(_PHI - phi))
    assert mean_squares[place] == pytest.approx(np.mean(left**2), rel=0.03)
    ratio = np.sum(left[:, 1:] * left[:, :-1]) / np.sum(left**2)
    assert lag_ones[place] == pytest.approx(ratio, abs=0.02)
    assert np.all(np.diff(lag_ones) > 0)


def test_drawn_noise_has_the_size_and_correlation_it_says():
    drawn = LocalNoise(2.0, 0.6).draw(np.random.default_rng(2), 500, 100)
    assert drawn.shape == (500, 100)
    assert np.std(drawn) == pytest.approx(2, rel=0.03)
    assert np.mean(drawn[:, 1:] * drawn[:, :-1]) / np.mean(drawn**2) == pytest.approx(0.6, abs=0.02)


def test_a_spike_is_not_taken_for_noise():
    rng = np.random.default_rng(3)
    values = rng.normal(0, 0.05, 200)
    calm = local_noise(values).sigma
    values[[20, 90, 150]] += 5
    assert local_noise(values).sigma < 1.2 * calm


def test_a_curve_without_noise_has_none():
    assert local_noise(np.linspace(1, 0, 50)).sigma == pytest.approx(0, abs=1e-12)
    assert local_noise(np.ones(15)).sigma == pytest.approx(0, abs=1e-12)
