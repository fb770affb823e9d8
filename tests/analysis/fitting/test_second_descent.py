"""The five parameters on planted losses: bias, coverage, false positives; and losses that do not tell them.

`benchmarks/truth/second_descent.py` has the whole grid.
"""

import numpy as np
import pytest
from scipy.stats import binomtest

from planted_noise import ar1
from unetdyn.analysis import Curve, fit_double_descent
from unetdyn.analysis.fitting import two_descents
from unetdyn.analysis.fitting.second_descent import NAMES, _not_told_because, _too_uncertain_because

T = np.arange(100)
TRUTH = {"offset": 0.2, "J_1": 0.7, "lambda_1": 0.2, "J_2": 0.4, "lambda_2": 0.08, "t_0": 40}
LOSS = 0.2 + 0.7 * np.exp(-0.2 * T) + 0.4 * np.exp(-0.08 * (T - 40)) * (T >= 40)


def at_most(count, trials):
    """The upper end of Wilson's 95 % interval of a rate."""
    return binomtest(count, trials).proportion_ci(method="wilson").high


def test_without_noise_the_parameters_are_those_planted():
    result = fit_double_descent(LOSS)
    assert result.verdict == "double descent"
    assert dict(result.params) == pytest.approx(TRUTH, rel=1e-6)
    np.testing.assert_allclose(result.predict(T), LOSS, rtol=1e-6)


@pytest.mark.parametrize("phi", [0.0, 0.5])
def test_planted_parameters_are_found_without_bias_and_covered_as_stated(phi):
    rng = np.random.default_rng(0)
    results = [fit_double_descent(LOSS + 0.02 * ar1(rng, 100, phi), draws=100) for _ in range(40)]
    assert all(result.determined for result in results)
    for name in NAMES:
        found = np.array([result.params[name] for result in results])
        error = found.std(ddof=1) / np.sqrt(len(found))
        assert abs(found.mean() - TRUTH[name]) <= 4 * error
        covered = sum(low <= TRUTH[name] <= high for low, high in (result.intervals[name] for result in results))
        # 95 % are stated: of 40, fewer than 33 come once in a thousand times. 100 draws instead of 400 cost a per cent.
        assert covered >= 33, name


SINGLE = {
    "level": np.full(100, 0.4),
    "exponential": 0.3 + 0.7 * np.exp(-0.1 * T),
    "power law": 0.3 + 0.7 * (T + 1) ** -0.7,
    "overfits": 0.3 + 0.7 * np.exp(-0.2 * T) + 0.005 * np.maximum(T - 30, 0),
    "rate drops": np.where(T < 50, 0.3 + 0.7 * np.exp(-0.2 * T), 0.15 + 0.1 * np.exp(-0.3 * (T - 50))),
}


@pytest.mark.parametrize("phi", [0.0, 0.6])
def test_noise_and_single_descents_are_seldom_taken_for_double_ones(phi):
    """5 % are the level of the test of the shape alone."""
    rng = np.random.default_rng(1)
    draws = [curve + 0.03 * ar1(rng, 100, phi) for curve in SINGLE.values() for _ in range(30)]
    found = sum(fit_double_descent(values, draws=100).determined for values in draws)
    assert at_most(found, len(draws)) < 0.05


def test_a_rise_that_stays_has_no_second_descent():
    """Two descents fit it far better than one, with a second that hardly falls."""
    step = 0.3 + 0.7 * np.exp(-0.2 * T) + 0.3 * (T >= 50) + 0.02 * np.random.default_rng(2).standard_normal(100)
    result = fit_double_descent(step)
    assert result.reason.startswith("no second descent is seen: ")
    assert not result.shape.found


def test_a_slow_climb_is_another_shape():
    bump = 0.3 + 0.7 * np.exp(-0.15 * T) + 0.3 * np.exp(-(((T - 50) / 10) ** 2) / 2)
    result = fit_double_descent(bump + 0.01 * np.random.default_rng(3).standard_normal(100))
    assert result.shape.found
    assert not result.determined
    assert result.reason.startswith("it falls, rises and falls, but does not jump as this curve does: one exponential")


def test_descents_that_are_not_nearly_over_leave_the_offset_open():
    slow = 0.3 + 0.7 * np.exp(-0.01 * T) + 0.6 * np.exp(-0.01 * (T - 45)) * (T >= 45)
    result = fit_double_descent(slow + 0.04 * np.random.default_rng(0).standard_normal(100))
    assert result.reason.startswith("the interval of the offset, ")
    assert " is wider than the range of the values, " in result.reason
    assert (dict(result.params), dict(result.intervals)) == ({}, {})


