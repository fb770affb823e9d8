"""The bootstrap's noise against what was planted, its fits against SciPy's, its intervals against NumPy's quantiles."""

import numpy as np
import pytest
from scipy.optimize import curve_fit
from scipy.signal import lfilter

from unetdyn.analysis.ar1 import autocorrelation
from unetdyn.analysis.fitting import bootstrap, models
from unetdyn.analysis.fitting.models import EXPONENTIAL


def autoregression(shape, phi, sigma, seed):
    white = np.random.default_rng(seed).normal(0, sigma * np.sqrt(1 - phi**2), (*shape[:-1], shape[-1] + 100))
    return lfilter([1.0], [1.0, -phi], white)[..., 100:]


def lag_one(values):
    centred = values - values.mean(axis=-1, keepdims=True)
    return np.mean(centred[..., 1:] * centred[..., :-1]) / np.mean(centred**2)


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
def test_autocorrelation_finds_what_was_planted_where_the_residuals_alone_show_too_little(phi):
    epochs = np.arange(40.0)
    values = 0.8 - 0.7 * np.exp(-0.15 * epochs) + autoregression((600, 40), phi, 0.02, 1)
    residuals = values - models.fit(EXPONENTIAL, epochs, values).fitted
    found = autocorrelation(residuals, 3).mean()
    own = np.mean([np.sum(e[1:] * e[:-1]) / np.sum(e**2) for e in residuals])
    assert own < phi - 0.05
    assert abs(found - phi) < 0.035  # 4 standard errors of the mean and the approximation


def test_autocorrelation_of_nothing_is_no_error():
    assert np.isfinite(autocorrelation(np.zeros((1, 20)), 3)).all()


@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_noise_is_like_the_residuals(phi):
    residuals = autoregression((1, 400), phi, 0.03, 2)
    noise = bootstrap.SieveBootstrap(400, 300, seed=0).noise_like(residuals)
    assert noise.shape == (400, 1, 300)
    assert noise.std() == pytest.approx(residuals.std(), rel=0.06)
    assert lag_one(noise[:, 0].T) == pytest.approx(lag_one(residuals), abs=0.05)
    assert noise[0].std() == pytest.approx(noise[200].std(), rel=0.25)  # stationary from the first epoch on


def test_noise_of_a_curve_is_the_same_in_company():
    residuals = autoregression((3, 30), 0.4, 0.1, 3)
    together = bootstrap.SieveBootstrap(30, 50, seed=5).noise_like(residuals)
    alone = bootstrap.SieveBootstrap(30, 50, seed=5).noise_like(residuals[1:2])
    np.testing.assert_array_equal(together[:, 1], alone[:, 0])
    assert not np.array_equal(together, bootstrap.SieveBootstrap(30, 50, seed=6).noise_like(residuals))


def test_refits_equal_fits_of_scipy_to_the_same_curves():
    epochs = np.arange(40.0)
    values = 0.8 - 0.7 * np.exp(-0.15 * epochs) + autoregression((2, 40), 0.3, 0.02, 4)
    found = models.fit(EXPONENTIAL, epochs, values)
    noise = bootstrap.SieveBootstrap(40, 25, seed=0)
    asymptotes, amplitudes, rates = bootstrap.refits(models.grid(EXPONENTIAL, epochs), found, values, noise)
    made = found.fitted.T[:, :, None] + noise.noise_like(values - found.fitted)
    expected = np.array(
        [
            [
                curve_fit(lambda t, j, a, r: j + a * np.exp(-r * t), epochs, made[:, c, d], p0=(0.8, -0.7, 0.15))[0]
                for d in range(25)
            ]
            for c in range(2)
        ]
    )
    for got, number in ((asymptotes, 0), (amplitudes, 1), (rates, 2)):
        scatter = expected[:, :, number].std()
        assert np.abs(got - expected[:, :, number]).max() < 0.02 * scatter


def test_relevelled_scatters_as_a_mean_does():
    values = np.random.default_rng(0).normal(0.5, 0.1, (1, 100))
    levels = bootstrap.relevelled(models.level(values), values, bootstrap.SieveBootstrap(100, 2000, seed=0))
    phi = max(0.0, float(autocorrelation(values - values.mean(), 1)[0]))
    assert levels.mean() == pytest.approx(values.mean(), abs=0.002)
    assert levels.std() == pytest.approx(0.1 / 10 * np.sqrt((1 + phi) / (1 - phi)), rel=0.2)


def test_mixed_interval_equals_the_weighted_quantiles_of_numpy():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(3, 4, 200)) * np.array([1.0, 3.0, 0.1])[:, None, None] + rng.normal(size=(3, 1, 1))
    weights = rng.dirichlet([1, 1, 1], size=4).T
    low, high = bootstrap.mixed_interval(draws, weights, 0.9)
    for i in range(4):
        ends = np.quantile(
            draws[:, i].ravel(), [0.05, 0.95], weights=np.repeat(weights[:, i], 200), method="inverted_cdf"
        )
        assert [low[i], high[i]] == ends.tolist()


def test_mixed_interval_never_ends_at_a_model_without_weight():
    draws = np.stack([np.linspace(-1.0, 1.0, 100)[None], np.zeros((1, 100))])
    weights = np.array([[1.0], [0.0]])
    for confidence in np.linspace(0.01, 0.99, 50):
        assert 0.0 not in np.ravel(bootstrap.mixed_interval(draws, weights, confidence))
