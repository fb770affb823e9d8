"""Runs that no sweep made: which settings are factors, which are not and why, and which runs don't count."""

import pytest
from scipy import stats

from planted_sweeps import write_run
from unetdyn.analysis.comparison.gathering import names_of, table_of_runs
from unetdyn.analysis.comparison.summary import summarise
from unetdyn.analysis.comparison.table_statistics import statistics_of
from unetdyn.analysis.comparison.varying import sampled, varying
from unetdyn.runs import RunWriter


def write(folder, settings, seed, jaccard, number):
    return write_run(folder / f"run{number}", {**settings, "name": f"run {number}"}, seed, jaccard)


def four(folder, **more):
    """Two rates with two seeds each; `more` gives other settings, a value a run."""
    made = [(0.001, 0, 0.70), (0.001, 1, 0.72), (0.005, 0, 0.60), (0.005, 1, 0.61)]
    paths = []
    for number, (rate, seed, jaccard) in enumerate(made):
        others = {key.replace("__", "."): values[number] for key, values in more.items()}
        paths.append(
            write(folder, {"optimizer.learning_rate": rate, "model.depth": 3, **others}, seed, jaccard, number)
        )
    return paths


def test_factors_are_the_settings_that_differ_and_seeds_are_repetitions(tmp_path):
    table = table_of_runs(four(tmp_path))
    assert table.factors == {"learning_rate": (0.001, 0.005)}
    assert table.constant == {"depth": 3}
    assert (table.repeated, table.planned, table.notes) == (2, 4, ())
    found = statistics_of(table)
    paired = stats.ttest_rel([0.70, 0.72], [0.60, 0.61]).pvalue  # both rates have both seeds
    assert found.anova.effects["learning_rate"].p == pytest.approx(paired)
    assert found.missing.inferred


@pytest.mark.parametrize(
    ("more", "note"),
    [
        ({"data__path": "abcd"}, "path differs in every run, and is no factor"),
        (
            {"seed": (0, 1, 0, 1), "data__seed": (5, 6, 5, 6)},
            "data.seed changes only together with the seed, and is no factor",
        ),
        ({"fit__batch_size": (8, 8, 4, 4)}, "batch_size changes only together with learning_rate, and can't be told"),
    ],
)
def test_settings_that_can_be_no_factor_are_told(tmp_path, more, note):
    table = table_of_runs(four(tmp_path, **more))
    assert list(table.factors) == ["learning_rate"]
    assert any(each.startswith(note) for each in table.notes), table.notes


def test_wanted_factors_are_taken_and_the_others_told(tmp_path):
    paths = four(tmp_path, fit__batch_size=(8, 4, 8, 4))
    assert list(table_of_runs(paths).factors) == ["learning_rate", "batch_size"]
    table = table_of_runs(paths, ["batch_size"])
    assert table.factors == {"batch_size": (4, 8)}
    assert table.notes == ("learning_rate differs too, and was not asked for as a factor",)
    assert [len(runs) for runs in table.cells().values()] == [2, 2]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("lerning_rate", "Received: 'lerning_rate'. Did you mean 'learning_rate'?"),
        ("depth", "Received: 'depth', which is 3 in all of them"),
    ],
)
def test_a_wanted_factor_must_differ(tmp_path, wanted, words):
    with pytest.raises(ValueError, match="`factors` must be settings that") as caught:
        table_of_runs(four(tmp_path), [wanted])
    assert words in str(caught.value)


def test_runs_that_did_not_end_well_are_told(tmp_path):
    paths = four(tmp_path)
    paths.append(write_run(tmp_path / "cut", {"optimizer.learning_rate": 0.005}, 2, 0.6, status="interrupted"))
    table = table_of_runs(paths)
    assert [(each.name, each.seed, each.why) for each in table.absent] == [("cut", 2, "interrupted")]
    assert (len(table.runs), table.planned) == (4, 5)


def test_a_run_without_the_metric_is_told_and_only_none_with_it_is_an_error(tmp_path):
    paths = four(tmp_path)
    writer = RunWriter(tmp_path / "bare", seed=5)
    writer.log_epoch(0, {"loss": 0.5})
    writer.finish()
    table = table_of_runs([*paths, writer.path])
    assert [(each.name, each.seed) for each in table.absent] == [("bare", 5)]
    assert "loss" in table.absent[0].why
    with pytest.raises(ValueError, match="'dice' was not logged"):
        table_of_runs(paths, metric="dice")


def test_one_run_and_two_runs_say_that_they_tell_nothing(tmp_path):
    paths = four(tmp_path)
    one, two = (statistics_of(table_of_runs(paths[: 2 * many : 2][:many])) for many in (1, 2))
    assert one.advice.sentence == "Nothing can be recommended: there is one run (n = 1), and nothing beside it."
    assert two.table.factors == {}
    assert two.table.notes == ("learning_rate differs in every run, and is no factor",)
    assert two.anova.startswith("No setting groups the runs (n = 2)")
    assert two.advice.recommendation is not None


def test_paths_that_are_none_or_twice_are_refused(tmp_path):
    paths = four(tmp_path)
    with pytest.raises(ValueError, match="`paths` must be one run directory or more"):
        table_of_runs([])
    with pytest.raises(ValueError, match=r"`paths` must name each run once\. Received: .*run0 twice"):
        table_of_runs([*paths, tmp_path / "x" / ".." / "run0"])
    with pytest.raises(FileNotFoundError, match="`path` must be a run directory"):
        table_of_runs([tmp_path])


def test_names_tell_folders_apart(tmp_path):
    paths = [tmp_path / "first" / "0001", tmp_path / "second" / "0001", tmp_path / "third"]
    assert names_of(paths) == ["first/0001", "second/0001", "third"]


def test_a_setting_that_some_runs_do_not_have_is_none_there():
    runs = [
        summarise({"val_jaccard": [0.5]}, str(place), {"seed": place % 2} | ({"clip": 1.0} if place < 2 else {}))
        for place in range(4)
    ]
    assert varying(runs).factors == {"clip": (1.0, None)}


def test_few_levels_in_few_cells_are_groups_and_many_are_sampled():
    few = [(0.1 * place, 2 * place) for place in range(1, 6)]
    many = [*few, (0.9, 12)]
    factors = {"rate": (), "filters": ()}
    assert sampled(few, factors) == ()
    assert sampled(many, factors) == ("rate", "filters")
    assert sampled([*many, (0.9, 14)], factors) == ("filters",)
    assert sampled([(each[0],) for each in many], {"rate": ()}) == ()
