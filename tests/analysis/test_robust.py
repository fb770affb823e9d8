"""Robust statistics against SciPy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import median_abs_deviation

from unetdyn.analysis.robust import finite_median, finite_medians, scaled_mad


def test_finite_median_leaves_out_what_is_not_finite():
    assert finite_median([5.0, np.inf, 1.0, np.nan, -np.inf, 2.0]) == 2.0
    assert math.isnan(finite_median([]))


@given(arrays(float, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=7), elements=st.floats(width=32)))
def test_finite_medians_are_those_of_the_rows(values):
    np.testing.assert_array_equal(finite_medians(values), [finite_median(row) for row in values])


def test_scaled_mad_is_scipys():
    values = np.random.default_rng(0).normal(size=(3, 50))
    expected = median_abs_deviation(values, axis=1, scale="normal")
    assert scaled_mad(values)[:, 0] == pytest.approx(expected, rel=1e-4)
    values[0, 7] = np.nan
    assert scaled_mad(values)[0, 0] == pytest.approx(
        median_abs_deviation(np.delete(values[0], 7), scale="normal"), rel=1e-4
    )
    assert scaled_mad(values, 1.0)[1, 0] == pytest.approx(1.4826 * np.median(np.abs(values[1] - 1)))
