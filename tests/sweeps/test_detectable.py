"""The smallest difference that a design can show, against statsmodels, simulation and least squares by itself."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import FTestAnovaPower, TTestIndPower, TTestPower

from unetdyn.analysis.comparison.detectable_differences import found_difference
from unetdyn.sweeps.detectable import detectable
from unetdyn.sweeps.levels import Range
from unetdyn.sweeps.table import Row


def rows_of(levels, seeds, blocks=()):
    cells = [{"a": a, "b": b} for a in range(levels[0]) for b in range(levels[1])]
    laps = [{"c": c} for c in blocks] or [{}]
    every = [(cell, seed, lap) for seed in range(seeds) for lap in laps for cell in range(len(cells))]
    return [Row(n, cell + 1, seed, cells[cell], lap, "") for n, (cell, seed, lap) in enumerate(every, 1)]


@pytest.mark.parametrize(
    ("each", "sigma", "power", "alpha"), [(3, 1.0, 0.8, 0.05), (10, 0.02, 0.8, 0.05), (7, 3.0, 0.5, 0.01)]
)
def test_two_levels_are_a_two_sample_t_test(each, sigma, power, alpha):
    rows = [Row(n + 1, n % 2 + 1, n // 2, {"a": n % 2}, {}, "") for n in range(2 * each)]
    found = detectable(rows, sigma, alpha=alpha, power=power)["a"]
    expected = TTestIndPower().solve_power(nobs1=each, alpha=alpha, power=power)
    assert found.difference == pytest.approx(sigma * expected, rel=1e-6)
    assert found.twice == pytest.approx(sigma * TTestIndPower().solve_power(nobs1=2 * each, alpha=alpha, power=power))
    assert found.residual_df == 2 * each - 2


@pytest.mark.parametrize("df", [1, 4, 30])
def test_found_difference_is_that_of_a_one_sample_t_test(df):
    expected = TTestPower().solve_power(nobs=df + 1, alpha=0.05, power=0.8)
    assert found_difference(1 / math.sqrt(df + 1), df, 0.95, 0.8) == pytest.approx(expected, rel=1e-5)


def test_difference_is_found_as_often_as_is_said():
    rows = rows_of((3, 2), seeds=3, blocks=(0, 1))
    sigma = 0.02
    found = detectable(rows, sigma)
    generator = np.random.default_rng(0)
    columns = [np.array([float(row.settings["a"] == level) for row in rows]) for level in (1, 2)]
    columns += [
        np.array([float(row.settings["b"]) for row in rows]),
        np.array([float(row.blocks["c"]) for row in rows]),
    ]
    design = np.column_stack([np.ones(len(rows)), *columns])
    df = len(rows) - design.shape[1]
    assert found["a"].residual_df == found["b"].residual_df == df
    inverse = np.linalg.inv(design.T @ design)
    for key, column in (("a", 1), ("b", 3)):
        y = found[key].difference * design[:, column] + generator.normal(0, sigma, (4000, len(rows)))
        beta = y @ design @ inverse
        residual = y - beta @ design.T
        error = np.sqrt((residual**2).sum(axis=1) / df * inverse[column, column])
        hits = np.abs(beta[:, column] / error) > stats.t.isf(0.025, df)
        assert hits.mean() == pytest.approx(0.8, abs=4 * math.sqrt(0.16 / 4000))


def test_powers_are_those_of_an_f_test():
    rows = [Row(n + 1, n % 3 + 1, n // 3, {"a": n % 3}, {}, "") for n in range(30)]
    found = detectable(rows, 1.0)["a"]
    for f, power in ((0.25, found.power_medium), (0.4, found.power_large)):
        assert power == pytest.approx(FTestAnovaPower().power(f, 30, 0.05, k_groups=3), rel=1e-6)


def test_range_is_a_slope_from_one_end_to_the_other():
    generator = np.random.default_rng(1)
    rates = np.exp(generator.uniform(np.log(1e-4), np.log(1e-2), 20))
    rows = [Row(n, n, 0, {"rate": float(rate)}, {}, "") for n, rate in enumerate(rates, 1)]
    found = detectable(rows, 0.5, {"rate": Range(low=1e-4, high=1e-2, log=True)})["rate"]
    x = np.log(rates) / np.log(100)  # one from end to end
    error = 0.5 / math.sqrt(np.sum((x - x.mean()) ** 2))
    assert found.difference == pytest.approx(found_difference(error, 18, 0.95, 0.8), rel=1e-9)
    assert found.levels == 0
    assert "between the ends of its range" in str(found)


def test_unbalanced_design_is_told_by_its_worst_pair():
    counts = [2, 5, 9]
    levels = [level for level, count in enumerate(counts) for _ in range(count)]
    rows = [Row(n, level + 1, n, {"a": level}, {}, "") for n, level in enumerate(levels, 1)]
    error = 1.5 * math.sqrt(1 / 2 + 1 / 5)
    assert detectable(rows, 1.5)["a"].difference == pytest.approx(found_difference(error, 13, 0.95, 0.8), rel=1e-9)


def test_design_without_a_run_left_over_says_so():
    rows = [row for row in rows_of((2, 2), seeds=1) if row.cell != 4]
    found = detectable(rows, 1.0)["a"]
    assert not found.determined
    assert "no run is left over" in found.reason
    assert math.isnan(found.difference)


def test_factor_that_changes_only_with_another_says_so():
    rows = [Row(n + 1, n % 2 + 1, n // 2, {"a": n % 2, "b": n % 2, "c": n // 4}, {}, "") for n in range(8)]
    found = detectable(rows, 1.0)
    assert "only together" in found["a"].reason
    assert "only together" in found["b"].reason
    assert found["c"].determined


def test_sigma_of_nothing_is_refused():
    with pytest.raises(ValueError, match=r"`sigma` must be a finite number above 0\. Received: sigma=0"):
        detectable(rows_of((2, 2), 2), 0)
