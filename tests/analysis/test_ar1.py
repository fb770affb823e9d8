"""First-order autoregressive noise, estimated and drawn: planted noise, closed forms and brute force."""

import numpy as np
import pytest

import unetdyn.analysis.ar1 as module
from planted_noise import ar1
from unetdyn.analysis.ar1 import AR1, fit_ar1, innovations, lag_one, local_ar1, robust_autocorrelation
from unetdyn.analysis.detrend import TREND_PARAMETERS, detrend


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.8])
@pytest.mark.parametrize("epochs", [50, 200])
def test_phi_and_sigma_of_planted_noise_come_back(phi, epochs):
    """Without the correction for the trend the φ of 0.8 in 50 epochs reads 0.56."""
    noise = AR1(phi, 0.02).draw(epochs, 150, np.random.default_rng(1))
    time = np.arange(epochs)
    curve = 0.3 + 0.7 * np.exp(-time / 8) + 0.001 * time
    found = [fit_ar1(detrend(time, curve + one), TREND_PARAMETERS) for one in noise]
    assert np.mean([one.phi for one in found]) == pytest.approx(phi, abs=0.1)
    assert np.mean([one.sigma_innovation for one in found]) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("epochs", [30, 100])
def test_uncertain_phis_scatter_as_the_estimates_of_planted_noise_do(phi, epochs):
    rng = np.random.default_rng(4)
    found = [
        fit_ar1(detrend(np.arange(epochs), one), TREND_PARAMETERS).phi for one in AR1(phi, 1.0).draw(epochs, 200, rng)
    ]
    drawn = AR1(phi, 1.0, epochs, TREND_PARAMETERS).draw_with_uncertainty(1000, 300, rng)
    drawn_phi = np.sum(drawn[:, 1:] * drawn[:, :-1], axis=1) / np.sum(drawn**2, axis=1)
    assert np.std(drawn_phi) == pytest.approx(np.std(found), rel=0.35)


@pytest.mark.parametrize("phi", [-0.6, 0.0, 0.7])
def test_drawn_noise_has_the_autocovariance_of_the_model(phi):
    noise = AR1(phi, 0.5)
    drawn = noise.draw(6, 100_000, np.random.default_rng(2))
    lags = np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    assert np.cov(drawn.T) == pytest.approx(noise.sigma**2 * phi**lags, abs=0.015)


@pytest.mark.parametrize("phi", [-0.6, 0.0, 0.7])
def test_error_of_a_mean_equals_the_sum_over_the_covariance_matrix(phi):
    noise = AR1(phi, 0.5)
    lags = np.abs(np.subtract.outer(np.arange(7), np.arange(7)))
    variance = noise.sigma**2 * np.sum(phi**lags) / 7**2
    assert noise.error_of_mean(7) == pytest.approx(np.sqrt(variance))


@pytest.mark.parametrize("values", [[], [0.3], [0.1] * 40, list(np.linspace(0.1, 0.7, 40))])
def test_what_has_no_scatter_leaves_exactly_nothing(values):
    left = detrend(np.arange(len(values)), values)
    assert not left.any()
    assert fit_ar1(left, TREND_PARAMETERS)[:3] == (0.0, 0.0, len(values))


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
@pytest.mark.parametrize("curve", ["flat", "falls"])
def test_planted_noise_is_found_on_whatever_curve(phi, curve):
    rng = np.random.default_rng(0)
    clean = np.zeros(400) if curve == "flat" else np.exp(-np.arange(400) / 40)
    found = [local_ar1(clean + 0.05 * noise) for noise in ar1(rng, (60, 400), phi)]
    added = np.sqrt((1 - phi**2) / 400)  # φ is raised by a standard error on purpose
    assert np.mean([noise.phi for noise in found]) == pytest.approx(phi + added, abs=0.06)
    assert np.median([noise.sigma for noise in found]) == pytest.approx(0.05, rel=0.08)


@pytest.mark.parametrize("phi", [0.0, 0.5, 0.9])
def test_what_a_parabola_leaves_of_noise_is_as_by_brute_force(phi):
    window, x = 20, np.arange(20)
    without, mean_squares, lag_ones = module._parabola_removed(window)
    drawn = ar1(np.random.default_rng(1), (4000, window), phi)
    left = drawn - np.array([np.polyval(fit, x) for fit in np.polyfit(x, drawn.T, 2).T])
    assert drawn @ without == pytest.approx(left, abs=1e-9)
    place = np.argmin(np.abs(module._LOCAL_PHI - phi))
    assert mean_squares[place] == pytest.approx(np.mean(left**2), rel=0.03)
    ratio = np.sum(left[:, 1:] * left[:, :-1]) / np.sum(left**2)
    assert lag_ones[place] == pytest.approx(ratio, abs=0.02)
    assert np.all(np.diff(lag_ones) > 0)


def test_a_spike_is_not_taken_for_noise():
    rng = np.random.default_rng(3)
    values = rng.normal(0, 0.05, 200)
    calm = local_ar1(values).sigma
    values[[20, 90, 150]] += 5
    assert local_ar1(values).sigma < 1.2 * calm


def test_a_curve_without_noise_has_none():
    assert local_ar1(np.linspace(1, 0, 50)).sigma == pytest.approx(0, abs=1e-12)
    assert local_ar1(np.ones(15)).sigma == pytest.approx(0, abs=1e-12)


def test_robust_phi_bears_a_spike_that_hides_it_otherwise():
    noise = ar1(np.random.default_rng(4), 400, 0.6)
    noise[200] += 100
    assert robust_autocorrelation(noise, 1, guard=0) == pytest.approx(0.6, abs=0.1)
    assert lag_one(noise) < 0.2


def test_robust_phi_is_never_negative_and_allows_for_its_error():
    zigzag = (-1.0) ** np.arange(100) + 0.1 * np.random.default_rng(5).normal(size=100)
    assert robust_autocorrelation(zigzag, 0, guard=0) == 0
    assert robust_autocorrelation(zigzag, 0, guard=2) == pytest.approx(0.2)


def test_innovations_undo_autoregress():
    drawn = np.random.default_rng(6).normal(size=(3, 20))
    phi = np.array([0.0, 0.5, -0.7])
    noise = module.autoregress(drawn.T.copy(), phi).T
    np.testing.assert_allclose(innovations(noise, phi)[:, 1:], drawn[:, 1:], atol=1e-12)
    np.testing.assert_allclose(innovations(noise, phi)[:, 0], drawn[:, 0] * np.sqrt(1 - phi**2))


@pytest.mark.parametrize("phi", [0.0, 0.4, 0.8])
def test_phi_under_lines_is_that_of_the_noise(phi):
    frequency = np.arange(1, 250) / 500
    noise = np.array(
        [np.abs(np.fft.rfft(one))[1:250] ** 2 / 500 for one in ar1(np.random.default_rng(7), (20, 500), phi)]
    )
    noise[:, 60] *= 1000
    assert np.mean([module.phi_under_lines(frequency, one) for one in noise]) == pytest.approx(phi, abs=0.06)
