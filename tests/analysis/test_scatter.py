"""What is left of a loss's scatter without its descent."""

import numpy as np
import pytest

from unetdyn.analysis.scatter import scatter_about_descent
from unetdyn.analysis.stability_classes import stability


def test_scatter_of_an_even_descent_is_nothing_and_that_of_a_zigzag_all_of_it():
    assert scatter_about_descent(stability(np.linspace(5, 1, 10))).sigma == 0.0
    rising = stability(np.arange(4.0), window=4)  # the nearest curve that only falls is the mean
    assert scatter_about_descent(rising).sigma == pytest.approx(rising.sigma)


def test_scatter_is_never_larger_than_sigma_and_keeps_its_settings():
    rng = np.random.default_rng(0)
    for _ in range(50):
        found = stability(rng.normal(size=12), window=7, ddof=0)
        about = scatter_about_descent(found)
        assert about.sigma <= found.sigma * (1 + 1e-12)
        assert (about.window, about.ddof) == (7, 0)
