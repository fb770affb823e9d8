"""The noise model against planted noise, closed forms and brute force."""

import numpy as np
import pytest

from unetdyn.analysis.noise import Noise, ar1, detrend


@pytest.mark.parametrize("memory", [-0.5, 0.0, 0.5, 0.8])
@pytest.mark.parametrize("epochs", [50, 200])
def test_memory_and_innovation_of_planted_noise_come_back(memory, epochs):
    """Without the correction for the trend the memory of 0.8 in 50 epochs reads 0.56."""
    noise = Noise(memory, 0.02, 0).draw(epochs, 150, np.random.default_rng(1))
    time = np.arange(epochs)
    curve = 0.3 + 0.7 * np.exp(-time / 8) + 0.001 * time
    found = [ar1(detrend(time, curve + one)) for one in noise]
    assert np.mean([one.memory for one in found]) == pytest.approx(memory, abs=0.1)
    assert np.mean([one.innovation for one in found]) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("epochs", [30, 100])
def test_plausible_memories_scatter_as_the_estimates_of_planted_noise_do(memory, epochs):
    rng = np.random.default_rng(4)
    found = [ar1(detrend(np.arange(epochs), one)).memory for one in Noise(memory, 1.0, 0).draw(epochs, 200, rng)]
    drawn = Noise(memory, 1.0, epochs).draw_plausible(1000, 300, rng)
    drawn_memories = np.sum(drawn[:, 1:] * drawn[:, :-1], axis=1) / np.sum(drawn**2, axis=1)
    assert np.std(drawn_memories) == pytest.approx(np.std(found), rel=0.35)


@pytest.mark.parametrize("memory", [-0.6, 0.0, 0.7])
def test_drawn_noise_has_the_autocovariance_of_the_model(memory):
    noise = Noise(memory, 0.5, 0)
    drawn = noise.draw(6, 100_000, np.random.default_rng(2))
    lags = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    assert np.cov(drawn.T) == pytest.approx(noise.sigma**2 * memory**lags, abs=0.015)


@pytest.mark.parametrize("memory", [-0.6, 0.0, 0.7])
def test_error_of_a_mean_equals_the_sum_over_the_covariance_matrix(memory):
    noise = Noise(memory, 0.5, 0)
    lags = np.abs(np.subtract.outer(np.arange(7), np.arange(7)))
    variance = noise.sigma**2 * np.sum(memory**lags) / 7**2
    assert noise.error_of_mean(7) == pytest.approx(np.sqrt(variance))


def test_detrend_takes_a_curve_with_gaps_and_keeps_a_fast_swing():
    epochs = np.delete(np.arange(100), [3, 40, 41])
    swing = 0.1 * np.sin(2 * np.pi * epochs / 7)
    left = detrend(epochs, 0.9 - 0.5 * np.exp(-epochs / 5) - 0.2 * (epochs / 100) ** 2 + swing)
    assert np.abs(left - swing)[10:].max() < 0.02


@pytest.mark.parametrize("values", [[], [0.3], [0.1] * 40, list(np.linspace(0.1, 0.7, 40))])
def test_what_has_no_scatter_leaves_exactly_nothing(values):
    left = detrend(np.arange(len(values)), values)
    assert not left.any()
    assert ar1(left) == Noise(0.0, 0.0, len(values))


def test_detrend_scales_with_the_values():
    rng = np.random.default_rng(3)
    values = rng.normal(size=30)
    assert detrend(np.arange(30), 1e-9 * values) == pytest.approx(1e-9 * detrend(np.arange(30), values), rel=1e-6)
