"""Stability against a loop in plain Python, the standard library's statistics, and the classes' exact bounds."""

import dataclasses
import itertools
import math
import statistics

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.analysis import STABILITY_CLASSES, sliding_stability, stability, stability_class

values = st.lists(st.floats(1e-6, 100.0), min_size=2, max_size=40)


@pytest.mark.parametrize(
    ("sigma", "label"),
    [
        (0.0, "Excellent"),
        (np.nextafter(0.01, 0), "Excellent"),
        (0.01, "Good"),
        (np.nextafter(0.05, 0), "Good"),
        (0.05, "Moderate"),
        (np.nextafter(0.1, 0), "Moderate"),
        (0.1, "Poor"),
        (np.nextafter(0.5, 0), "Poor"),
        (0.5, "Very poor"),
        (1e9, "Very poor"),
        (math.inf, "Very poor"),
        (math.nan, "Very poor"),
    ],
)
def test_stability_class_bounds_are_exact(sigma, label):
    assert stability_class(sigma) == label


def test_stability_class_refuses_negative_sigma():
    with pytest.raises(ValueError, match=r"`sigma` is a standard deviation .* Received: sigma=-0.1"):
        stability_class(-0.1)


def test_stability_classes_leave_no_gap():
    for below, above in itertools.pairwise(STABILITY_CLASSES):
        assert below.upper == above.lower
    assert STABILITY_CLASSES[0].lower == 0
    assert STABILITY_CLASSES[-1].upper == math.inf


@given(values=values, ddof=st.sampled_from([0, 1]), window=st.integers(2, 12))
@settings(deadline=None, max_examples=50)
def test_stability_equals_the_standard_library(values, ddof, window):
    result = stability(values, window=window, ddof=ddof)
    if len(values) < window:
        assert not result.determined
        assert math.isnan(result.sigma)
        return
    last = values[-window:]
    expected = statistics.stdev(last) if ddof else statistics.pstdev(last)
    assert result.sigma == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert result.mean == pytest.approx(statistics.fmean(last), rel=1e-12)
    assert result.values == tuple(last)
    if result.mean:
        assert result.coefficient_of_variation == pytest.approx(expected / abs(statistics.fmean(last)), abs=1e-9)


@given(values=values, ddof=st.sampled_from([0, 1]), window=st.integers(2, 12))
@settings(deadline=None, max_examples=50)
def test_sliding_stability_equals_numpy_at_each_end(values, ddof, window):
    result = sliding_stability(values, window, ddof)
    assert result.shape == (len(values),)
    for end in range(1, len(values) + 1):
        if end < window:
            assert math.isnan(result[end - 1])
        else:
            assert result[end - 1] == pytest.approx(np.std(values[end - window : end], ddof=ddof), rel=1e-6, abs=1e-9)


@given(values=st.lists(st.floats(0.01, 10.0), min_size=10, max_size=10), scale=st.floats(0.01, 100.0))
@settings(deadline=None, max_examples=25)
def test_stability_scales_and_its_coefficient_of_variation_does_not(values, scale):
    plain, scaled = stability(values), stability([scale * value for value in values])
    assert scaled.sigma == pytest.approx(scale * plain.sigma, rel=1e-6, abs=1e-12)
    assert scaled.coefficient_of_variation == pytest.approx(plain.coefficient_of_variation, rel=1e-6, abs=1e-9)


def test_stability_takes_only_the_window():
    assert stability([1e6, *[0.5] * 10]).sigma == 0.0
    assert stability([0.5] * 5 + [0.7] * 5).sigma == pytest.approx(0.1 * math.sqrt(10 / 9))
    assert stability([0.5] * 5 + [0.7] * 5, ddof=0).sigma == pytest.approx(0.1)


def test_stability_of_equal_values_is_exactly_zero():
    # The mean of ten times 0.1 is not 0.1 in binary; a plain standard deviation is about 1e-17.
    assert stability([0.1] * 10).sigma == 0.0