def test_parts_that_do_not_descend_or_may_be_nothing_are_told():
    rows = two_descents.curve(T.astype(float), np.array([[0.2, -0.7, 0.2, 0.4, 0.1, 40.0]]))
    assert _not_told_because(two_descents.fit(T.astype(float), rows), 0.0, 1.0) == "its first part does not descend"
    straying = _not_told_because(two_descents.fit(T.astype(float), LOSS[None]), 0.95, 1.0)
    assert straying.startswith("the values stray from the fit for many epochs on end")
    ends = {"J_1": (0.5, 0.8), "J_2": (-0.01, 0.3), "offset": (0.1, 0.2)}
    assert _too_uncertain_because(ends, rows) == "the interval of J_2, -0.01 to 0.3, reaches 0"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (LOSS[:29], "29 of the 30 finite values that it needs"),
        ([], "0 of the 30 finite values that it needs"),
        (np.full(100, np.nan), "0 of the 30 finite values that it needs"),
        (np.full(100, 0.3), "all of its 100 values are the same"),
        (1e90 * LOSS, "its values differ by 3e+89 and more, too little or too much to compute with: give another unit"),
    ],
)
def test_what_cannot_be_fitted_says_why(values, reason):
    result = fit_double_descent(values)
    assert (result.verdict, result.reason) == ("undetermined", reason)
    assert str(result) == f"double descent  undetermined: {reason}"
    assert np.isnan(result.predict([0, 1])).all()


def test_epochs_with_gaps_and_nan():
    values = LOSS + 0.02 * np.random.default_rng(6).standard_normal(100)
    values[[3, 60, 99]] = np.nan, np.inf, np.nan
    plain = fit_double_descent(values)
    assert plain.params["t_0"] == 40
    apart = fit_double_descent(Curve(10 + 2 * T, values))
    assert apart.params["t_0"] == 10 + 2 * 40
    assert apart.params["J_1"] == pytest.approx(plain.params["J_1"])
    assert apart.params["lambda_2"] == pytest.approx(plain.params["lambda_2"] / 2)
    np.testing.assert_allclose(apart.predict(10 + 2 * T), plain.predict(T), rtol=1e-6)


def test_a_long_loss_is_averaged_and_its_parameters_count_from_its_own_first_epoch():
    t = np.arange(1000)
    loss = 0.2 + 0.7 * np.exp(-0.02 * t) + 0.4 * np.exp(-0.008 * (t - 400)) * (t >= 400)
    result = fit_double_descent(loss + 0.02 * np.random.default_rng(7).standard_normal(1000), draws=100)
    expected = {"offset": 0.2, "J_1": 0.7, "lambda_1": 0.02, "J_2": 0.4, "lambda_2": 0.008, "t_0": 400}
    assert dict(result.params) == pytest.approx(expected, rel=0.05)


def test_the_same_seed_gives_the_same_intervals():
    values = LOSS + 0.02 * np.random.default_rng(8).standard_normal(100)
    first, other = fit_double_descent(values, draws=100), fit_double_descent(values, draws=100, seed=1)
    assert first.intervals == fit_double_descent(values, draws=100).intervals
    assert first.intervals != other.intervals
    assert first.params == other.params


def test_a_result_shows_itself():
    result = fit_double_descent(LOSS + 0.02 * np.random.default_rng(9).standard_normal(100), draws=100)
    labels = [line.split("  ")[0] for line in str(result).splitlines()]
    assert labels == [
        "double descent",
        "first descent, J_1",
        "its rate, lambda_1",
        "second begins, t_0",
        "second descent, J_2",
        "its rate, lambda_2",
        "ends at, offset",
    ]
    assert "epoch 41 (95 % interval 41 to 41)" in str(result)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"confidence": 95}, r"`confidence` must lie between 0 and 1, .* Received: confidence=95"),
        ({"alpha": 0}, r"`alpha` must lie between 0 and 1, .* Received: alpha=0\."),
        ({"draws": 20}, r"`draws` must be a whole number of draws, 100 or more. Received: draws=20"),
        ({"epochs": [0, 1]}, r"`epochs` must be ascending whole numbers, one for each of the 100 values"),
    ],
)
def test_wrong_arguments_are_refused(kwargs, text):
    with pytest.raises(ValueError, match=text):
        fit_double_descent(LOSS, **kwargs)
    with pytest.raises(TypeError, match="`values` must be one curve"):
        fit_double_descent({"val_loss": LOSS})
