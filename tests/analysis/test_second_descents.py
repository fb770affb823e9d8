"""Double descent against a search over all triples, and on curves of which it is known whether they have one."""

import itertools

import numpy as np
import pytest

from planted_noise import ar1
from unetdyn.analysis import double_descent
from unetdyn.analysis.second_descents import _turns

SIGMA = 0.05
T = np.arange(100) / 100
SINGLE = {
    "exponential": np.exp(-10 * T),
    "overfitting": np.where(T < 0.3, 8 * (0.3 - T) ** 2, 0.6 * (T - 0.3)),
    "falls, rises, plateau": np.where(T < 0.2, 1 - 5 * T, np.minimum(4 * (T - 0.2), 0.8)),
    "falls, plateau, falls": np.where(T < 0.1, 1 - 5 * T, np.where(T < 0.7, 0.5, 1.2 - T)),
}


def double(count, height, peak=0.5):
    t = np.arange(count) / count
    return 0.3 + 0.7 * np.exp(-15 * t) + height * np.exp(-(((t - peak) / 0.1) ** 2) / 2)


def test_turns_are_those_of_a_search_over_all_triples():
    rng = np.random.default_rng(0)
    for _ in range(30):
        series = rng.normal(0, 1, 14)

        def depth(turns, series=series):
            i, j, k = turns
            return min(series[: i + 1].max() - series[i], series[j] - series[i], series[j] - series[k])

        found = _turns(series)
        deepest = max(depth(turns) for turns in itertools.combinations(range(14), 3))
        assert found.depth == pytest.approx(max(deepest, 0))
        if deepest > 0:
            assert depth(found[1:]) == pytest.approx(deepest)


@pytest.mark.parametrize("phi", [0.0, 0.6])
@pytest.mark.parametrize("name", SINGLE)
def test_false_alarms_are_as_few_as_stated(name, phi):
    rng = np.random.default_rng(1)
    found = [double_descent(SINGLE[name] + SIGMA * ar1(rng, 100, phi)).found for _ in range(60)]
    # 5 % are allowed: 3 of 60, and three binomial standard errors more are 8.
    assert np.sum(found) <= 8


@pytest.mark.parametrize(("phi", "share"), [(0.0, 0.9), (0.6, 0.5)])
def test_a_planted_double_descent_is_found_where_it_is(phi, share):
    rng = np.random.default_rng(2)
    found = [double_descent(double(100, 6 * SIGMA) + SIGMA * ar1(rng, 100, phi)) for _ in range(40)]
    assert np.mean([result.found for result in found]) >= share
    assert np.median([result.peak for result in found]) == pytest.approx(50, abs=4)
    assert np.median([result.rise for result in found]) == pytest.approx(0.25, abs=0.1)
    assert all(result.first_minimum < result.peak < result.second_minimum for result in found)


def test_the_depths_are_those_of_the_curve():
    curve = np.interp(np.arange(200), [0, 40, 100, 199], [1.0, 0.4, 0.7, 0.3])
    result = double_descent(curve)
    assert result.found
    assert result.first_minimum == pytest.approx(40, abs=5)
    assert result.peak == pytest.approx(100, abs=5)
    assert result.second_minimum == 189  # the middle of the last window
    # In a corner of slopes a and b, the median of 21 epochs lies x inside, with x / a + x / b = 10.5: 0.039 at the
    # first minimum and 0.023 at the peak. The last window's median is the value ten epochs before the end.
    assert result.rise == pytest.approx(0.3 - 0.039 - 0.023, abs=0.01)
    assert result.second_descent == pytest.approx(0.4 - 0.023 - 0.0404, abs=0.005)
    assert result.depth == result.rise
    assert result.second_is_lower
    assert not double_descent(np.interp(np.arange(200), [0, 40, 100, 199], [1.0, 0.4, 0.7, 0.5])).second_is_lower


def test_a_metric_is_turned_over():
    jaccard = 1 - double(150, 0.4)
    rng = np.random.default_rng(3)
    jaccard = jaccard + 0.02 * rng.standard_normal(150)
    result = double_descent(jaccard, mode="max")
    assert result.found
    assert result.peak == double_descent(-jaccard).peak
    assert result.p_value == double_descent(-jaccard).p_value


def test_a_single_wild_epoch_is_no_double_descent():
    rng = np.random.default_rng(4)
    curve = np.exp(-10 * T) + 0.02 * rng.standard_normal(100)
    curve[60] += 3
    assert not double_descent(curve).found


