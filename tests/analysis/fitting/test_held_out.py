"""The check on the tail against fits of SciPy, and how often it is wrong."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from unetdyn.analysis.fitting.held_out import held_out
from unetdyn.analysis.fitting.models import SHAPES

EPOCHS = np.arange(60.0)
X = EPOCHS / 60
EXPONENTIAL, POWER_LAW, LAST_VALUE = range(3)


def check(values, best=EXPONENTIAL):
    return held_out(EPOCHS[: values.shape[1]], values, SHAPES, np.full(len(values), best))


def noisy(curve, sigma, count=1, seed=0):
    return curve + np.random.default_rng(seed).normal(0, sigma, (count, len(curve)))


@pytest.mark.parametrize(
    ("best", "formula"),
    [
        (EXPONENTIAL, lambda t, j, a, r: j + a * np.exp(-r * t)),
        (POWER_LAW, lambda t, j, a, r: j + a * (t + 1) ** -r),
    ],
)
def test_held_out_equals_fits_of_scipy(best, formula):
    values = noisy(0.3 + 0.7 * np.exp(-8 * X) + 0.3 * np.maximum(X - 0.7, 0), 0.05, 8)
    for row, found in zip(values, check(values, best), strict=True):
        parameters, _ = curve_fit(formula, EPOCHS[:48], row[:48], p0=(0.3, 0.7, 0.2))
        fit_error = row[48:] - formula(EPOCHS[48:], *parameters)
        last_error = row[48:] - row[44:48].mean()  # a tenth of 48 epochs
        rms, last_rms = np.sqrt(np.mean(fit_error**2)), np.sqrt(np.mean(last_error**2))
        assert found.epochs == 12
        assert found.fit_error == pytest.approx(rms, rel=1e-4)
        assert found.last_value_error == pytest.approx(last_rms)
        assert found.beaten == (rms < last_rms)
        assert found.worse == (rms > 1.25 * last_rms)


def test_a_fit_is_worse_where_the_curve_turned():
    turned = noisy(0.3 + 0.7 * np.exp(-12 * X) + 0.4 * np.maximum(X - 0.3, 0), 0.01, 50)
    assert np.mean([found.worse for found in check(turned)]) > 0.9


def test_a_fit_is_hardly_ever_worse_where_it_is_right():
    arrived = check(noisy(0.8 - 0.7 * np.exp(-10 * X), 0.02, 400))
    assert np.mean([found.worse for found in arrived]) < 0.05
    assert 0.2 < np.mean([not found.beaten for found in arrived]) < 0.5  # chance decides which is nearer
    moving = check(noisy(0.8 - 0.7 * np.exp(-4 * X), 0.005, 400))
    assert np.mean([found.beaten for found in moving]) > 0.98


def test_a_fit_is_worse_where_a_metric_took_off_late_and_stayed():
    took_off = noisy(0.75 / (1 + np.exp(4 - EPOCHS[:40])), 0.01, 50)
    assert np.mean([found.worse for found in check(took_off)]) > 0.8


def test_a_fit_without_noise_is_not_worse_by_rounding():
    found = check((0.8 - 0.7 * np.exp(-60 * X))[None])[0]
    assert not found.worse


def test_the_last_value_is_never_worse_than_itself():
    found = check(noisy(0.5 + X, 0.1), LAST_VALUE)[0]
    assert found.fit_error == found.last_value_error
    assert not found.worse
    assert not found.beaten


def test_ten_epochs_leave_a_tail_of_three():
    assert check(noisy(X[:10], 0.01))[0].epochs == 3
