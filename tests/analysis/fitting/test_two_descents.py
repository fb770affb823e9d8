"""The fit of two descents against SciPy from many starts, and against a loop over the formula."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from unetdyn.analysis.fitting import two_descents

EPOCHS = np.arange(60.0)
TRUTH = (0.2, 0.7, 0.25, 0.4, 0.1, 25.0)


def formula(t, offset, first, first_rate, second, second_rate, start):
    values = [
        offset
        + first * np.exp(-first_rate * (when - t[0]))
        + (second * np.exp(-second_rate * (when - start)) if when >= start else 0.0)
        for when in t
    ]
    return np.array(values)


def test_the_curve_is_the_studies_formula():
    epochs = np.array([3.0, 4, 7, 12, 20, 21, 40])
    found = two_descents.curve(epochs, np.array([[0.2, 0.7, 0.1, 0.4, 0.3, 20.0]]))
    np.testing.assert_allclose(found[0], formula(epochs, 0.2, 0.7, 0.1, 0.4, 0.3, 20.0), rtol=1e-14)


def best_of_scipy(values):
    """Every start near the true one, from four pairs of rates."""

    def solved(start, rates):
        def residuals(p):
            return formula(EPOCHS, p[0], p[1], np.exp(p[2]), p[3], np.exp(p[4]), start) - values

        return least_squares(residuals, (0.2, 0.7, np.log(rates[0]), 0.4, np.log(rates[1])), max_nfev=60)

    starts = np.arange(23.0, 28.0)
    pairs = [(0.1, 0.05), (0.5, 0.3)]
    return min((solved(start, rates) for start in starts for rates in pairs), key=lambda one: one.cost)


def test_fit_is_as_good_as_the_best_of_scipys():
    values = formula(EPOCHS, *TRUTH) + np.random.default_rng(0).normal(0, 0.04, (4, 60))
    found = two_descents.fit(EPOCHS, values)
    for row, fitted, *parameters in zip(values, found.fitted, *found[:-1], strict=True):
        assert np.sum((row - fitted) ** 2) <= 2 * best_of_scipy(row).cost * (1 + 1e-7)
        np.testing.assert_allclose(fitted, formula(EPOCHS, *parameters), rtol=1e-12)


@pytest.mark.parametrize("size", [1e-9, 1.0, 1e9])
def test_fit_finds_what_was_planted_in_any_unit(size):
    found = two_descents.fit(EPOCHS, size * formula(EPOCHS, *TRUTH)[None])
    expected = np.array(TRUTH) * [size, size, 1, size, 1, 1]
    np.testing.assert_allclose(np.ravel(found[:-1]), expected, rtol=1e-5)


def test_fit_allows_for_gaps_and_for_a_later_first_epoch():
    epochs = np.concatenate([np.arange(40.0, 60), np.arange(60.0, 120, 3)])
    truth = (0.2, 0.7, 0.25, 0.4, 0.06, 75.0)
    found = two_descents.fit(epochs, formula(epochs, *truth)[None])
    np.testing.assert_allclose(np.ravel(found[:-1]), truth, rtol=1e-4)


def test_a_curves_fit_is_the_same_in_company():
    values = formula(EPOCHS, *TRUTH) + np.random.default_rng(1).normal(0, 0.05, (5, 60))
    together, alone = two_descents.fit(EPOCHS, values), two_descents.fit(EPOCHS, values[2:3])
    np.testing.assert_allclose([part[2] for part in together[:-1]], [part[0] for part in alone[:-1]], rtol=1e-7)


def test_a_start_between_those_of_the_grid_is_found():
    epochs = np.arange(200.0)
    starts = np.arange(97.0, 103.0)
    values = np.array([formula(epochs, 0.2, 0.7, 0.1, 0.4, 0.05, start) for start in starts])
    noise = np.random.default_rng(2).normal(0, 0.02, values.shape)
    np.testing.assert_array_equal(two_descents.fit(epochs, values + noise).start, starts)


def test_a_level_is_no_error():
    found = two_descents.fit(EPOCHS, np.full((1, 60), 0.3))
    np.testing.assert_allclose(found.fitted, 0.3, atol=1e-6)
