"""Intervals of effects against SciPy, statsmodels, their definition and planted truth."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from planted_designs import FACTORS, grid, run, several
from unetdyn.analysis import anova, effect_intervals
from unetdyn.analysis.comparison.effect_intervals import _eta_interval

GROUPS = {"a": [0.51, 0.60, 0.55, 0.58], "b": [0.70, 0.81, 0.62], "c": [0.41, 0.45, 0.50, 0.66]}


@pytest.mark.parametrize("equal", [True, False])
def test_differences_of_one_factor_against_scipy(equal):
    found = effect_intervals(several(GROUPS), "group", equal_variances=equal).differences["group"]
    expected = stats.tukey_hsd(*GROUPS.values(), equal_var=equal)
    ends = expected.confidence_interval(0.95)
    for pair in found:
        i, j = ("abc".index(level) for level in (pair.one, pair.other))
        assert pair.difference == pytest.approx(expected.statistic[i, j])
        assert (pair.low, pair.high) == pytest.approx((ends.low[i, j], ends.high[i, j]), rel=1e-5)
        assert pair.p == pytest.approx(expected.pvalue[i, j], rel=1e-5)
    assert len(found) == 3


def test_two_levels_have_students_and_welchs_interval():
    values = {"a": [0.51, 0.60, 0.55], "b": [0.70, 0.81, 0.62, 0.66]}
    for equal in (True, False):
        pair = effect_intervals(several(values), "group", equal_variances=equal).differences["group"][0]
        test = stats.ttest_ind(*values.values(), equal_var=equal)
        assert (pair.low, pair.high) == pytest.approx(tuple(test.confidence_interval(0.95)))
        assert pair.p == pytest.approx(test.pvalue)


@pytest.mark.parametrize("order", [1, 2])
def test_differences_in_the_model_of_an_unbalanced_design_against_statsmodels(order):
    """In columns that sum to 0 over the levels, a coefficient is the mean over all settings of the others."""
    frame, runs = grid(seed=2, lost=8)
    code = {"a": (1, 0), "b": (0, 1), "c": (-1, -1)}
    x = np.array([code[name] for name in frame.architecture], dtype=float)
    rate, batch = (np.where(frame[name] == frame[name].min(), 1.0, -1.0) for name in FACTORS[1:])
    products = [x * rate[:, None], x * batch[:, None], rate * batch] if order == 2 else []
    model = sm.OLS(frame.y, np.column_stack([np.ones(len(x)), x, rate, batch, *products])).fit()
    places = {"a": np.array([1.0, 0]), "b": np.array([0, 1.0]), "c": np.array([-1.0, -1])}
    for pair in effect_intervals(runs, FACTORS, order=order).differences["architecture"]:
        contrast = np.zeros(len(model.params))
        contrast[1:3] = places[pair.one] - places[pair.other]
        test = model.t_test(contrast)
        half = stats.studentized_range.ppf(0.95, 3, model.df_resid) / np.sqrt(2) * test.sd.item()
        assert pair.difference == pytest.approx(test.effect.item())
        assert pair.high - pair.low == pytest.approx(2 * half, rel=1e-5)


def test_games_howell_of_a_design_by_its_formula():
    """The levels' means over the cells of the others, each with a variance of its own."""
    frame, runs = grid(seed=0, lost=4)
    cells = frame.groupby(["architecture", "learning_rate", "batch_size"]).y
    assert cells.size().min() >= 2
    parts = (cells.var() / cells.size()).unstack("architecture") / 16
    squares = (parts**2 / (cells.size() - 1).unstack("architecture")).sum()
    means = cells.mean().unstack("architecture").mean()
    for pair in effect_intervals(runs, FACTORS, equal_variances=False).differences["architecture"]:
        both = [pair.one, pair.other]
        total = parts[both].sum().sum()
        df = total**2 / squares[both].sum()
        half = stats.studentized_range.ppf(0.95, 3, df) * np.sqrt(total / 2)
        assert pair.difference == pytest.approx(means[pair.one] - means[pair.other])
        assert pair.high - pair.difference == pytest.approx(half, rel=1e-5)


