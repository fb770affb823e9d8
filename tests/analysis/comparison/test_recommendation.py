import numpy as np
import pytest
from scipy import stats

import unetdyn.runs
from unetdyn.analysis import combined_score, recommend, summarise
from unetdyn.analysis.comparison.quotations import PARAMETERS, QUOTATIONS
from unetdyn.analysis.comparison.recommendation import PRIORITIES


def run(called, performance, sigma=0.01, seed=0, memory=None, parameters=None, seconds=1.0, **factors):
    logs = {"val_jaccard": [performance] * 2, "val_loss": [1.0, 1.0 + sigma * np.sqrt(2)], "seconds": [seconds / 2] * 2}
    factors = {"architecture": called.split("-")[0], "seed": seed, **factors}
    return summarise(logs, called, factors, window=2, memory=memory, parameters=parameters)


def repeated(name, performances, **more):
    return [run(f"{name}-{seed}", value, seed=seed, **more) for seed, value in enumerate(performances)]


def test_recommend_takes_the_highest_mean_over_seeds_with_welch_interval():
    unet, attention = [0.70, 0.71, 0.72], [0.60, 0.64, 0.75]  # the single best run is not of the best settings
    found = recommend(repeated("UNet", unet) + repeated("AttentionUNet", attention), "performance")
    assert (found.best.name, found.runner_up.name) == ("UNet-0", "AttentionUNet-0")
    expected = stats.ttest_ind(unet, attention, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.difference == pytest.approx(np.mean(unet) - np.mean(attention))
    assert (found.decided, found.determined) == (False, True)
    assert "the scatter over seeds explains the difference" in str(found)
    assert "mean of 3 runs: performance 0.71" in str(found)


def test_recommend_says_when_the_difference_is_larger_than_the_scatter():
    found = recommend(
        repeated("UNet", [0.70, 0.71, 0.72]) + repeated("AttentionUNet", [0.5, 0.51, 0.52]), "performance"
    )
    assert (found.decided, found.determined) == (True, True)
    assert found.low > 0
    assert "larger than the scatter over seeds explains" in found.verdict


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        ([run("a", 0.7), run("b", 0.6)], "one run each can't tell: repeat both with other seeds"),
        ([*repeated("a", [0.7, 0.71]), run("b", 0.6)], "one run of either can't tell: repeat it with other seeds"),
        ([run("a", 0.7)], "there is nothing to compare it with"),
        ([*repeated("a", [0.7, 0.7]), *repeated("b", [0.6, 0.6])], "the repeated runs do not differ at all"),
        ([run("a", float("nan"))], "no run has what was asked for"),
    ],
)
def test_recommend_says_what_cannot_be_told(runs, reason):
    found = recommend(runs, "performance")
    assert found.reason.startswith(reason)
    assert (found.determined, found.decided, found.evidence) == (False, False, "")
    assert np.isnan(found.low)
    assert f"undetermined: {reason}" in str(found)


def test_recommend_for_stability_passes_over_a_calm_run_that_finds_nothing():
    runs = [run("good", 0.7, 0.05), run("calm", 0.69, 0.02), run("blind", 0.0, 0.0)]
    found = recommend(runs, "stability")
    assert (found.best.name, found.runner_up.name) == ("calm", "good")
    assert found.difference == pytest.approx(0.03)
    assert found.excluded == {"blind": "its settings' performance 0 is more than 5 % below the best"}
    assert recommend(runs, "stability", tolerance=1.0).best.name == "blind"


def test_recommend_balanced_by_the_combined_score():
    runs = [run("a", 0.7, 0.5), run("b", 0.65, 0.05), run("c", 0.3, 0.02)]
    scores = combined_score(runs).scores
    found = recommend(runs)
    assert found.best.name == next(iter(scores)) == "b"
    assert found.best.value == pytest.approx(scores["b"])
    assert f"score {scores['b']:.3g}" in str(found)


def test_recommend_for_memory_by_bytes_or_else_by_parameters():
    by_bytes = [run("a", 0.7, memory=2**30, parameters=1), run("b", 0.69, memory=2**29, parameters=2)]
    found = recommend(by_bytes, "memory")
    assert (found.best.name, found.decided) == ("b", True)
    assert "512 MiB" in str(found)
    assert "the seed has no part in it" in found.verdict
    some = [run("a", 0.7, memory=2**30, parameters=1), run("b", 0.69, parameters=2), run("c", 0.7)]
    found = recommend(some, "memory")
    assert found.best.name == "a"
    assert found.criterion == "fewest parameters, as not every run has its memory recorded"
    assert found.excluded["c"] == "its number of parameters is not recorded"
    equal = recommend([run("a", 0.6, parameters=5), run("b", 0.62, parameters=5)], "memory")
    assert (equal.best.name, equal.decided, equal.verdict) == ("b", False, "both need the same")


