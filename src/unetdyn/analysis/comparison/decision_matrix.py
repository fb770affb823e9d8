"""What each level of a factor is good at, by the evidence of the runs: the studies' decision matrix, with intervals."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from unetdyn._checks import check_fraction
from unetdyn.analysis.comparison.design import names, usable
from unetdyn.analysis.comparison.level_cells import LevelCells
from unetdyn.analysis.comparison.level_differences import LevelDifference, separate_differences
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.comparison.recommendation import PRIORITIES, Recommendation, recommend
from unetdyn.analysis.comparison.spreads import VARIED
from unetdyn.analysis.comparison.summary import NOT_SETTINGS, RunSummary
from unetdyn.analysis.quoted_table import QuotedTable
from unetdyn.analysis.result import Determinable, Result, interval, number
from unetdyn.analysis.studies_tables import DECISION_MATRIX, OPTIMAL_CONFIGURATIONS, SELECTION_GUIDE

CRITERIA = {
    "performance": ("performance", 1),
    "performance at the end": ("final", 1),
    "σ of the loss": ("stability", -1),
    "epochs to its best": ("peak_epoch", -1),
    "seconds": ("seconds", -1),
    "peak memory": ("memory", -1),
    "parameters": ("parameters", -1),
}
"""Criterion → the attribute of a `RunSummary`, and 1 where more is better or −1 where less is."""

EXACT = ("parameters", "memory")  # what no seed has a part in, as in `recommend`

BEST, LEVEL, BEHIND = "best", "can't be told from the best", "behind"


@dataclass(frozen=True)
class Standing(Determinable):
    """Of one level in one criterion.

    Attributes:
        mean: Over the settings that every level was run with, each of which counts alike; NaN where not recorded.
        low: Lower end of its interval over seeds; NaN where it can't be told.
        high: Upper end.
        runs: How many it is of.
        verdict: `"best"`, `"can't be told from the best"` or `"behind"`; empty where it can't be told.
        reason: In words, why not; empty where it can.
    """

    mean: float
    low: float
    high: float
    runs: int
    verdict: str
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        return [("standing", str(self))]

    def __str__(self) -> str:
        ends = "" if math.isnan(self.low) else f" ({interval(self.low, self.high)})"
        return f"{number(self.mean)}{ends} {self.verdict or '?'}"


@dataclass(frozen=True)
class DecisionMatrix(Result):
    """What `decision_matrix` found.

    Attributes:
        factor: Whose levels are compared.
        levels: In the order of their first run.
        criteria: Criterion → level → `Standing`, of the criteria that are recorded.
        choices: Priority → what `recommend` says of it.
        confidence: Of the intervals.
        excluded: Name → why a run has no part in it.
        tables: What the studies say, and where they contradict themselves.
        notes: What to mind when reading it.
    """

    factor: str
    levels: tuple[Any, ...]
    criteria: dict[str, dict[Any, Standing]]
    choices: dict[str, Recommendation]
    confidence: float
    excluded: dict[str, str]
    tables: tuple[QuotedTable, ...]
    notes: tuple[str, ...]

    def chosen(self, priority: str) -> Any:
        """The level that a priority's choice has; None where there is no choice."""
        best = self.choices[priority].best
        return None if best is None else best.runs[0].factors.get(self.factor)

    def _rows(self) -> list[tuple[str, str]]:
        rows = []
        for criterion, standings in self.criteria.items():
            shown = "; ".join(f"{level}: {standing}" for level, standing in standings.items())
            why = next((s.reason for s in standings.values() if s.reason), "")
            rows.append((criterion, f"{shown}{f' [{why}]' if why else ''}"))
        for priority, choice in self.choices.items():
            if choice.best is not None:
                rows.append((f"for {priority}", f"{self.chosen(priority)} ({choice.best.name}): {choice.verdict}"))
        return rows + left_out(self.excluded, self.notes)

    def __str__(self) -> str:
        return "\n\n".join([super().__str__(), *map(str, self.tables)])

    def _repr_html_(self) -> str:
        return "".join([super()._repr_html_(), *(table._repr_html_() for table in self.tables)])


