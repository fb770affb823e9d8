"""What an analysis of variance supposes, against SciPy, statsmodels and what was planted."""

import numpy as np
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.multitest import multipletests

from planted_designs import FACTORS, grid, run, several
from unetdyn.analysis import assumptions


def test_residuals_and_checks_against_statsmodels_and_scipy():
    frame, runs = grid(seed=1, lost=5)
    model = smf.ols("y ~ C(architecture) + C(learning_rate) + C(batch_size)", frame).fit()
    standardised = model.get_influence().resid_studentized_internal
    found = assumptions(runs, FACTORS)
    assert [r.value for r in found.residuals] == pytest.approx(model.resid.tolist())
    assert [r.fitted for r in found.residuals] == pytest.approx(model.fittedvalues.tolist())
    assert [r.standardised for r in found.residuals] == pytest.approx(standardised.tolist())
    assert (found.normality.statistic, found.normality.p) == pytest.approx(tuple(stats.shapiro(standardised)))
    groups = {name: [model.resid[frame[name] == level] for level in frame[name].unique()] for name in FACTORS}
    tests = [stats.levene(*groups[name]) for name in FACTORS]
    adjusted = multipletests([test.pvalue for test in tests], method="holm")[1]
    assert [check.p for check in found.spread.values()] == pytest.approx(adjusted)
    assert [check.statistic for check in found.spread.values()] == pytest.approx([test.statistic for test in tests])
    deviations = [np.sqrt(np.mean(group**2)) for group in groups["architecture"]]
    assert found.ratios["architecture"] == pytest.approx(max(deviations) / min(deviations))
    assert found.trend.p == pytest.approx(stats.kendalltau(range(len(runs)), standardised).pvalue)
    farthest = sorted(zip(np.abs(standardised), frame.index, strict=True), reverse=True)[:5]
    assert [r.name for r in found.largest] == [f"run {index}" for _, index in farthest]


def test_points_of_the_picture_are_sorted_and_those_of_a_normal_sample_lie_on_a_line():
    rng = np.random.default_rng(0)
    found = assumptions(several({level: rng.normal(size=60) for level in "ab"}), "group")
    assert list(found.ordered) == sorted(found.ordered)
    assert np.corrcoef(found.quantiles, found.ordered)[0, 1] > 0.99
    assert len(found.quantiles) == 120


def test_the_test_to_read_follows_what_was_planted():
    rng = np.random.default_rng(0)
    plain = {level: rng.normal(size=12) for level in "abc"}
    assert assumptions(several(plain), "group").read == "F"
    uneven = {level: scale * rng.normal(size=12) for level, scale in zip("abc", (0.2, 1, 5), strict=True)}
    found = assumptions(several(uneven), "group")
    assert (found.read, found.equal_variances) == ("Welch", False)
    assert "group by" in found.why
    skew = {level: rng.exponential(size=12) ** 2 for level in "abc"}
    assert assumptions(several(skew), "group").read in ("permutation", "Welch")
    diverged = plain | {"a": [*plain["a"][:-1], -9.0]}
    found = assumptions(several(diverged), "group")
    assert (found.read, found.largest[0].name) == ("permutation", "a 11")


def test_a_trend_is_seen_in_the_order_or_in_the_times():
    rng = np.random.default_rng(1)
    drift = [run(0.1 * n + 0.05 * rng.normal(), str(n), side=n % 2) for n in range(16)]
    found = assumptions(drift, "side")
    assert found.trend.failed
    assert any("with the seed; as a block, that is allowed for" in note for note in found.notes)
    assert found.why.endswith("but the residuals change from the first run to the last, which no test here allows for")
    shuffled = {str(n): float(place) for place, n in enumerate(rng.permutation(16))}
    assert not assumptions(drift, "side", times=shuffled).trend.failed
    with pytest.raises(ValueError, match=r"`times` must have every run by its name, .*Received: none for '3'"):
        assumptions(drift, "side", times={str(n): 0.0 for n in range(16) if n != 3})


def test_normal_runs_of_one_variance_fail_as_rarely_as_the_checks_say():
    """200 draws of 24 runs at random times: 0.05 has a standard error of 0.015."""
    rng = np.random.default_rng(0)
    names = [(a, b) for a in range(3) for b in range(2) for _ in range(4)]
    runs = [run(0.5, f"{n}", a=a, b=b) for n, (a, b) in enumerate(names)]
    found = []
    for _ in range(200):
        drawn = [vars(r) | {"performance": float(v)} for r, v in zip(runs, rng.normal(size=24), strict=True)]
        times = dict(zip(map(str, range(24)), rng.uniform(size=24), strict=True))
        found.append(assumptions([type(runs[0])(**each) for each in drawn], ["a", "b"], times=times))
    assert np.mean([each.normality.failed for each in found]) == pytest.approx(0.05, abs=0.045)
    assert np.mean([not each.equal_variances for each in found]) < 0.10
    assert np.mean([each.trend.failed for each in found]) == pytest.approx(0.05, abs=0.045)


def test_too_few_runs_say_so():
    found = assumptions([run(0.1, a=0), run(0.2, a=1)], "a")
    assert "no run is left over" in found.normality.reason
    assert (found.read, found.largest, found.quantiles) == ("permutation", (), ())
    found = assumptions(several({"a": [0.1, 0.2], "b": [0.4, 0.6]}), "group")
    assert found.spread["group"].reason == "a level has fewer than three runs"
    assert found.read == "permutation"
    exact = assumptions([*several({"a": [0.1, 0.2, 0.4]}), run(0.9, "alone", group="b")], "group")
    assert np.isnan(exact.residuals[3].standardised)
    assert assumptions([], "a").residuals == ()
