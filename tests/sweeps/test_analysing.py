"""A sweep's run directories as a table of runs: who is in it, with which factors, and why the others are not."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from planted_sweeps import EFFECTS, planted_sweep, rows_of, write_run
from unetdyn.sweeps.analysing import analyse, table_of_sweep
from unetdyn.sweeps.table import Row, open_sweep

TWO = {"optimizer.learning_rate": {0.001: 0.0, 0.005: -0.04}}


def test_table_has_the_factors_of_the_sweep_under_their_last_name(tmp_path):
    table = table_of_sweep(planted_sweep(tmp_path / "sweep"))
    assert table.factors == {
        "architecture": ("UNet", "AttentionUNet"),
        "learning_rate": (0.001, 0.005),
        "batch_size": (8, 16),
    }
    assert (len(table.runs), table.planned, table.repeated, table.absent) == (24, 24, 16, ())
    assert table.runs[0].factors == {"architecture": "UNet", "learning_rate": 0.001, "batch_size": 8, "seed": 0}
    assert set(table.curves) == set(table.places) == {f"{number:04d}" for number in range(1, 25)}


def test_keys_with_one_last_part_stay_whole(tmp_path):
    effects = {"loss.kind": {"bce": 0.0, "dice": 0.0}, "optimizer.kind": {"adam": 0.0, "sgd": 0.0}}
    table = table_of_sweep(planted_sweep(tmp_path / "sweep", rows_of(effects, seeds=(0,)), effects=effects))
    assert list(table.factors) == ["loss.kind", "optimizer.kind"]


def test_rows_that_did_not_end_well_are_told_with_the_reason(tmp_path):
    sweep = planted_sweep(tmp_path / "sweep", rows_of(TWO), missing=(1, 5), failed=(2,), effects=TWO)
    sweep.run_path(5).mkdir()
    (sweep.run_path(6) / "run.json").write_text("{")
    found = table_of_sweep(sweep)
    why = {each.name: each.why for each in found.absent}
    assert [run.name for run in found.runs] == ["0003", "0004"]
    assert (why["0001"], why["0002"]) == ("not begun", "failed")
    assert why["0005"] == "begun, and ended before its first record"
    assert why["0006"].startswith("damaged: ")
    assert {each.name: each.seed for each in found.absent} == {"0001": 0, "0002": 1, "0005": 1, "0006": 2}
    assert found.absent[0].settings == {"learning_rate": 0.001}


@pytest.mark.parametrize(
    ("settings", "seed", "words"),
    [
        ({"optimizer.learning_rate": 0.002}, 0, "its record has optimizer.learning_rate = 0.002, and the table 0.001"),
        ({"optimizer.learning_rate": 0.001}, 9, "its record has the seed 9, and the table 0"),
    ],
)
def test_a_run_that_was_made_otherwise_does_not_count(tmp_path, settings, seed, words):
    sweep = planted_sweep(tmp_path / "sweep", rows_of(TWO), missing=(1,), effects=TWO)
    write_run(sweep.run_path(1), settings, seed, 0.9)
    found = table_of_sweep(sweep)
    assert [(each.name, each.why) for each in found.absent] == [("0001", words)]
    assert len(found.runs) == 5


def test_planted_effects_come_out(tmp_path):
    found = analyse(planted_sweep(tmp_path / "sweep"))
    assert found.order == 2
    effects = found.anova.effects
    assert {name for name, p in found.adjusted.items() if p < 0.001} == {"architecture", "learning_rate"}
    assert effects["batch_size"].p > 0.05
    (difference,) = found.sizes.differences["architecture"]
    assert (difference.one, difference.other) == ("UNet", "AttentionUNet")
    assert difference.low < -0.06 < difference.high < 0
    best = found.advice.recommendation.best.runs[0].factors
    assert (best["architecture"], best["learning_rate"]) == ("AttentionUNet", 0.001)
    assert found.advice.sentence.startswith("Take AttentionUNet, learning rate 0.001, batch size ")
    assert found.exponent.exponent == pytest.approx(1.0)
    assert found.slopes.learning_rate.estimate == pytest.approx(-0.04 / np.log10(5), abs=0.02)


def test_blocks_are_allowed_for_and_not_asked_about(tmp_path):
    effects = {**TWO, "data.fold": {0: 0.0, 1: 0.1, 2: 0.2}}
    rows = rows_of(TWO, blocks={"data.fold": (0, 1, 2)})
    sweep = planted_sweep(tmp_path / "sweep", rows, effects=effects, noise=0.001)
    found = analyse(sweep)
    assert found.table.blocks == {"fold": (0, 1, 2)}
    assert list(found.anova.effects) == ["learning_rate"]
    assert found.anova.blocks["fold"].df == 2
    assert found.anova.effects["learning_rate"].p < 0.01
    assert len(found.advice.recommendation.best.runs) == 3  # runs of one cell, though their folds differ


def test_an_empty_cell_of_the_plan_is_missing(tmp_path):
    found = analyse(planted_sweep(tmp_path / "sweep", rows_of(TWO), missing=(4, 5, 6), effects=TWO))
    assert found.missing.empty_cells == ({"learning_rate": 0.005},)
    assert not found.missing.inferred
    assert [row.name for row in found.table.absent] == ["0004", "0005", "0006"]


def test_a_sweep_that_has_not_begun_tells_nothing_and_says_so(tmp_path):
    found = analyse(planted_sweep(tmp_path / "sweep", rows_of(TWO), missing=range(1, 7), effects=TWO))
    assert found.advice.sentence == "Nothing can be recommended: no run has ended well yet."
    assert found.anova == "It needs 3 runs at least: n = 0."
    assert len(found.table.absent) == 6


def test_sampled_settings_are_no_groups(tmp_path):
    rng = np.random.default_rng(0)
    rows, effects = [], {"optimizer.learning_rate": {}, "fit.batch_size": {}}
    for cell, (rate, batch) in enumerate(zip(10 ** rng.uniform(-4, -2, 8), range(2, 10), strict=True), 1):
        effects["optimizer.learning_rate"][rate] = 0.02 * np.log10(rate)
        effects["fit.batch_size"][batch] = 0.0
        settings = {"optimizer.learning_rate": rate, "fit.batch_size": batch}
        rows += [Row(len(rows) + 1 + seed, cell, seed, settings, {}, "") for seed in (0, 1)]
    found = analyse(planted_sweep(tmp_path / "sweep", rows, effects=effects, noise=0.002))
    assert found.table.sampled == ("learning_rate", "batch_size")
    assert found.table.grouped_by == ()
    assert found.anova == (
        "Each cell has its own learning_rate and batch_size: there are no groups, but slopes and importance."
    )
    low, high = found.slopes.learning_rate.low, found.slopes.learning_rate.high
    assert low < 0.02 < high
    assert set(found.importance.importances) == {"learning_rate", "batch_size", "learning_rate × batch_size"}


def test_in_a_sampled_design_groups_are_tested_on_the_means_of_cells(tmp_path):
    """Runs of one cell share its own numbers: taken for independent, they would make chance look certain."""
    rng = np.random.default_rng(1)
    rows, effects = [], {"optimizer.learning_rate": {}, "model.architecture": {"UNet": 0.0, "AttentionUNet": 0.0}}
    for cell, rate in enumerate(10 ** rng.uniform(-4, -2, 8), 1):
        effects["optimizer.learning_rate"][rate] = 0.1 * rng.normal()
        settings = {"optimizer.learning_rate": rate, "model.architecture": ("UNet", "AttentionUNet")[cell % 2]}
        rows += [Row(len(rows) + 1 + seed, cell, seed, settings, {}, "") for seed in range(4)]
    found = analyse(planted_sweep(tmp_path / "sweep", rows, effects=effects, noise=0.001))
    assert found.table.sampled == ("learning_rate",)
    assert (found.anova.runs, found.anova.residual_df) == (8, 6)
    means = [mean.performance for mean in found.table.cell_means()]
    names = [mean.factors["architecture"] for mean in found.table.cell_means()]
    groups = [[mean for mean, of in zip(means, names, strict=True) if of == name] for name in set(names)]
    assert found.anova.effects["architecture"].p == pytest.approx(stats.f_oneway(*groups).pvalue)
    assert found.exponent.runs == 8


def test_a_bound_of_sigma_leaves_out_whole_cells(tmp_path):
    sweep = planted_sweep(tmp_path / "sweep", rows_of(TWO), effects=TWO)
    sigma = {run.factors["learning_rate"]: run.stability for run in table_of_sweep(sweep).runs}
    assert sigma[0.001] < sigma[0.005]
    found = analyse(sweep, max_sigma=(sigma[0.001] + sigma[0.005]) / 2)
    assert found.advice.not_calm == ("learning rate 0.005",)
    assert found.within.within == ("learning rate 0.001",)
    assert analyse(sweep, max_sigma=1e-9).advice.sentence == (
        "Nothing can be recommended: no cell has a mean σ below the bound."
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"response": "peformance"}, "`response` must be one of 'performance', 'final', 'stability'.*Did you mean"),
        ({"order": 0}, r"`order` must be a whole number of factors, 1 or more\. Received: order=0\."),
        ({"max_sigma": 0}, r"`max_sigma` must be a finite number above 0, or None for none\. Received: max_sigma=0\."),
        ({"metric": "dice"}, "'dice' was not logged"),
    ],
)
def test_analyse_refuses_what_there_is_not(tmp_path, asked, words):
    sweep = planted_sweep(tmp_path / "sweep", rows_of(TWO, seeds=(0,)), effects=TWO)
    with pytest.raises(ValueError, match=words):
        analyse(sweep, **asked)


def test_a_sweep_is_analysed_without_keras(tmp_path):
    planted_sweep(tmp_path / "sweep", rows_of(TWO), effects=TWO)
    code = (
        "import sys; from unetdyn.sweeps.analysing import analyse; from unetdyn.sweeps.table import open_sweep; "
        "found = analyse(open_sweep('sweep')); assert len(found.table.runs) == 6; "
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_levels_of_a_sweep_are_those_of_its_table_also_without_a_run(tmp_path):
    planted_sweep(tmp_path / "sweep", missing=range(2, 25))
    table = table_of_sweep(open_sweep(tmp_path / "sweep"))
    assert [len(levels) for levels in table.factors.values()] == [len(levels) for levels in EFFECTS.values()]
    assert len(table.plan) == 24
    assert table.plan[0] == {"architecture": "UNet", "learning_rate": 0.001, "batch_size": 8, "seed": 0}