def decision_matrix(
    runs: Any,
    factor: str = "architecture",
    others: str | Sequence[str] | None = None,
    max_sigma: float | None = None,
    confidence: float = 0.95,
) -> DecisionMatrix:
    """For each level of a factor what it is good at, which levels can't be told apart, and which to take for what.

    Means are over the settings that every level was run with, each counting alike; intervals are Student's, over the
    seeds of each cell. A level is behind where the interval of its difference from the best, for all pairs at once
    (Games–Howell), excludes 0. Memory and numbers of parameters have no chance in them, and are compared as they are.

    What to take is what `recommend` says for each priority, its weights 0.7 of performance and 0.3 of stability among
    them; the matrix of the studies, with what is wrong in it, stands below.

    Args:
        runs: See `as_summaries`.
        factor: Whose levels are compared; default `"architecture"`.
        others: The other settings that make a cell. None (default): every recorded one in which runs differ, but for
            seed, name and directory.
        max_sigma: See `recommend`.
        confidence: Of the intervals.

    Returns:
        A `DecisionMatrix`. Without repeated seeds it has means and no verdicts.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: If no run has the factor or one of `others`, or an argument is out of range.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> values = {"UNet": [0.61, 0.66, 0.63], "AttentionUNet": [0.70, 0.73, 0.71]}
        >>> found = decision_matrix([
        ...     summarise({"val_jaccard": [value]}, f"{name} {seed}", {"architecture": name, "seed": seed})
        ...     for name, several in values.items() for seed, value in enumerate(several)
        ... ])
        >>> for level, standing in found.criteria["performance"].items():
        ...     print(level, standing)
        UNet 0.633 (0.571 to 0.696) behind
        AttentionUNet 0.713 (0.675 to 0.751) best
        >>> found.chosen("performance")
        'AttentionUNet'

    Reference:
        The decision matrix and the weights of the combined score: the studies (docs/studies.md). Intervals: see
        `effect_intervals`.
    """
    check_fraction("confidence", confidence)
    summaries = as_summaries(runs)
    settings = _differing(summaries, factor) if others is None else names(others)
    kept, excluded = usable(summaries, [factor, *settings], "performance")
    criteria, notes = {}, comparison_notes(kept)
    for criterion, (attribute, sign) in CRITERIA.items():
        sound = [run for run in kept if _value(run, attribute) is not None]
        if sound:
            y = np.array([_value(run, attribute) for run in sound], dtype=np.float64)
            cells = LevelCells.of(sound, factor, settings, y)
            criteria[criterion] = _standings(cells, sign, confidence, exact=attribute in EXACT)
            if cells.left_out and cells.settings:
                notes.append(f"{criterion}: {cells.left_out} runs have settings that not every level was run with")
    choices = {
        priority: recommend(kept, priority, max_sigma=max_sigma)
        for priority in (PRIORITIES if kept else ())
        if priority != "sensitivity" or any(name in run.factors for run in kept for name in VARIED)
    }
    return DecisionMatrix(
        factor=factor,
        levels=tuple(dict.fromkeys(run.factors[factor] for run in kept)),
        criteria=criteria,
        choices=choices,
        confidence=confidence,
        excluded=excluded,
        tables=(DECISION_MATRIX, SELECTION_GUIDE, OPTIMAL_CONFIGURATIONS),
        notes=tuple(dict.fromkeys(notes)),
    )


def _differing(summaries: Sequence[RunSummary], factor: str) -> tuple[str, ...]:
    """The other settings that all runs have, and not all the same."""
    known = [name for name in names(name for run in summaries for name in run.factors) if name not in NOT_SETTINGS]
    everywhere = [name for name in known if name != factor and all(name in run.factors for run in summaries)]
    return tuple(name for name in everywhere if len({run.factors[name] for run in summaries}) > 1)


def _value(run: RunSummary, attribute: str) -> float | None:
    """A finite number, or None; epochs counted from 1."""
    value = getattr(run, attribute)
    if value is None or not np.isfinite(value):
        return None
    return float(value) + 1 if attribute == "peak_epoch" else float(value)


def _standings(cells: LevelCells, sign: int, confidence: float, exact: bool) -> dict[Any, Standing]:
    """Level → how it stands to the best in one criterion."""
    nan = float("nan")
    runs = cells.counts.sum(axis=1)
    if not cells.settings:
        return {level: Standing(nan, nan, nan, 0, "", cells.reason) for level in cells.levels}
    estimates = [cells.mean(place) for place in range(len(cells.levels))]
    best = max(range(len(estimates)), key=lambda place: sign * estimates[place].value)
    pairs = {} if exact else {(d.one, d.other): d for d in separate_differences(cells, confidence)}
    untold = cells.reason if len(cells.levels) > 1 else "there is nothing to compare it with"
    if not untold and not exact and not any(pair.determined for pair in pairs.values()):
        untold = next(pair.reason for pair in pairs.values())
    found = {}
    for place, level in enumerate(cells.levels):
        mean, error, df = estimates[place]
        half = float(stats.t.isf((1 - confidence) / 2, df)) * error if error > 0 and not exact else nan
        pair = pairs.get((level, cells.levels[best]), pairs.get((cells.levels[best], level)))
        reason = ""
        if exact:
            verdict = BEST if mean == estimates[best].value else BEHIND
        elif untold:
            verdict, reason = "", untold
        elif place == best:
            verdict = BEST
        else:
            verdict, reason = _verdict(pair)
        found[level] = Standing(mean, mean - half, mean + half, int(runs[place]), verdict, reason)
    return found


def _verdict(pair: LevelDifference | None) -> tuple[str, str]:
    """Of a level that is not the best, and why there is none."""
    if pair is None or not pair.determined:
        return "", "" if pair is None else pair.reason
    return (BEHIND if pair.low > 0 or pair.high < 0 else LEVEL), ""
