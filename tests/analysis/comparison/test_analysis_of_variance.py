import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.power import FTestAnovaPower

import unetdyn.runs
from unetdyn.analysis import anova, anova_power, summarise

FACTORS = ("architecture", "learning_rate", "batch_size")


def run(performance, **factors):
    return summarise({"val_jaccard": [performance]}, factors=factors)


def grid(seed=0, lost=0):
    """Runs of 3 architectures × 3 rates × 2 batches × 2 seeds, less a random few."""
    rng = np.random.default_rng(seed)
    rows = [
        (name, rate, batch, 0.5 + 0.1 * (name == "b") - 0.02 * np.log10(rate) * (batch == 8) + 0.05 * rng.normal())
        for name in "abc"
        for rate in (1e-4, 1e-3, 1e-2)
        for batch in (8, 16)
        for _ in range(2)
    ]
    kept = sorted(rng.permutation(len(rows))[lost:])
    frame = pd.DataFrame([rows[index] for index in kept], columns=[*FACTORS, "y"])
    return frame, [run(row.y, **{name: getattr(row, name) for name in FACTORS}) for row in frame.itertuples()]


@pytest.mark.parametrize("lost", [0, 9])
@pytest.mark.parametrize("order", [1, 2])
def test_anova_against_statsmodels(lost, order):
    frame, runs = grid(lost=lost)
    terms = " + ".join(f"C({name})" for name in FACTORS)
    model = smf.ols(f"y ~ {terms}" if order == 1 else f"y ~ ({terms})**2", frame).fit()
    table = sm.stats.anova_lm(model, typ=2)
    found = anova(runs, order=order)
    for name, effect in found.effects.items():
        row = table.loc[":".join(f"C({part})" for part in name.split(" × "))]
        assert (effect.df, effect.f, effect.p) == pytest.approx((row.df, row.F, row["PR(>F)"]), rel=1e-7)
        assert effect.sum_of_squares == pytest.approx(row.sum_sq, rel=1e-7)
        assert effect.eta_squared == pytest.approx(row.sum_sq / np.sum((frame.y - frame.y.mean()) ** 2))
        assert effect.partial_eta_squared == pytest.approx(row.sum_sq / (row.sum_sq + table.loc["Residual"].sum_sq))
    assert len(found.effects) == len(table) - 1
    assert found.residual_df == table.loc["Residual"].df
    assert found.residual_sum_of_squares == pytest.approx(table.loc["Residual"].sum_sq)


def test_anova_of_one_factor_against_scipy_and_the_formula_of_omega():
    groups = [[0.5, 0.6, 0.55], [0.7, 0.8], [0.4, 0.45, 0.5, 0.65]]
    runs = [run(value, architecture=index) for index, values in enumerate(groups) for value in values]
    effect = anova(runs, ["architecture"]).effects["architecture"]
    expected = stats.f_oneway(*groups)
    assert (effect.f, effect.p) == pytest.approx((expected.statistic, expected.pvalue))
    # Hays' formula in terms of F: df (F − 1) / (df (F − 1) + N)
    assert effect.omega_squared == pytest.approx(2 * (effect.f - 1) / (2 * (effect.f - 1) + 9))


