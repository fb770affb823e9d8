"""What more runs buy, against statsmodels and counting."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.power import TTestIndPower

from planted_designs import grid, run, several
from unetdyn.analysis import next_runs, smallest_difference, summarise

VALUES = {"a": [0.61, 0.66, 0.63], "b": [0.68, 0.66, 0.69], "c": [0.2, 0.25, 0.21]}
SIGMA = float(np.sqrt(np.mean([np.var(of, ddof=1) for of in VALUES.values()])))


@pytest.mark.parametrize(("seeds", "power", "confidence"), [(3, 0.8, 0.95), (10, 0.8, 0.95), (5, 0.9, 0.99)])
def test_smallest_difference_against_statsmodels(seeds, power, confidence):
    effect = TTestIndPower().solve_power(nobs1=seeds, alpha=1 - confidence, power=power)
    found = smallest_difference(0.02, seeds, confidence=confidence, power=power)
    assert found == pytest.approx(0.02 * effect, rel=1e-4)


def test_smallest_difference_of_more_cells_is_smaller():
    """By 20,000 draws of its own t test."""
    delta = smallest_difference(1.0, 3, cells=12)
    assert delta < smallest_difference(1.0, 3)
    rng = np.random.default_rng(0)
    means = delta + rng.normal(0, np.sqrt(2 / 3), 20_000)
    t = means / np.sqrt(rng.chisquare(24, 20_000) / 24 * 2 / 3)
    assert np.mean(np.abs(t) > stats.t.isf(0.025, 24)) == pytest.approx(0.8, abs=0.012)


def test_precision_now_and_after_a_day():
    found = next_runs(several(VALUES), seconds=3600, day=12 * 3600)
    assert (found.sigma, found.df, found.cells) == (pytest.approx(SIGMA), 6, 3)
    assert found.runs_per_day == 12
    assert found.now.half_width == pytest.approx(stats.t.ppf(0.975, 6) * SIGMA * np.sqrt(2 / 3))
    assert found.now.smallest_difference == pytest.approx(smallest_difference(SIGMA, 3, cells=3))
    assert (found.after_all.seeds, found.after_all.runs) == (7, 21)
    assert found.after_all.half_width == pytest.approx(stats.t.ppf(0.975, 18) * SIGMA * np.sqrt(2 / 7))
    assert (found.after_two.seeds, found.after_two.runs) == (9, 21)
    assert found.after_two.half_width == pytest.approx(stats.t.ppf(0.975, 18) * SIGMA * np.sqrt(2 / 9))
    assert found.lead == pytest.approx(np.mean(VALUES["b"]) - np.mean(VALUES["a"]))


def test_seeds_that_all_cells_share_are_no_scatter():
    """σ is that of cell + seed by statsmodels; a further seed costs one of the degrees of freedom that it brings."""
    added = {0: 0.3, 1: -0.2, 2: 0.05}
    runs = [
        run(value + added[seed], f"{name} {seed}", group=name, seed=seed)
        for name, of in VALUES.items()
        for seed, value in enumerate(of)
    ]
    frame = pd.DataFrame([{"y": r.performance, **r.factors} for r in runs])
    fitted = smf.ols("y ~ C(group) + C(seed)", frame).fit()
    found = next_runs(runs, seconds=3600, day=12 * 3600, blocks="seed")
    assert (found.sigma, found.df) == (pytest.approx(np.sqrt(fitted.mse_resid)), fitted.df_resid)
    assert found.after_all.half_width == pytest.approx(stats.t.ppf(0.975, 4 + 8) * found.sigma * np.sqrt(2 / 7))
    assert found.after_two.half_width == pytest.approx(stats.t.ppf(0.975, 4 + 6) * found.sigma * np.sqrt(2 / 9))
    assert found.lead == pytest.approx(np.mean(VALUES["b"]) - np.mean(VALUES["a"]))
    assert found.seeds_to_tell < next_runs(runs, seconds=3600).seeds_to_tell
    assert found.now.of_levels.keys() == {"group"}


def test_levels_are_told_apart_better_than_cells():
    _, runs = grid()
    found = next_runs(runs, factors=["architecture", "learning_rate", "batch_size"])
    levels = found.now.of_levels
    assert levels["architecture"] == pytest.approx(found.now.smallest_difference / 2)  # 12 runs of a level, not 3
    assert levels["batch_size"] == pytest.approx(found.now.smallest_difference / np.sqrt(6))
    assert found.now.of_levels.keys() == {"architecture", "learning_rate", "batch_size"}


def test_seeds_to_tell_the_best_from_the_second_are_the_first_that_do():
    found = next_runs(several(VALUES), seconds=3600)

    def power(seeds):
        df = 6 + 2 * seeds - 6
        critical, effect = stats.t.isf(0.025, df), found.lead / (found.sigma * np.sqrt(2 / seeds))
        return stats.nct.sf(critical, df, effect) + stats.nct.cdf(-critical, df, effect)

    assert found.seeds_to_tell == next(n for n in range(3, 1000) if power(n) >= 0.8)
    assert found.days_to_tell == pytest.approx((2 * found.seeds_to_tell - 6) / 24)
    two_jobs = next_runs(several(VALUES), seconds=3600, jobs=2)
    assert two_jobs.days_to_tell == pytest.approx(found.days_to_tell / 2)
    close = next_runs(several({"a": [0.5, 0.6], "b": [0.5, 0.6]}), seconds=60)
    assert (close.seeds_to_tell, close.lead) == (None, pytest.approx(0))
    assert "more than 10,000 seeds each" in str(close)


def test_seconds_are_those_recorded_unless_given():
    runs = [
        summarise({"val_jaccard": [v], "seconds": [100.0 + n]}, f"{a} {n}", {"filters": a})
        for a, of in VALUES.items()
        for n, v in enumerate(of)
    ]
    assert next_runs(runs).seconds_per_run == pytest.approx(101)
    assert next_runs(runs, response="seconds").lead == pytest.approx(0)
    timeless = next_runs(several(VALUES))
    assert (timeless.runs_per_day, timeless.after_all, timeless.after_two) == (0, None, None)
    assert timeless.seeds_to_tell is not None
    assert any("no time of a run is recorded" in note for note in timeless.notes)


def test_next_runs_say_what_they_cannot_tell():
    once = next_runs([run(0.5, filters=8), run(0.6, filters=16)])
    assert once.reason == "no settings were run with a second seed, so that their scatter is not known"
    assert (once.now, once.seeds_to_tell) == (None, None)
    assert next_runs(several({"a": [0.5, 0.5]})).reason == "repeated runs do not differ at all"
    alone = next_runs(several({"a": [0.5, 0.6]}), seconds=1000)
    assert (np.isnan(alone.lead), alone.after_two) == (True, None)
    with pytest.raises(ValueError, match=r"`seeds` must be a whole number, 2 or more, because one run.*seeds=1"):
        smallest_difference(0.1, 1)
    with pytest.raises(ValueError, match=r"`seconds` must be a finite number above 0, or None"):
        next_runs([], seconds=0)
