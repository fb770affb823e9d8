"""What a search's file may say; what it may not is told in a sentence with its line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unetdyn.sweeps.search_space import Search, labels, read_search, settings
from unetdyn.sweeps.table import SweepError

LEAST = "base: base.yaml\ntrials: 3\nparameters: {fit.batch_size: [4, 8]}\n"


def read(folder, text):
    (folder / "search.yaml").write_text(text)
    return read_search(folder / "search.yaml")


def test_paths_are_beside_the_file_from_wherever_it_is_read(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "deep/search.yaml").write_text(LEAST)
    found = read_search("deep/search.yaml")
    assert found.base == tmp_path / "deep/base.yaml"
    assert found.directory == tmp_path / "deep/searches/search"
    assert read(tmp_path, LEAST + "directory: /elsewhere\n").directory.as_posix() == "/elsewhere"


def test_ranges_of_whole_numbers_stay_whole(tmp_path):
    found = read(tmp_path, LEAST.replace("[4, 8]", "{low: 2, high: 8, step: 2}, a: {low: 1, high: 2.0}"))
    assert found.parameters["fit.batch_size"].is_whole
    assert not found.parameters["a"].is_whole


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("trials: 3", "trials: 0"), r"line 2: `trials`: input should be greater than 0\. Received: 0"),
        (("trials: 3\n", ""), "`trials`: field required"),
        (("trials", "trails"), r"line 2: unknown key 'trails'\. Did you mean 'trials'\?"),
        (("[4, 8]", "[4]"), r"line 3: `parameters\.fit\.batch_size`: .*at least 2 items"),
        (("[4, 8]", "[4, 4]"), r"`parameters.fit.batch_size` must name each choice once; .* Received: \[4, 4\]"),
        (("[4, 8]", "[true, 1]"), "1, 1.0 and true are one to Optuna"),
        (("[4, 8]", "8"), r"`parameters\.fit\.batch_size`.*Received: 8"),
        (("[4, 8]", "{low: 8, high: 4}"), r"`low` must be less than `high`\. Received: low=8, high=4"),
        (("[4, 8]", "{low: true, high: 4}"), r"`low` must be a number, which true and false are not"),
        (("[4, 8]", "{low: 1, high: 4, step: 0.5}"), r"`step` must be whole.*Received: step=0.5"),
        (("[4, 8]", "{low: 0, high: 4, log: true}"), "`log` needs `low` above 0, and no `step`"),
        (("[4, 8]", "{low: 1, high: .inf}"), "finite number"),
        (("fit.batch_size", "seed"), "`seed` is no parameter: each trial has its own"),
        (("base: base.yaml", "base: base.yaml\nobjectives: [speed]"), r"must be one of 'performance', 'stability'"),
        (("base: base.yaml", "base: base.yaml\nobjectives: []"), r"name one objective or several, each once"),
        (("base: base.yaml", "base: base.yaml\nsampler: tbe"), r"`sampler`: .*'tpe'.*Received: 'tbe'"),
        (
            ("base: base.yaml", "base: base.yaml\nobjectives: [performance, seconds]\nsampler: cmaes"),
            "`sampler: cmaes` has one objective",
        ),
        (
            ("base: base.yaml", "base: base.yaml\nobjectives: [performance, seconds]\npruner: median"),
            r"Optuna prunes no search with several objectives.*Received: pruner='median'",
        ),
        (("base: base.yaml", "base: base.yaml\nsampler: cmaes"), "knows ranges only, and no lists"),
        (("base: base.yaml", "base: [base.yaml"), "is not valid YAML: line"),
    ],
)
def test_what_can_not_be_is_refused_with_its_place(tmp_path, change, match):
    with pytest.raises(SweepError, match=match):
        read(tmp_path, LEAST.replace(*change))


@pytest.mark.parametrize("text", ["", "[1, 2]", "text"])
def test_file_without_keys_is_refused(tmp_path, text):
    with pytest.raises(SweepError, match="must hold keys and values"):
        read(tmp_path, text)


def test_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(SweepError, match=r"A search must be a YAML file\. Received: .*none\.yaml: No such file"):
        read_search(tmp_path / "none.yaml")


CHOICE = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3) | st.lists(st.integers(0, 9), max_size=3)


@given(st.lists(CHOICE, min_size=2, max_size=6, unique_by=repr))
def test_choices_come_back_as_they_were_given(choices):
    try:
        search = Search(base="b.yaml", trials=1, parameters={"key": choices})
    except ValueError as error:
        assert "must name each choice once" in str(error)  # noqa: PT017
        return
    known = labels(search.parameters["key"])
    assert len(known) == len(choices)
    assert [repr(settings(search, {"key": label})["key"]) for label in known] == [repr(each) for each in choices]


def test_identity_is_of_what_is_searched_not_of_how_long(tmp_path):
    first = read(tmp_path, LEAST)
    assert first.identity("x") == read(tmp_path, LEAST.replace("3", "9") + "storage: grpc://a:1\n").identity("x")
    assert first.identity("x") != first.identity("y")
    assert first.identity("x") != read(tmp_path, LEAST + "seeds: 2\n").identity("x")