@pytest.mark.parametrize(
    ("f", "df", "residual_df", "p"),
    [(1.841, 3, 5, 0.257), (0.387, 2, 6, 0.695)],  # as the studies gave them; the degrees are those that fit
)
def test_anova_gives_the_p_that_the_studies_gave_for_their_f(f, df, residual_df, p):
    """Values made so that F is the published one, at degrees of freedom that fit its p: nine runs both times."""
    group = np.repeat(np.arange(df + 1), [(df + residual_df + 1) // (df + 1)] * (df + 1))
    group = np.concatenate([group, np.zeros(df + residual_df + 1 - len(group), dtype=int)])
    rng = np.random.default_rng(0)
    noise = rng.normal(size=len(group))
    noise -= np.array([noise[group == g].mean() for g in range(df + 1)])[group]
    between = rng.normal(size=df + 1)[group]
    between -= between.mean()
    within = np.sum(noise**2) / residual_df
    y = 0.7 + between * np.sqrt(f * within * df / np.sum(between**2)) + noise
    effect = anova([run(value, architecture=int(g)) for value, g in zip(y, group, strict=True)], ["architecture"])
    found = effect.effects["architecture"]
    assert (found.df, effect.residual_df, effect.runs) == (df, residual_df, 9)
    assert found.f == pytest.approx(f, rel=1e-9)
    assert round(found.p, 3) == p
    assert found.power_large < 0.25
    assert "9 runs find even a large effect" in str(effect)


@pytest.mark.parametrize(("f", "runs", "groups"), [(0.25, 30, 3), (0.4, 12, 4), (0.1, 200, 2)])
def test_anova_power_against_statsmodels(f, runs, groups):
    expected = FTestAnovaPower().power(f, runs, 0.05, groups)
    assert anova_power(f, runs, groups - 1, runs - groups) == pytest.approx(expected, rel=1e-6)


def test_anova_power_at_its_ends():
    assert anova_power(0.0, 20, 2, 17) == pytest.approx(0.05)
    assert anova_power(1e-4, 20, 2, 17) == pytest.approx(0.05, abs=1e-5)
    assert anova_power(3.0, 20, 2, 17) == pytest.approx(1.0)
    assert np.isnan(anova_power(0.4, 3, 2, 0))


def test_anova_says_which_terms_it_cannot_test():
    settings = [(1e-2, 8), (1e-2, 8), (1e-3, 16), (1e-3, 16)]
    runs = [
        run(value, architecture="UNet", learning_rate=rate, batch_size=batch)
        for (rate, batch), value in zip(settings, [0.1, 0.2, 0.5, 0.7], strict=True)
    ]
    effects = anova(runs).effects
    assert effects["architecture"].reason == "it has the same value in every run"
    assert effects["learning_rate"].reason == "its values change only together with those of the others"
    assert "undetermined: its values change only together" in str(anova(runs))
    alone = anova(runs[::2], ["learning_rate"]).effects["learning_rate"]
    assert "no run is left over to measure the scatter" in alone.reason
    assert alone.eta_squared == pytest.approx(1.0)
    same = anova([run(0.7, filters=n) for n in (8, 8, 16, 16)], ["filters"]).effects["filters"]
    assert same.reason == "runs with the same settings do not differ at all"
    exact = anova([run(n / 24, filters=n) for n in (8, 8, 16, 16)], ["filters"]).effects["filters"]
    assert exact.reason == "runs with the same settings do not differ at all"
    assert anova([], ["filters"]).effects["filters"].reason == "there are no runs to analyse"


def test_anova_leaves_out_runs_that_lack_a_factor_or_a_number():
    runs = [run(value, filters=n) for n, value in ((8, 0.1), (8, 0.2), (16, 0.5), (16, 0.6))]
    more = [summarise({"val_jaccard": [float("nan")]}, "diverged", {"filters": 8}), summarise(runs[0], "bare")]
    bare = summarise({"val_jaccard": [0.9]}, "bare")
    found = anova([*runs, more[0], bare], ["filters"])
    assert found.excluded == {"diverged": "its performance is not a number", "bare": "no filters is recorded"}
    assert found.effects["filters"] == anova(runs, ["filters"]).effects["filters"]


def test_anova_takes_none_as_a_level_and_lists_too():
    values = [0.5, 0.55, 0.7, 0.8]
    expected = stats.f_oneway(values[:2], values[2:])
    for level, other in ((None, 1.0), ([0, 5], [0, 9])):
        levels = [level, level, other, other]
        runs = [run(value, setting=x) for value, x in zip(values, levels, strict=True)]
        found = anova(runs, ["setting"])
        assert (found.runs, found.excluded) == (4, {})
        assert found.effects["setting"].p == pytest.approx(expected.pvalue)


def test_anova_takes_none_from_run_directories(tmp_path):
    for index, (value, norm) in enumerate([(0.5, None), (0.55, None), (0.7, 1.0), (0.8, 1.0)]):
        writer = unetdyn.runs.RunWriter(tmp_path / str(index), config={"clipnorm": norm}, seed=index)
        writer.log_epoch(0, {"val_jaccard": value})
        writer.finish("finished", {})
    found = anova([tmp_path / str(index) for index in range(4)], "clipnorm")
    assert (found.runs, found.effects["clipnorm"].df) == (4, 1)
    assert found.effects["clipnorm"].p == pytest.approx(stats.f_oneway([0.5, 0.55], [0.7, 0.8]).pvalue)


def test_anova_takes_a_lone_name():
    _, runs = grid()
    assert anova(runs, "learning_rate") == anova(runs, ["learning_rate"])


def test_anova_refuses_what_no_run_has():
    runs = [run(0.5, learning_rate=0.1)]
    with pytest.raises(ValueError, match=r"No run has the factor 'learning_rat'; they have learning_rate. Did"):
        anova(runs, ["learning_rat"])
    with pytest.raises(ValueError, match=r"`response` must be one of .*Received: response='speed'"):
        anova(runs, ["learning_rate"], response="speed")
    with pytest.raises(ValueError, match=r"`order` must be from 1 to the number of factors.*Received: order=2"):
        anova(runs, ["learning_rate"], order=2)


def test_anova_raises_no_more_false_alarms_than_it_says_and_finds_what_its_power_says():
    """400 draws: 0.05 and 0.249 have standard errors of 0.011 and 0.022."""
    rng = np.random.default_rng(0)
    shift = np.repeat([-1.0, 0.0, 1.0], 6) * 0.4 * np.sqrt(1.5)
    settings = [(i, r, b) for i in range(3) for r in (1e-4, 1e-3, 1e-2) for b in (8, 16)]
    alarms, hits = [], []
    for _ in range(400):
        noise = rng.normal(size=18)
        for kept, values in ((alarms, noise), (hits, noise + shift)):
            runs = [
                run(value, architecture=i, learning_rate=r, batch_size=b)
                for value, (i, r, b) in zip(values, settings, strict=True)
            ]
            kept.append(anova(runs).effects["architecture"].p < 0.05)
    assert np.mean(alarms) == pytest.approx(0.05, abs=0.035)
    assert np.mean(hits) == pytest.approx(anova_power(0.4, 18, 2, 12), abs=0.065)


@pytest.mark.parametrize("lost", [0, 9])
@pytest.mark.parametrize("order", [1, 2])
def test_anova_within_blocks_against_statsmodels(lost, order):
    frame, runs = grid(lost=lost)
    power = "" if order == 1 else "**2"
    formula = f"y ~ C(batch_size) + (C(architecture) + C(learning_rate)){power}"
    table = sm.stats.anova_lm(smf.ols(formula, frame).fit(), typ=2)
    found = anova(runs, ["architecture", "learning_rate"], order=order, blocks="batch_size")
    for name, effect in found.effects.items():
        row = table.loc[":".join(f"C({part})" for part in name.split(" × "))]
        assert (effect.df, effect.f, effect.p) == pytest.approx((row.df, row.F, row["PR(>F)"]), rel=1e-7)
    block = found.blocks["batch_size"]
    assert (block.df, block.sum_of_squares) == pytest.approx((1, table.loc["C(batch_size)"].sum_sq))
    assert "batch_size" not in found.effects
    assert "block batch_size" in str(found)
    assert found.residual_df == table.loc["Residual"].df


def test_anova_tests_no_factor_that_is_its_block():
    runs = [run(value, filters=n, day=n) for n, value in ((8, 0.1), (8, 0.2), (16, 0.5), (16, 0.6))]
    found = anova(runs, "filters", blocks="day").effects["filters"]
    assert found.reason == "its values change only together with those of the others"
    with pytest.raises(ValueError, match=r"`blocks` must be other than `factors`.*Received: 'filters' in both"):
        anova(runs, "filters", blocks="filters")
    with pytest.raises(ValueError, match=r"No run has the factor 'dya'; they have filters, day. Did you mean 'day'"):
        anova(runs, "filters", blocks="dya")
    assert anova([], "filters", blocks="day").blocks == {}