@pytest.mark.parametrize(("f", "df", "residual_df"), [(8.0, 2, 31), (0.9, 3, 20), (3.4, 1, 12), (60.0, 2, 6)])
def test_ends_of_eta_are_where_so_large_and_so_small_an_f_are_rare(f, df, residual_df):
    runs = df + residual_df + 1
    low, high = _eta_interval(f, df, residual_df, runs, 0.05)
    sizes = [runs * end / (1 - end) for end in (low, high)]
    assert stats.ncf.cdf(f, df, residual_df, sizes[1]) == pytest.approx(0.05, abs=1e-6)
    if stats.f.sf(f, df, residual_df) < 0.05:
        assert stats.ncf.sf(f, df, residual_df, sizes[0]) == pytest.approx(0.05, abs=1e-6)
    else:
        assert low == 0.0


def test_interval_of_eta_holds_the_truth_as_often_as_it_says():
    """200 draws of F at λ = 12 with 36 runs: 0.9 has a standard error of 0.021."""
    rng, size, runs = np.random.default_rng(0), 12.0, 36
    drawn = rng.noncentral_chisquare(2, size, 200) / 2 / (rng.chisquare(31, 200) / 31)
    ends = [_eta_interval(float(f), 2, 31, runs, 0.05) for f in drawn]
    assert np.mean([low <= size / (size + runs) <= high for low, high in ends]) == pytest.approx(0.9, abs=0.07)


def test_eta_of_each_effect_is_that_of_the_anova_and_above_0_where_p_is_small():
    _, runs = grid(seed=4, noise=0.1)
    found, effects = effect_intervals(runs, FACTORS, order=2), anova(runs, FACTORS, order=2).effects
    for name, effect in effects.items():
        size = found.effects[name]
        assert size.partial_eta_squared == effect.partial_eta_squared
        assert (size.low > 0) == (effect.p < 0.05)
        assert size.low <= size.partial_eta_squared <= max(size.high, size.partial_eta_squared)
    assert "η²: 90 %" in str(found)


def test_differences_are_within_blocks():
    rng = np.random.default_rng(0)
    shift = rng.normal(0, 5, 6)
    settings = [(side, day) for side in (0, 1) for day in range(6)]
    runs = [run(shift[day] + 0.1 * side + 0.01 * rng.normal(), side=side, day=day) for side, day in settings]
    pair = effect_intervals(runs, "side", blocks="day").differences["side"][0]
    paired = stats.ttest_rel([r.performance for r in runs[:6]], [r.performance for r in runs[6:]])
    assert (pair.low, pair.high) == pytest.approx(tuple(paired.confidence_interval(0.95)))


def test_what_cannot_be_told_says_why():
    _, runs = grid(seed=0)
    holes = [r for r in runs if not (r.factors["architecture"] == "b" and r.factors["batch_size"] == 16)]
    pairs = effect_intervals(holes, FACTORS, order=2).differences["architecture"]
    assert [pair.determined for pair in pairs] == [False, True, False]
    assert pairs[0].reason == "the settings of the others are not the same for both"
    assert all(pair.determined for pair in effect_intervals(holes, FACTORS).differences["architecture"])
    common = effect_intervals(holes, FACTORS, equal_variances=False)
    assert all(pair.determined for pair in common.differences["architecture"])
    assert "architecture: 12 runs have settings that not every level was run with" in common.notes
    once = [r for r in runs if r.factors["seed"] == 0]
    pairs = effect_intervals(once, FACTORS, equal_variances=False).differences["architecture"]
    assert "repeat them with other seeds" in pairs[0].reason
    alone = effect_intervals([run(0.1, a=0), run(0.2, a=1)], "a")
    assert "no run is left over" in alone.differences["a"][0].reason
    assert "undetermined: no run is left over" in str(alone)
    apart = [run(v, a=a, b=a) for a in (0, 1) for v in (0.1, 0.2)]
    pairs = effect_intervals(apart, ["a", "b"], equal_variances=False).differences["a"]
    assert pairs[0].reason == "no settings were run with every level"
    with pytest.raises(ValueError, match=r"`confidence` must lie between 0.5 and 1. Received: confidence=0.5"):
        effect_intervals(runs, FACTORS, confidence=0.5)