def test_stability_of_mean_zero_has_no_coefficient_of_variation():
    result = stability([-1.0, 1.0], window=2)
    assert math.isnan(result.coefficient_of_variation)
    assert "coefficient" not in str(result)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_stability_of_a_diverged_loss_is_very_poor(bad):
    result = stability([0.1] * 9 + [bad])
    assert result.label == "Very poor"
    assert result.poor
    assert not result.finite
    assert math.isnan(result.sigma)
    assert str(result) == "σ not finite: 1 of the last 10 values are NaN or infinite, so Very poor"
    assert math.isnan(sliding_stability([0.1] * 9 + [bad])[-1])


def test_stability_forgets_a_value_that_left_the_window():
    assert stability([math.nan] + [0.1] * 10).label == "Excellent"


def test_stability_of_huge_values_does_not_warn():
    assert stability([1e300, -1e300], window=2).label == "Very poor"


def test_stability_shows_itself():
    text = str(stability([0.30, 0.34, 0.32, 0.28], window=4))
    assert text == "σ 0.0258 over the last 4 epochs: Good (0.01 ≤ σ < 0.05); coefficient of variation 8.3 %: Moderate"
    assert str(stability([])) == "σ not defined: 0 of the 10 epochs that it needs"


@pytest.mark.parametrize(
    ("percent", "label"),
    [
        (0.9, "Excellent"),
        (1.1, "Good"),
        (4.9, "Good"),
        (5.1, "Moderate"),
        (9.9, "Moderate"),
        (10.1, "Poor"),
        (49.9, "Poor"),
        (50.1, "Very poor"),
    ],
)
@pytest.mark.parametrize("mean", [1e-4, 1.0, 300.0])
def test_relative_class_is_that_of_the_share_of_the_mean_whatever_the_scale(percent, label, mean):
    """Two values at mean ± d have a sample standard deviation of √2 d."""
    scatter = mean * percent / 100 / math.sqrt(2)
    found = stability([mean - scatter, mean + scatter], window=2)
    assert found.relative_label == label
    assert f"of the mean: {label}" in found.classes


def test_relative_class_is_not_defined_without_a_window_or_a_mean():
    assert stability([0.5]).relative_label is None
    assert stability([0.5]).classes == ""
    assert (stability([-1.0, 1.0], window=2).relative_label, stability([-1.0, 1.0], window=2).classes) == (
        None,
        "Very poor",
    )
    broken = stability([0.1, math.nan], window=2)
    assert (broken.relative_label, broken.classes) == ("Very poor", "Very poor")


def test_stability_is_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        stability([1, 2], window=2).sigma = 0


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"window": 1}, r"`window` must be a whole number of epochs, 2 or more. Received: window=1"),
        ({"window": 2.5}, r"Received: window=2.5"),
        ({"window": True}, r"Received: window=True"),
        ({"ddof": 2}, r"`ddof` must be one of 1, 0. Received: ddof=2"),
        ({"ddof": True}, r"Received: ddof=True"),
    ],
)
@pytest.mark.parametrize("function", [stability, sliding_stability])
def test_stability_refuses_bad_arguments(function, kwargs, text):
    with pytest.raises(ValueError, match=text):
        function([0.1, 0.2], **kwargs)


def test_stability_refuses_a_table():
    with pytest.raises(ValueError, match=r"`values` must be one value an epoch.* Received: shape \(2, 3\)"):
        stability(np.zeros((2, 3)))


@pytest.mark.parametrize("count", [2, 3, 9, 10, 14])
@pytest.mark.parametrize("ddof", [0, 1])
def test_partial_windows_are_as_long_as_there_are_values(count, ddof):
    """The studies' code: `min(10, n)` values, from two on."""
    logged = np.random.default_rng(0).random(count)
    found = stability(logged, ddof=ddof, partial=True)
    deviation = statistics.stdev if ddof else statistics.pstdev
    assert found.sigma == pytest.approx(deviation(logged[-10:].tolist()), rel=1e-9)
    assert found.window == len(found.values) == min(10, count)
    assert found.relative_label == stability_class(found.sigma / np.mean(logged[-10:]))
    assert f"over the last {min(10, count)} epochs" in str(found)


def test_partial_window_of_one_value_has_no_sigma():
    assert str(stability([0.5], partial=True)) == "σ not defined: 1 of the 2 epochs that it needs"
    assert stability([0.5, math.nan], partial=True).label == "Very poor"
