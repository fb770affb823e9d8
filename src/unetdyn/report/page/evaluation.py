"""What a report says of a run's evaluation: tables and pictures. It judges nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from unetdyn.analysis.result import interval, number
from unetdyn.evaluation import Estimate, Evaluation, RunEvaluation, evaluation_of
from unetdyn.evaluation.record import DISTANCES
from unetdyn.report.calibration import CalibrationDisplay
from unetdyn.report.page.pictures import Make, Picture, picture
from unetdyn.report.section_scores import SectionScoresDisplay
from unetdyn.report.sections import SectionsDisplay
from unetdyn.report.six_ious import SixIousDisplay
from unetdyn.report.threshold import ThresholdDisplay
from unetdyn.report.threshold_choice import ThresholdChoiceDisplay
from unetdyn.runs import Run, RunError

MOST_SECTIONS = 30
"""Rows; the worst come first, and the file has them all."""

_COLUMNS = (
    *("jaccard", "dice", "precision", "recall", "hd95", "assd", "nsd", "f1", "pq"),
    *("true", "predicted", "splits", "merges", "object"),
)
_NAMES = {
    "jaccard": "Jaccard",
    "dice": "Dice",
    "hausdorff": "Hausdorff",
    "hd95": "HD95",
    "assd": "ASSD",
    "nsd": "NSD",
    "pq": "PQ",
    "sq": "SQ, of PQ",
    "rq": "RQ, of PQ",
    "f1": "F1",
    "area_bias": "Area bias",
    "area_error": "Area error",
    "true": "objects",
    "object": "state",
}


@dataclass(frozen=True)
class EvaluationContent:
    """The evaluation in a report.

    Attributes:
        rows: Name and text: of what, with which threshold, how it was predicted.
        scores: Of all sections: name, value, interval, n.
        ious: The six IoUs: name, value, interval, meaning.
        header: Of the table of sections.
        sections: A row each: its name and texts, the worst first.
        note: What the table leaves out; may be empty.
        worst: The sections that score worst, drawn; None where no pictures are kept.
        pictures: The others.
        damage: Why it can't be shown, instead of all that; empty where it can.
    """

    rows: list[tuple[str, str]]
    scores: list[tuple[str, ...]]
    ious: list[tuple[str, ...]]
    header: list[str]
    sections: list[tuple[str, list[str]]]
    note: str
    worst: Picture | None
    pictures: list[Picture]
    damage: str = ""


def evaluation_content(run: Run, prefix: str, full: bool = True) -> EvaluationContent | None:
    """What there is to say; None where the run was not evaluated.

    Args:
        run: The run.
        prefix: Begins the ids in the pictures.
        full: Whether pictures are drawn.
    """
    try:
        found = evaluation_of(run)
        return None if found is None else _content(found, prefix, full)
    except (OSError, RunError) as error:
        return EvaluationContent([], [], [], [], [], "", None, [], str(error))


def _content(found: RunEvaluation, prefix: str, full: bool) -> EvaluationContent:
    header, sections, note = _sections(found.found)
    drawn = _displays(found) if full else ()
    return EvaluationContent(
        rows=_origin(found),
        scores=[_score(name, each, found.found) for name, each in found.found.whole.items()] + _calibration(found),
        ious=[(name.replace("_", " "), *_value(each), meaning) for name, each, meaning in found.found.ious.table()],
        header=header,
        sections=sections,
        note=note,
        worst=_worst(found, f"{prefix}-evaluation-worst") if full else None,
        pictures=[picture(make, title, f"{prefix}-evaluation-{place}") for place, (title, make) in enumerate(drawn)],
    )


def _worst(found: RunEvaluation, name: str) -> Picture | None:
    if found.pictures is None:
        return None
    make = partial(SectionsDisplay.from_pictures, found.pictures, found.found.threshold)
    return picture(make, "The sections that score worst", name)


def _displays(found: RunEvaluation) -> Iterator[tuple[str, Make]]:
    yield "Scores of each section", partial(SectionScoresDisplay.from_evaluation, found.found)
    if found.validation is not None:
        yield "The threshold", partial(ThresholdChoiceDisplay.from_evaluation, found)
    else:
        yield "The threshold", partial(ThresholdDisplay, found.found.thresholds)
    yield "Calibration", partial(CalibrationDisplay.from_evaluation, found.found, found.of)
    yield "Six IoUs", partial(SixIousDisplay.from_evaluation, found.found)


def _origin(found: RunEvaluation) -> list[tuple[str, str]]:
    evaluation, settings = found.found, found.settings
    rows = [("sections", f"{len(evaluation.sections)} of {found.of}"), ("threshold", found.threshold_in_words)]
    if found.validation is not None:
        best, n = found.validation.thresholds.best_jaccard, len(found.validation.sections)
        rows.append(("on validation", f"Jaccard {number(best)} at the best threshold, n = {n}"))
        rows.append(("at threshold 0.5", f"Jaccard {number(evaluation.thresholds.jaccard_at_half)}"))
    rows += [(name, _told(settings[name])) for name in settings if settings[name] is not None]
    spacing = " × ".join(f"{side:g}" for side in evaluation.spacing)
    rows.append(("spacing", f"{spacing} {evaluation.unit}".strip()))
    words = {"perfect": "score 1", "skip": "have no score"}
    rows.append(("empty sections", words[evaluation.empty]))
    infinite = {"inf": "infinite", "diagonal": "the diagonal of a section"}
    rows.append(("distance of missed objects", infinite[evaluation.missed]))
    return [*rows, ("made", found.made)]


def _told(value: object) -> str:
    return " × ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _score(name: str, estimate: Estimate, evaluation: Evaluation) -> tuple[str, ...]:
    label = _NAMES.get(name, name.capitalize())
    if name in DISTANCES and evaluation.unit:
        label = f"{label}, {evaluation.unit}"
    if name == "nsd":
        label = f"{label} within {evaluation.tolerance:g} {evaluation.unit}"
    return (label, *_value(estimate), _counted(estimate))


def _calibration(found: RunEvaluation) -> list[tuple[str, ...]]:
    named = (("ECE", found.found.calibration.ece), ("Brier score", found.found.calibration.brier))
    return [(name, *_value(each), _counted(each)) for name, each in named]


def _value(estimate: Estimate) -> tuple[str, str]:
    ends = "none" if math.isnan(estimate.low) else interval(estimate.low, estimate.high)
    return number(estimate.value), f"{ends}: {estimate.reason}" if estimate.reason else ends


def _counted(estimate: Estimate) -> str:
    return f"{estimate.n}" + (f", {estimate.left_out} without" if estimate.left_out else "")


def _sections(evaluation: Evaluation) -> tuple[list[str], list[tuple[str, list[str]]], str]:
    worst = evaluation.worst(len(evaluation.sections))
    ordered = worst + [each for each in evaluation.sections if not any(each is other for other in worst)]
    rows = [each.row() for each in ordered[:MOST_SECTIONS]]
    columns = [name for name in _COLUMNS if any(name in row for row in rows)]
    cells = [(str(row["name"]), [_cell(row.get(name)) for name in columns]) for row in rows]
    left = len(ordered) - len(rows)
    note = f"{left} of {len(ordered)} sections are left out here; evaluation.json has them all." if left else ""
    return [_NAMES.get(name, name) for name in columns], cells, note


def _cell(value: object) -> str:
    if isinstance(value, float):
        return number(value)
    return "" if value is None else str(value)