def test_recommend_for_speed():
    found = recommend([run("slow", 0.7, seconds=100.0), run("fast", 0.69, seconds=50.0)], "speed")
    assert (found.best.name, found.difference) == ("fast", 50.0)
    assert "50 seconds" in str(found)
    nothing = recommend([summarise({"val_jaccard": [0.5]}, "bare")], "speed")
    assert nothing.best is None
    assert nothing.excluded["bare"].startswith("its time is not recorded")


def test_recommend_keeps_the_bounds_and_says_which_run_broke_which():
    runs = [run("a", 0.9, 0.5), run("b", 0.8, memory=2e9), run("c", 0.7, memory=1e9, seconds=99.0)]
    runs += [run("d", 0.6, memory=1e9)]
    found = recommend(runs, "performance", max_sigma=0.1, max_memory=1e9, max_seconds=10)
    assert found.best.name == "d"
    assert found.excluded == {
        "a": "its σ 0.5 is not below 0.1; its memory in bytes is not recorded",
        "b": "its memory in bytes 2e+09 is above 1e+09",
        "c": "its time 99 is above 10",
    }


def test_runs_without_recorded_settings_are_choices_of_their_own():
    found = recommend({"a": {"val_jaccard": [0.5]}, "b": {"val_jaccard": [0.6]}}, "performance")
    assert (found.best.name, found.runner_up.name) == ("b", "a")


def test_repetitions_may_differ_in_name_and_directory():
    runs = [run(f"UNet-{s}", 0.5, seed=s, name=f"take {s}", run_directory=f"runs/{s}") for s in range(3)]
    assert len(recommend(runs, "performance").best.runs) == 3


def test_recommend_says_when_metrics_differ():
    other = summarise({"dice": [0.9]}, "other")
    assert "the performance is not of one thing" in str(recommend([run("a", 0.5), other], "performance"))


@pytest.mark.parametrize("priority", PRIORITIES)
@pytest.mark.parametrize("runs", [[], [run("a", 0.7)]], ids=["without runs", "beside runs"])
def test_recommend_quotes_the_studies_tables_that_bear_on_it(priority, runs):
    found = recommend(runs, priority)
    assert found.tables == QUOTATIONS[priority]
    text, page = str(found), found._repr_html_()
    assert all(str(table) in text and table._repr_html_() in page for table in found.tables)


def test_recommend_without_runs_says_that_the_tables_are_of_other_data():
    found = recommend()
    assert (found.best, found.determined) == (None, False)
    assert found.reason == "there are no runs of yours: what follows is not from your data"


def test_every_row_of_the_decision_matrix_and_of_the_guide_is_quoted_for_some_priority():
    rows = {"speed": "fast training", "memory": "memory efficiency", "sensitivity": "hyperparameter sensitivity"}
    for priority, row in (rows | {"stability": "stability", "performance": "peak performance"}).items():
        assert [cells[0] for cells in recommend(priority=priority).tables[0].rows] == [row]
    assert "training time ≈ 938 s" in str(recommend(priority="speed"))


@pytest.mark.parametrize("train", [([0, 37], [0, 5]), (None, [0, 5])])
def test_runs_of_different_splits_are_different_choices(tmp_path, train):
    for seed in (0, 1):
        config = {"data": {"split": {"train": train[seed]}}, "filters": 8, "seed": seed}
        writer = unetdyn.runs.RunWriter(tmp_path / str(seed), config=config, seed=seed)
        writer.log_epoch(0, {"val_jaccard": 0.5 + 0.1 * seed})
        writer.finish("finished", {})
    found = recommend([tmp_path / "0", tmp_path / "1"], "performance")
    assert (found.best.name, found.runner_up.name) == ("1", "0")
    assert found.difference == pytest.approx(0.1)


def test_the_parameters_quoted_are_those_of_the_models():
    from unetdyn import models

    names = {"Standard U-Net": "UNet", "Attention U-Net": "AttentionUNet", "Attention ResU-Net": "AttentionResUNet"}
    counts = {
        name: getattr(models, builder)((64, 64, 1), filters=64, variant="bnsreenu").count_params() / 1e6
        for name, builder in names.items()
    }
    assert PARAMETERS.column("millions") == pytest.approx(counts, abs=0.05)


def trained(architecture, jaccards, seed=0):
    """Runs of one model at (learning rate, batch size) → performance."""
    return [
        run(
            f"{architecture}-{rate}-{batch}-{seed}",
            j,
            seed=seed,
            architecture=architecture,
            learning_rate=rate,
            batch_size=batch,
        )
        for (rate, batch), j in jaccards.items()
    ]


