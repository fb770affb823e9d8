"""The fits against SciPy from several starts, the AICc against a loop by hand, the rest against brute force."""

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import curve_fit, least_squares

from unetdyn.analysis.fitting import models
from unetdyn.analysis.fitting.models import EXPONENTIAL, POWER_LAW

EPOCHS = np.arange(50.0)
STARTS = np.geomspace(0.01, 2.0, 7)


def exponential(t, asymptote, amplitude, rate):
    return asymptote + amplitude * np.exp(-rate * t)


def power_law(t, asymptote, amplitude, rate):
    return asymptote + amplitude * (t + 1) ** -rate


FORMULAS = {EXPONENTIAL: exponential, POWER_LAW: power_law}


def best_of_scipy(shape, epochs, values):
    bounds = shape.rates(shape.clock(epochs, epochs[0]))
    formula = FORMULAS[shape]
    solutions = [
        least_squares(
            lambda p: formula(epochs, *p) - values,
            (values[-1], values[0] - values[-1], np.clip(start, *bounds)),
            bounds=((-np.inf, -np.inf, bounds[0]), (np.inf, np.inf, bounds[1])),
            xtol=1e-12,
            ftol=1e-12,
            gtol=1e-12,
        )
        for start in STARTS
    ]
    return min(solutions, key=lambda solution: solution.cost)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    ("shape", "rate"), [(EXPONENTIAL, 0.05), (EXPONENTIAL, 0.2), (EXPONENTIAL, 1.0), (POWER_LAW, 0.6), (POWER_LAW, 1.5)]
)
def test_fit_equals_the_best_of_seven_starts_of_scipy(shape, rate, sign):
    noise = np.random.default_rng(0).normal(0, 0.02, (6, 50))
    values = 0.5 + sign * (0.3 - 0.7 * FORMULAS[shape](EPOCHS, 0.0, 1.0, rate)) + noise
    found = models.fit(shape, EPOCHS, values)
    for i, row in enumerate(values):
        expected = best_of_scipy(shape, EPOCHS, row)
        assert np.sum((row - found.fitted[i]) ** 2) <= 2 * expected.cost * (1 + 1e-9)
        parameters = (found.asymptote[i], found.amplitude[i], found.rate[i])
        np.testing.assert_allclose(parameters, expected.x, rtol=1e-4)
        np.testing.assert_allclose(found.fitted[i], FORMULAS[shape](EPOCHS, *parameters), rtol=1e-12)


@pytest.mark.parametrize(("shape", "rate", "start"), [(EXPONENTIAL, 0.3, 0.001), (POWER_LAW, 1.0, 0.01)])
def test_a_single_start_that_is_a_hundred_times_off_misses_what_the_grid_finds(shape, rate, start):
    formula = FORMULAS[shape]
    noise = np.random.default_rng(1).normal(0, 0.03, (20, 60))
    epochs = np.arange(60.0)
    values = formula(epochs, 0.8, -0.7, rate) + noise
    found = models.fit(shape, epochs, values)
    missed = 0
    for i, row in enumerate(values):
        try:
            single, _ = curve_fit(formula, epochs, row, p0=(row[-1], row[0] - row[-1], start))
        except RuntimeError:  # it gave up
            missed += 1
            continue
        missed += np.sum((row - formula(epochs, *single)) ** 2) > 1.01 * np.sum((row - found.fitted[i]) ** 2)
    assert missed > 10


def test_fit_allows_for_gaps_and_for_a_later_first_epoch():
    epochs = np.array([40.0, 41, 45, 50, 52, 60, 70, 75, 80, 95, 120])
    for shape in (EXPONENTIAL, POWER_LAW):
        clock = shape.clock(epochs, epochs[0])
        found = models.fit(shape, epochs, (0.3 + 0.5 * np.exp(-0.9 * clock / clock[-1]))[None])
        np.testing.assert_allclose(found.asymptote, 0.3, atol=1e-5)
        np.testing.assert_allclose(shape.epoch(clock, epochs[0]), epochs)