def test_a_first_descent_within_three_epochs_is_seen():
    t = np.arange(100)
    curve = 0.3 + 0.7 * np.exp(-t) + 0.3 * np.exp(-(((t - 50) / 10) ** 2) / 2)
    result = double_descent(curve + 0.01 * np.random.default_rng(10).standard_normal(100))
    assert result.found
    assert result.peak == pytest.approx(50, abs=4)
    assert result.rise == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("epochs", [60, 100])
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_a_blip_of_a_few_epochs_is_no_double_descent_however_high(epochs, length):
    rng = np.random.default_rng(8)
    found = []
    for _ in range(20):
        curve = np.exp(-10 * np.arange(epochs) / epochs) + 0.01 * rng.standard_normal(epochs)
        begin = rng.integers(epochs // 4, epochs - 6)
        curve[begin : begin + length] += 0.3
        found.append(double_descent(curve).found)
    assert sum(found) <= 1  # 5 % are allowed


@pytest.mark.parametrize("chance", [0.05, 0.08])
def test_spikes_here_and_there_are_no_double_descent(chance):
    rng = np.random.default_rng(9)
    fall = np.exp(-np.arange(60) / 6)
    noisy = [fall + 0.01 * rng.standard_normal(60) + 0.3 * (rng.random(60) < chance) for _ in range(60)]
    assert sum(double_descent(curve).found for curve in noisy) <= 3  # 5 %


def test_the_same_seed_gives_the_same_p_value_and_scale_does_not_matter():
    curve = double(100, 0.1) + SIGMA * ar1(np.random.default_rng(5), 100, 0.0)
    first = double_descent(curve, seed=1)
    assert first == double_descent(curve, seed=1)
    assert double_descent(3 + 100 * curve, seed=1).p_value == first.p_value
    assert 0.0025 <= first.p_value <= 1


def test_epochs_with_gaps_and_nan():
    curve = double(120, 0.4) + 0.02 * np.random.default_rng(6).standard_normal(120)
    whole = double_descent(curve)
    assert double_descent(curve, epochs=5 * np.arange(120)).peak == 5 * whole.peak
    curve[[10, 60, 119]] = np.nan, np.inf, np.nan
    broken = double_descent(curve)
    assert broken.found
    assert broken.peak == pytest.approx(whole.peak, abs=4)


@pytest.mark.parametrize("values", [[], [0.5], np.full(29, 0.5), np.full(100, np.nan)])
def test_too_few_values_are_undetermined(values):
    result = double_descent(values)
    assert result.verdict == "undetermined"
    assert not result.found
    assert str(result).endswith("of the 30 finite values that it needs")
    assert np.isnan(result.p_value)


def test_a_flat_or_monotone_curve_has_none():
    for curve in (np.full(50, 0.3), np.linspace(1, 0, 50), np.linspace(0, 1, 50)):
        result = double_descent(curve)
        assert (result.verdict, result.p_value, result.peak) == ("none found", 1.0, None)
        assert str(result) == "verdict  none found: it never falls, rises and falls"


def test_double_descent_shows_itself():
    lines = str(double_descent(np.interp(np.arange(200), [0, 40, 100, 199], [1.0, 0.4, 0.7, 0.3]))).splitlines()
    assert lines[0] == "verdict               double descent: noise alone swings as far with p = 0.0025"
    assert [line.split("  ")[0] for line in lines[1:]] == [
        "first minimum",
        "peak",
        "second minimum",
        "lower than the first",
        "smoothed over",
    ]
    assert lines[4].endswith("yes")


def test_it_is_found_in_a_hundred_thousand_epochs():
    curve = double(100_000, 0.2) + SIGMA * ar1(np.random.default_rng(7), 100_000, 0.3)
    result = double_descent(curve)
    assert result.found
    assert result.peak == pytest.approx(50_000, rel=0.1)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"mode": "mn"}, r"`mode` must be one of 'min', 'max'. Received: mode='mn'. Did you mean 'min'\?"),
        ({"alpha": 0}, r"`alpha` must lie between 0 and 1, .* Received: alpha=0\."),
        ({"epochs": [1]}, r"`epochs` must be ascending whole numbers, one for each of the 2 values. Received: \[1\]"),
    ],
)
def test_wrong_arguments_are_refused(kwargs, text):
    with pytest.raises(ValueError, match=text):
        double_descent([0.1, 0.2], **kwargs)
