"""Two lines that meet against SciPy's least squares at every place."""

import numpy as np
import pytest
from scipy.linalg import lstsq

from planted_noise import ar1
from unetdyn.analysis.slowing import slowing, two_lines


def best_by_hand(epochs, values):
    """Over all places: the smallest sum of squares, the place, and both slopes."""
    fits = []
    for place in range(1, len(epochs) - 4):
        basis = np.stack([np.ones_like(epochs), epochs, np.maximum(epochs - epochs[place], 0)], axis=1)
        coefficients = lstsq(basis, values)[0]
        rss = np.sum((values - basis @ coefficients) ** 2)
        fits.append((rss, place, coefficients[1], coefficients[1] + coefficients[2]))
    return min(fits)


@pytest.mark.parametrize("seed", range(4))
def test_two_lines_are_the_best_of_all_places(seed):
    rng = np.random.default_rng(seed)
    epochs = np.sort(rng.choice(80, 30, replace=False)).astype(float)
    values = np.exp(-epochs / 15) + 0.05 * rng.standard_normal(30)
    found, (rss, place, first, second) = two_lines(epochs, values), best_by_hand(epochs, values)
    assert found.place == place
    assert (found.first_slope, found.second_slope) == pytest.approx((first, second))
    line = np.polynomial.Polynomial.fit(epochs, values, 1)(epochs)
    assert found.gain == pytest.approx(np.sum((values - line) ** 2) - rss)


def test_a_bend_is_seldom_seen_in_a_line_or_a_level():
    rng, epochs = np.random.default_rng(5), np.arange(60.0)
    found = [
        slowing(epochs, slope * epochs + 0.05 * ar1(rng, 60, 0.4), 0.25) for slope in (0, -0.01) for _ in range(60)
    ]
    # 1 % for the bend, 1 % for the fall: 6 of 120 is what 2 % exceeds once in a hundred times.
    assert sum(one.place is not None for one in found) <= 6