PEAKED = {(1e-4, 8): 0.5, (1e-3, 8): 0.8, (1e-2, 8): 0.5}  # no slope, and yet sensitive
FLAT = {(1e-4, 8): 0.73, (1e-3, 8): 0.77, (1e-2, 8): 0.72}


def test_recommend_for_sensitivity_takes_the_smaller_spread_not_the_smaller_slope():
    found = recommend(trained("peaked", PEAKED) + trained("flat", FLAT), "sensitivity")
    assert (found.best.name, found.runner_up.name) == ("flat", "peaked")
    assert (found.best.value, found.runner_up.value) == pytest.approx((0.05, 0.3))
    assert found.difference == pytest.approx(0.25)
    assert "spread 0.05 over 3 settings" in str(found)
    assert found.reason == "one seed each can't tell: repeat both with other seeds"


def test_recommend_for_sensitivity_compares_seeds_by_welch():
    rng = np.random.default_rng(0)
    runs, spreads = [], {"peaked": [], "flat": []}
    for seed in range(4):
        for name, jaccards in (("peaked", PEAKED), ("flat", FLAT)):
            noisy = {pair: j + rng.normal(0, 0.02) for pair, j in jaccards.items()}
            runs += trained(name, noisy, seed)
            spreads[name].append(max(noisy.values()) - min(noisy.values()))
    found = recommend(runs, "sensitivity", tolerance=0.2)
    expected = stats.ttest_ind(spreads["peaked"], spreads["flat"], equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx(tuple(expected))
    assert found.decided


def test_spreads_are_over_the_settings_that_all_models_have():
    wide = FLAT | {(1e-1, 8): 0.1}
    runs = trained("flat", wide) + trained("peaked", PEAKED) + trained("once", {(1e-3, 8): 0.9})
    found = recommend(runs, "sensitivity")
    assert found.best.value == pytest.approx(0.05)
    assert found.excluded == {
        "once-0.001-8-0": "its model was trained with one learning rate and batch size only",
        "flat-0.1-8-0": "not every model was trained with its learning rate and batch size",
    }


def test_spread_of_seeds_that_lack_a_setting_is_that_of_the_means():
    low = trained("flat", {(1e-4, 8): 0.5}, seed=0) + trained("flat", {(1e-4, 8): 0.52}, seed=1)
    high = trained("flat", {(1e-3, 8): 0.6}, seed=2) + trained("flat", {(1e-3, 8): 0.7}, seed=3)
    found = recommend(low + high, "sensitivity")
    assert found.best.values == pytest.approx((0.65 - 0.51,))
    assert found.reason == "there is nothing to compare it with"


def test_recommend_for_sensitivity_says_what_it_cannot_compare():
    apart = trained("a", {(1e-4, 8): 0.5, (1e-3, 8): 0.6}) + trained("b", {(1e-2, 8): 0.5, (1e-1, 8): 0.6})
    found = recommend([*apart, run("bare", 0.7)], "sensitivity")
    assert found.best is None
    assert set(found.excluded) == {each.name for each in apart} | {"bare"}
    assert found.excluded["bare"] == "neither its learning rate nor its batch size is recorded"


def test_model_that_finds_nothing_is_not_recommended_for_its_small_spread():
    found = recommend(trained("blind", dict.fromkeys(FLAT, 0.0)) + trained("flat", FLAT), "sensitivity")
    assert found.best.name == "flat"
    assert found.excluded["blind-0.001-8-0"] == "its model's best performance 0 is more than 5 % below the best"


def test_models_of_one_architecture_are_named_after_their_runs():
    runs = [summarise(each, factors={"filters": 8}) for each in trained("flat", FLAT)]
    runs += [summarise(each, f"wide {i}", factors={"filters": 16}) for i, each in enumerate(trained("flat", FLAT))]
    found = recommend(runs, "sensitivity")
    assert {found.best.name, found.runner_up.name} == {"flat-0.0001-8-0", "wide 0"}


def test_recommend_refuses_wrong_arguments():
    with pytest.raises(ValueError, match=r"`priority` must be one of .*Received: priority='fast'"):
        recommend(priority="fast")
    with pytest.raises(ValueError, match=r"`max_memory` must be .* above 0, or None for any. Received: max_memory=0"):
        recommend(max_memory=0)
    with pytest.raises(ValueError, match=r"`tolerance` must lie between 0 and 1. Received: tolerance=5"):
        recommend(tolerance=5)
    with pytest.raises(TypeError, match=r"put a single one in a list"):
        recommend("runs/first")
