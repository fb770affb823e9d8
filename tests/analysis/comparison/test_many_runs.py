"""Several runs at once: names that differ, a single run refused, and what makes runs hard to compare."""

import numpy as np
import pytest

from unetdyn.analysis import RunSummary, as_summaries, read_history, summarise
from unetdyn.analysis.comparison.many_runs import comparison_notes, left_out


def history(jaccard, loss=None):
    return {"val_jaccard": jaccard} | ({} if loss is None else {"val_loss": loss})


def test_as_summaries_gives_each_run_a_name_of_its_own():
    one = history([0.5])
    assert [run.name for run in as_summaries([one, one, summarise(one, "history (2)")])] == [
        "history",
        "history (2)",
        "history (2) (2)",
    ]
    assert [run.name for run in as_summaries({"a": one, "b": one})] == ["a", "b"]


def test_as_summaries_tells_files_of_one_name_apart_by_their_folder(tmp_path):
    paths = [tmp_path / folder / "log.csv" for folder in ("first", "second")]
    for path in paths:
        path.parent.mkdir()
        path.write_text("epoch,val_jaccard\n0,0.5\n")
    assert [run.name for run in as_summaries([*paths, str(paths[0])])] == [
        "first/log.csv",
        "second/log.csv",
        "first/log.csv (2)",
    ]
    assert [run.name for run in as_summaries(paths[:1])] == ["log.csv"]


@pytest.mark.parametrize(
    "runs",
    [
        "runs/first",
        3,
        RunSummary(*[None] * 13),
        read_history(history([0.5])),
        history([0.5], [0.1]),
        history(np.array([0.5])),
    ],
)
def test_as_summaries_refuses_a_single_run(runs):
    with pytest.raises(TypeError, match=r"`runs` must be a sequence of runs.*put a single one in a list. Received: "):
        as_summaries(runs)


def test_comparison_notes_tell_of_different_metrics():
    runs = [summarise({"val_jaccard": [0.5], "val_loss": [0.1]}), summarise({"dice": [0.5], "loss": [0.1]})]
    assert comparison_notes(runs) == [
        "the performance is not of one thing: val_jaccard in some runs, dice in others",
        "the stability is not of one thing: val_loss in some runs, loss in others",
    ]
    assert comparison_notes(runs[:1]) == []


def test_many_runs_left_out_for_one_reason_are_counted():
    rows = left_out(dict.fromkeys("abcdef", "no σ"), [])
    assert rows == [("left out", "a, b, c, d and 2 more: no σ")]
