"""Which settings to take, from the user's own runs, and how sure that is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unetdyn._checks import check_choice, check_fraction, check_positive
from unetdyn.analysis.comparison.choices import Choice, choices, evidence, good_enough
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.comparison.quotations import QUOTATIONS
from unetdyn.analysis.comparison.ranking import WEIGHTS, combined_score
from unetdyn.analysis.comparison.spreads import best_performance, pairs, spread_choices
from unetdyn.analysis.comparison.summary import RunSummary
from unetdyn.analysis.quoted_table import QuotedTable
from unetdyn.analysis.result import Determinable, interval, number

PRIORITIES = ("performance", "stability", "balanced", "memory", "speed", "sensitivity")
TOLERANCE = 0.05

_CRITERIA = {
    "performance": "highest performance",
    "stability": "smallest σ of the loss",
    "balanced": f"highest combined score, {WEIGHTS[0]} of performance and {WEIGHTS[1]} of stability",
    "memory": "least memory",
    "speed": "least time",
    "sensitivity": "smallest spread of performance over learning rates and batch sizes",
}
_FEWEST = "fewest parameters, as not every run has its memory recorded"
_WORDS = {
    "performance": "its performance",
    "stability": "its σ",
    "memory": "its memory in bytes",
    "parameters": "its number of parameters",
    "seconds": "its time",
}


@dataclass(frozen=True)
class Recommendation(Determinable):
    """What `recommend` found.

    Attributes:
        priority: What was asked for.
        criterion: By what the runs were ordered, in words.
        best: The winner, a `Choice`; None where there is none.
        runner_up: The next; None where there is none.
        difference: How much better the winner's mean is in the criterion, ≥ 0; NaN without a runner-up.
        low: Lower end of the difference's 95 % interval; NaN with fewer than two seeds on either side.
        high: Upper end.
        decided: Whether that interval lies above 0; False too where it can't be told.
        evidence: The same in words; empty where undetermined.
        reason: In words, why the runs can't tell which is better; empty where they can.
        excluded: Name → why a run was not eligible.
        tables: What the studies found that bears on it, beside your own runs or in their place.
        notes: What makes these runs hard to compare.
    """

    priority: str
    criterion: str
    best: Choice | None
    runner_up: Choice | None
    difference: float
    low: float
    high: float
    decided: bool
    evidence: str
    reason: str
    excluded: dict[str, str]
    tables: tuple[QuotedTable, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> str:
        """The evidence, or why there is none."""
        return self.evidence or self.reason

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("priority", f"{self.priority}: {self.criterion}")]
        for label, choice in (("take", self.best), ("runner-up", self.runner_up)):
            if choice is not None:
                rows.append((label, f"{choice}{self._value(choice)}"))
        if not np.isnan(self.low):
            rows.append(("difference", f"{number(self.difference)} ({interval(self.low, self.high)})"))
        rows.append(("how sure", self._if_determined(self.evidence)))
        return rows + left_out(self.excluded, self.notes)

    def __str__(self) -> str:
        return "\n\n".join([super().__str__(), *map(str, self.tables)])

    def _repr_html_(self) -> str:
        return "".join([super()._repr_html_(), *(table._repr_html_() for table in self.tables)])

    def _value(self, choice: Choice) -> str:
        """The criterion's value where the choice's own line does not have it."""
        if self.priority in ("performance", "stability"):
            return ""
        if self.priority == "balanced":
            return f", score {number(choice.value)}"
        if self.priority == "speed":
            return f", {number(choice.value)} seconds"
        if self.priority == "sensitivity":
            return f", spread {number(choice.value)} over {pairs(choice)} settings"
        if self.criterion == _FEWEST:
            return f", {choice.value:,.0f} parameters"
        return f", {choice.value / 2**20:,.0f} MiB"


def recommend(
    runs: Any = (),
    priority: str = "balanced",
    max_sigma: float | None = None,
    max_memory: float | None = None,
    max_seconds: float | None = None,
    tolerance: float = TOLERANCE,
) -> Recommendation:
    """Which settings to take, from the user's own runs, with the evidence for it, beside what the studies found.

    Runs whose `factors` differ in the seed alone are one choice, and its value is their mean. Choices are ordered by
    the priority: the highest performance; the smallest σ; the highest `combined_score`; the least memory (parameters
    where not every run has its memory recorded); the least time. The winner is compared with the runner-up by Welch's t
    over the seeds (except for memory, which does not depend on the seed). As the winner was picked by the same runs,
    that interval flatters it: repeat the two with new seeds where much depends on it.

    `"sensitivity"` asks, as a row of the studies' decision matrix does, which model depends least on its
    hyperparameters. There a choice is a model at several learning rates and batch sizes, its value max J − min J over
    those pairs of the two that every model was trained with, and the evidence is over seeds that have all of them. A
    larger scatter over seeds widens a spread too. Whether a model is good enough is told by its best pair; what a
    tenfold learning rate does, by `unetdyn.analysis.sensitivity`.

    Args:
        runs: See `as_summaries`. Without any, there are the tables of the studies alone.
        priority: `"performance"`, `"stability"`, `"balanced"` (default), `"memory"`, `"speed"` or `"sensitivity"`.
        max_sigma: Only runs with σ below it; None (default): any.
        max_memory: Only runs with at most so many bytes; None (default): any.
        max_seconds: Only runs that took at most so long; None (default): any.
        tolerance: For all but `"performance"` and `"balanced"`: how much less than the best mean performance is still
            good enough, as a fraction from 0 to 1. A model that predicts nothing is stable and small, whatever its
            settings; hence 0.05, a convention.

    Returns:
        A `Recommendation`. Without repeated seeds it still names the best, and says that one run each can't tell. Its
        `tables` are what the studies found on other data: where your runs say otherwise, go by your runs.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: If `priority` is unknown, or a bound or `tolerance` is out of range.

    Example:
        >>> runs = {"a": {"val_jaccard": [0.61]}, "b": {"val_jaccard": [0.58]}}
        >>> found = recommend(runs, priority="performance")
        >>> found.best.name, found.verdict
        ('a', "one run each can't tell: repeat both with other seeds")
        >>> print(recommend(priority="memory"))
        priority  memory: least memory
        how sure  undetermined: there are no runs of yours: what follows is not from your data
        <BLANKLINE>
        Decision matrix [the studies: training dynamics, architecture selection strategy]
        requirement        Standard U-Net  Attention U-Net  Attention ResU-Net
        memory efficiency  yes             partly           no
        <BLANKLINE>
        Parameters [counted by this project's tests]
        architecture        millions
        Standard U-Net      31.4
        Attention U-Net     37.3
        Attention ResU-Net  39.1
        note: The tutorial models, variant='bnsreenu', with 64 filters and one channel.

    Reference:
        Tables and priorities: the studies (docs/studies.md). The comparison: Welch, The generalization of "Student's"
        problem when several different population variances are involved (1947).
    """
    check_choice("priority", priority, PRIORITIES)
    bounds = {"stability": max_sigma, "memory": max_memory, "seconds": max_seconds}
    _check(bounds, tolerance)
    summaries = as_summaries(runs)
    if not summaries:
        return _without_runs(priority)
    needed = _needed(priority, summaries)
    kept, excluded = _eligible(summaries, needed, bounds)
    more = priority in ("performance", "balanced")
    worse: dict[str, str] = {}
    if priority == "sensitivity":
        found, lacking = spread_choices(kept)
        found, worse = good_enough(found, tolerance, best_performance, "its model's best performance")
        excluded |= lacking
    else:
        found = choices(kept, _criterion(priority, needed[-1], kept))
        if not more:
            found, worse = good_enough(found, tolerance)
    excluded |= worse
    ranked = sorted(found, key=lambda choice: (-choice.value if more else choice.value, -choice.performance))
    best, second = [*ranked, None, None][:2]
    criterion = _FEWEST if needed[-1] == "parameters" else _CRITERIA[priority]
    of = "seed" if priority == "sensitivity" else "run"
    shown = evidence(best, second, 1 if more else -1, exact=priority == "memory", of=of)
    notes = tuple(comparison_notes(kept))
    return Recommendation(priority, criterion, best, second, *shown, excluded, QUOTATIONS[priority], notes)


def _check(bounds: dict[str, float | None], tolerance: float) -> None:
    for name, argument in (("stability", "max_sigma"), ("memory", "max_memory"), ("seconds", "max_seconds")):
        bound = bounds[name]
        if bound is not None:
            check_positive(argument, bound, "or None for any")
    check_fraction("tolerance", tolerance, zero=True, one=True)


def _without_runs(priority: str) -> Recommendation:
    nan = float("nan")
    reason = "there are no runs of yours: what follows is not from your data"
    tables = QUOTATIONS[priority]
    return Recommendation(priority, _CRITERIA[priority], None, None, nan, nan, nan, False, "", reason, {}, tables)


def _needed(priority: str, summaries: Sequence[RunSummary]) -> list[str]:
    """The numbers that a run must have for the priority, the one that it orders by last."""
    if priority == "memory":
        measured = all(run.memory is not None for run in summaries)
        return ["performance", "memory" if measured else "parameters"]
    last = {"speed": ["seconds"], "stability": ["stability"], "balanced": ["stability"]}
    return ["performance", *last.get(priority, [])]


def _criterion(priority: str, attribute: str, kept: Sequence[RunSummary]) -> Callable[[RunSummary], float]:
    """What of a run its choice is ordered by."""
    if priority != "balanced":
        return lambda run: float(getattr(run, attribute))
    scores = combined_score(kept).scores
    return lambda run: scores[run.name]


def _eligible(
    summaries: Sequence[RunSummary], needed: Sequence[str], bounds: dict[str, float | None]
) -> tuple[list[RunSummary], dict[str, str]]:
    """The runs that have what is asked for and keep the bounds, and name → why of the others."""
    kept, excluded = [], {}
    for run in summaries:
        reasons = [f"{_WORDS[name]} is not recorded" for name in needed if _value(run, name) is None]
        for name, bound in bounds.items():
            value = _value(run, name)
            if bound is None:
                continue
            if value is None:
                reasons.append(f"{_WORDS[name]} is not recorded")
            elif name == "stability" and not value < bound:
                reasons.append(f"{_WORDS[name]} {number(value)} is not below {number(bound)}")
            elif value > bound:
                reasons.append(f"{_WORDS[name]} {number(value)} is above {number(bound)}")
        if reasons:
            excluded[run.name] = "; ".join(dict.fromkeys([*reasons, *run.notes]))
        else:
            kept.append(run)
    return kept, excluded


def _value(run: RunSummary, attribute: str) -> float | None:
    value = getattr(run, attribute)
    return None if value is None or not np.isfinite(value) else float(value)
