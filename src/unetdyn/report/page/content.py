"""What a report says of a run, and of several beside each other; how it looks is the template's."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from unetdyn.analysis import Curves, RunSummary, read_history, summarise
from unetdyn.analysis.diagnosis import Diagnosis, Evidence, Finding, diagnose, findings_of_events
from unetdyn.analysis.recorded_settings import stability_settings
from unetdyn.analysis.result import epoch, number
from unetdyn.report.comparison import ComparisonDisplay
from unetdyn.report.drawing import shared_name
from unetdyn.report.overlay import OverlayDisplay
from unetdyn.report.page import tables
from unetdyn.report.page.evaluation import EvaluationContent, evaluation_content
from unetdyn.report.page.pictures import Picture, picture, pictures_of, predictions_of
from unetdyn.runs import Run

MOST_FULL = 6  # runs of which a report shows every picture: ten times as many would make it slow and large


@dataclass(frozen=True)
class RunContent:
    """One run of a report.

    Attributes:
        name: What it is called.
        anchor: Its id in the page.
        run: The run itself.
        curves: What it logged.
        metric: The metric that performance is read from, without `val_`; None where there is none.
        summary: Its numbers.
        diagnosis: What to think of it.
        event_findings: What its monitors and other events told: what went wrong, where, and what helps.
        evaluation: Its scores; None where it was not evaluated.
        predictions: Pictures of what its model predicts.
        pictures: Its other pictures.
        epochs: Its epochs as a table.
        tested: Name and value of what was measured on the test set.
        configuration: As YAML; empty where none was recorded.
        origin: Name and value: where it is, when it ran, with which versions.
    """

    name: str
    anchor: str
    run: Run
    curves: Curves
    metric: str | None
    summary: RunSummary | None
    diagnosis: Diagnosis
    event_findings: list[Finding]
    evaluation: EvaluationContent | None
    predictions: list[Picture]
    pictures: list[Picture]
    epochs: dict[str, Any]
    tested: list[tuple[str, str]]
    configuration: str
    origin: list[tuple[str, str]]

    @property
    def why_ill(self) -> str:
        """In words, where the run is ill; empty elsewhere."""
        return self.diagnosis.sentence if self.diagnosis.level == "ill" else ""


class Row(NamedTuple):
    """One run in a table of several."""

    anchor: str
    name: str
    diagnosis: Diagnosis
    cells: list[str]


@dataclass(frozen=True)
class Comparison:
    """Several runs beside each other.

    Attributes:
        header: Names of the columns.
        rows: One a run.
        pictures: Of all runs together.
        notes: What makes them hard to compare, or was left out.
    """

    header: list[str]
    rows: list[Row]
    pictures: list[Picture]
    notes: list[str]


def content_of(run: Run, metric: str | None, name: str, anchor: str, most: int | None = None) -> RunContent:
    """Everything that a report says of one run, with so many pictures at most."""
    settings = stability_settings(run.config)
    evidence = Evidence.read(run, metric, **settings)
    curves, chosen = read_history(run), evidence.metric  # of the losses too what the evidence leaves out
    diagnosis = diagnose(evidence)
    summary = summarise(run, name, metric=chosen, **settings) if chosen else None
    best = summary.peak_epoch if summary is not None else None
    return RunContent(
        name=name,
        anchor=anchor,
        run=run,
        curves=curves,
        metric=chosen,
        summary=summary,
        diagnosis=diagnosis,
        event_findings=findings_of_events(evidence),
        evaluation=evaluation_content(run, anchor, full=most is None),
        predictions=predictions_of(run, curves.log_keys, anchor) if most is None else [],
        pictures=pictures_of(run, curves, chosen, settings, anchor, most, diagnosis),
        epochs=tables.epochs_table(run, curves, chosen, best),
        tested=tables.measured_on_the_test_set(run),
        configuration=tables.configuration(run),
        origin=tables.origin(run),
    )


def comparison_of(contents: Sequence[RunContent]) -> Comparison:
    """What there is to say of several runs together."""
    measured = {content.name: content for content in contents if content.metric is not None}
    pictures = []
    notes = [
        f"{content.name} logged no metric of which more is better, and is not ranked."
        for content in contents
        if content.metric is None
    ]
    if measured:
        curves = {name: content.curves.watched(str(content.metric)) for name, content in measured.items()}
        label = shared_name(logged for logged, _ in curves.values())
        overlay = partial(OverlayDisplay, {name: curve for name, (_, curve) in curves.items()}, label)
        # Who is ranked first may be ill all the same: in the picture each name has its diagnosis' symbol.
        named = [
            replace(summarise(each.summary, f"{each.diagnosis.symbol} {name}"), ill=each.why_ill)
            for name, each in measured.items()
        ]
        display = ComparisonDisplay.from_runs(named)
        pictures = [
            picture(overlay, "The metric of all runs", "all-1"),
            picture(lambda: display, "Good and calm", "all-2"),
        ]
        notes += [f"{name} has no score: {why}." for name, why in display.ranking.excluded.items()]
        notes += display.ranking.notes
    if len(contents) > 2:
        notes.append(
            "What made the difference between them, and how sure that is, says unetdyn compare of the same runs."
        )
    if len(contents) > MOST_FULL:
        notes.append(f"Of more than {MOST_FULL} runs, each has its curves only; a report of fewer has every picture.")
    rows = [Row(content.anchor, content.name, content.diagnosis, _cells(content)) for content in contents]
    return Comparison(list(_COLUMNS), rows, pictures, notes)


_COLUMNS = ("best", "at epoch", "at the end", "σ of the loss", "σ over the mean", "epochs", "seconds", "learning rate")


def _cells(content: RunContent) -> list[str]:
    found = content.summary
    if found is None:
        return ["no metric", *[""] * (len(_COLUMNS) - 1)]
    peak = "" if found.peak_epoch is None else epoch(found.peak_epoch)
    variation = found.coefficient_of_variation
    return [
        number(found.performance),
        peak,
        number(found.final),
        number(found.stability),
        "not defined" if np.isnan(variation) else f"{variation:.0%}",
        str(found.epochs),
        number(found.seconds) if found.seconds is not None else "",
        "" if (rate := found.factors.get("learning_rate")) is None else str(rate),
    ]
