"""Slopes and their intervals against SciPy, Kendall's variance by brute force, and coverage on planted slopes."""

import numpy as np
import pytest
from scipy.stats import theilslopes

from planted_noise import ar1
from unetdyn.analysis.theil_sen import _factor, sliding_slopes, window_for


@pytest.mark.parametrize("gaps", [1, 5])
def test_slopes_equal_scipys_where_neighbours_do_not_correlate(gaps):
    rng = np.random.default_rng(0)
    epochs = gaps * np.arange(60)
    # Noise that turns at every step: the correlation is negative, counts as 0, and SciPy's interval is the right one.
    values = 0.02 * epochs + (-1.0) ** np.arange(60) * rng.uniform(0.5, 1, 60)
    found = sliding_slopes(epochs, values, 30, 0.9, guard=0)
    assert found.ends.tolist() == list(range(29, 60))
    for end, slope, low, high, phi in zip(*found, strict=True):
        chosen = slice(end - 29, end + 1)
        expected = theilslopes(values[chosen], epochs[chosen], 0.9)
        assert phi == 0
        assert (slope, low, high) == pytest.approx((expected.slope, expected.low_slope, expected.high_slope), rel=1e-12)


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6, 0.9])
def test_the_variance_of_kendalls_statistic_is_widened_as_by_brute_force(phi):
    window, draws = 30, 5000
    noise = ar1(np.random.default_rng(1), (draws, window), phi)
    i, j = np.triu_indices(window, 1)
    statistic = np.sign(noise[:, j] - noise[:, i]).sum(axis=1)
    widened = np.var(statistic) / (window * (window - 1) * (2 * window + 5) / 18)
    assert _factor(np.array([phi]), window)[0] == pytest.approx(widened, rel=0.1)


@pytest.mark.parametrize("phi", [0.0, 0.3, 0.6])
def test_intervals_miss_the_planted_slope_on_either_side_as_seldom_as_they_say(phi):
    window, draws, truth = 30, 1500, -0.7
    misses = np.zeros(2)
    for noise in ar1(np.random.default_rng(2), (draws, window), phi):
        found = sliding_slopes(np.arange(window), truth * np.arange(window) + noise, window, 0.9)
        misses += found.low[0] > truth, found.high[0] < truth
    # 5 % on a side; the binomial standard error is 0.6 %.
    assert np.all(misses / draws < 0.065)
    assert np.all(misses / draws > 0.005)


def test_an_interval_that_ignores_autocorrelation_would_miss_too_often():
    window, draws = 30, 500
    misses = 0
    for noise in ar1(np.random.default_rng(3), (draws, window), 0.6):
        misses += theilslopes(noise, np.arange(window), 0.9).low_slope > 0
    assert misses / draws > 0.1


def test_slopes_bear_outliers():
    values = 0.1 * np.arange(30) + np.random.default_rng(4).normal(0, 0.01, 30)
    calm = sliding_slopes(np.arange(30), values, 30, 0.9)
    values[[3, 17]] += 100
    wild = sliding_slopes(np.arange(30), values, 30, 0.9)
    assert wild.slope[0] == pytest.approx(calm.slope[0], abs=0.0005)
    assert wild.high[0] - wild.low[0] < 3 * (calm.high[0] - calm.low[0])


def test_windows_with_nan_have_no_slope_and_others_do():
    values = np.arange(40.0)
    values[25] = np.nan
    found = sliding_slopes(np.arange(40), values, 10, 0.9)
    assert np.isnan(found.slope).tolist() == [25 - 9 <= end - 9 <= 25 for end in found.ends]
    assert found.slope[0] == 1


def test_a_long_series_is_looked_at_in_fewer_windows_up_to_the_last():
    found = sliding_slopes(np.arange(20_000), np.arange(20_000.0), 200, 0.9)
    assert len(found.ends) < 1200
    assert found.ends[-1] == 19_999
    assert len(set(np.diff(found.ends))) == 1


def test_window_for_agrees_with_the_width_of_longer_windows():
    noise = np.random.default_rng(5).normal(0, 1, 4000)
    widths = [
        np.median(found.high - found.low)
        for found in (sliding_slopes(np.arange(4000), noise, window, 0.9) for window in (30, 90))
    ]
    assert window_for(widths[0], widths[1], 30) == pytest.approx(90, rel=0.1)