@pytest.mark.parametrize("sigma", [0.02, 0.0005])
@pytest.mark.parametrize(
    ("shape", "rate"), [(EXPONENTIAL, 0.05), (EXPONENTIAL, 0.9), (POWER_LAW, 0.4), (POWER_LAW, 2.0)]
)
def test_interpolated_equals_the_refined_fit(shape, rate, sigma):
    values = FORMULAS[shape](EPOCHS, 0.8, -0.7, rate) + np.random.default_rng(0).normal(0, sigma, (200, 50))
    found = models.fit(shape, EPOCHS, values)
    grid = models.grid(shape, EPOCHS)
    asymptote, amplitude, found_rate = models.interpolated(grid, grid.unit @ values.T, values.mean(axis=1))
    scatter = found.asymptote.std()  # from noise to noise: the interpolation must not add to it
    assert np.abs(asymptote - found.asymptote).max() < 0.03 * scatter
    assert np.abs(amplitude - found.amplitude).max() < 0.03 * found.amplitude.std()
    np.testing.assert_allclose(found_rate, found.rate, rtol=1e-3)


def test_interpolated_stays_on_the_grid_where_the_best_rate_is_its_end():
    grid = models.grid(EXPONENTIAL, EPOCHS)
    _, _, rate = models.interpolated(grid, grid.unit @ EPOCHS[:, None], np.array([EPOCHS.mean()]))
    assert rate[0] == pytest.approx(0.1 / 49)  # a line is the slowest exponential


def test_level_is_the_mean():
    found = models.level(np.array([[1.0, 2.0, 6.0]]))
    assert found.asymptote.tolist() == [3.0]
    assert found.fitted.tolist() == [[3.0, 3.0, 3.0]]


@pytest.mark.parametrize("phi", [0.0, 0.4])
def test_aicc_weights_equal_a_computation_by_hand(phi):
    values = 0.8 - 0.3 * np.exp(-0.2 * EPOCHS[:20]) + np.random.default_rng(3).normal(0, 0.08, 20)
    fits = [models.fit(shape, EPOCHS[:20], values[None]) for shape in models.SHAPES] + [models.level(values[None])]
    expected = []
    for found, count in zip(fits, (3, 3, 1), strict=True):
        e = [float(v - f) for v, f in zip(values, found.fitted[0], strict=True)]
        rss = (1 - phi**2) * e[0] ** 2
        for before, now in itertools.pairwise(e):
            rss += (now - phi * before) ** 2
        k = count + 2
        expected.append(20 * math.log(rss / 20) + 2 * k + 2 * k * (k + 1) / (20 - k - 1))
    relative = [math.exp(-(value - min(expected)) / 2) for value in expected]
    weights = models.aicc_weights(values[None], fits, [3, 3, 1], np.array([phi]))
    np.testing.assert_allclose(weights[:, 0], np.array(relative) / sum(relative), rtol=1e-10)
    assert min(relative) > 1e-4  # no model is out of the question: the comparison says something


@pytest.mark.parametrize(
    ("shape", "rate", "amplitude"), [(EXPONENTIAL, 0.1, -0.7), (EXPONENTIAL, 0.1, 0.7), (POWER_LAW, 1.2, -0.7)]
)
def test_epochs_to_within_is_where_the_curve_enters_and_stays(shape, rate, amplitude):
    found = np.array([0.8]), np.array([amplitude]), np.array([rate])
    reached = models.epochs_to_within(shape, 0.01, found, 0.0)[0]
    epochs = np.arange(0, 2000, 0.01)
    outside = np.abs(FORMULAS[shape](epochs, 0.8, amplitude, rate) - 0.8) > 0.01 * 0.8
    assert reached == pytest.approx(epochs[outside][-1], abs=0.011)


def test_epochs_to_within_is_the_first_epoch_at_once_and_infinity_never():
    found = np.array([0.8, 0.8, 0.0]), np.array([0.001, 0.0, 0.5]), np.array([0.1, 0.0, 0.1])
    assert models.epochs_to_within(EXPONENTIAL, 0.01, found, 7.0).tolist() == [7.0, 7.0, math.inf]
