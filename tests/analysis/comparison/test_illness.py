"""A run that is ill is ranked, and the ranking says so."""

import numpy as np
import pytest

from planted_runs import healthy
from unetdyn.analysis import as_summaries, best_within, combined_score, diagnose, pareto_front, summarise
from unetdyn.analysis.comparison import illness
from unetdyn.analysis.comparison.illness import why_ill
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.report import ComparisonDisplay
from unetdyn.runs import RunWriter

ILL = healthy(val_jaccard=np.where(np.arange(40) % 4 == 3, 0.0, 0.95))
RUNS = {"well": healthy(), "ill": ILL}


def test_reason_is_the_sentence_of_the_diagnosis():
    found = diagnose(ILL)
    assert found.level == "ill"
    assert why_ill(Evidence.read(ILL)) == found.sentence
    assert why_ill(Evidence.read(healthy())) == ""


def test_causes_are_looked_for_where_the_outcome_is_ill_only(monkeypatch):
    asked = []
    monkeypatch.setattr(illness, "judge", lambda evidence: asked.append(evidence) or diagnose(ILL))
    why_ill(Evidence.read(healthy()))
    assert asked == []
    why_ill(Evidence.read(ILL))
    assert len(asked) == 1


@pytest.mark.parametrize("rank", [combined_score, pareto_front, lambda runs: best_within(runs, max_sigma=1.0)])
def test_every_ranking_names_the_runs_that_are_ill_and_why(rank):
    found = rank(RUNS)
    note = f"ill is ill: {diagnose(ILL).sentence}"
    assert found.notes == (note,)
    (shown,) = (line for line in str(found).splitlines() if line.startswith("note "))
    assert shown.removeprefix("note").strip() == note


def test_ill_run_is_ranked_all_the_same():
    assert list(combined_score(RUNS).scores) == ["ill", "well"]  # its best epoch is the better
    assert ComparisonDisplay.from_runs(RUNS).ranking.notes == combined_score(RUNS).notes


def test_summary_says_it_only_where_asked_and_keeps_it():
    assert summarise(ILL).ill == ""
    judged = summarise(ILL, "mine", judged=True)
    assert judged.ill == diagnose(ILL).sentence
    assert dict(line.split("  ", 1) for line in str(judged).splitlines())["ill"].strip() == judged.ill
    assert [run.ill for run in as_summaries([judged, summarise(ILL, "other")], judged=True)] == [judged.ill, ""]


def test_run_without_an_epoch_is_not_ill(tmp_path):
    assert summarise(RunWriter(tmp_path / "empty").path, judged=True).ill == ""
