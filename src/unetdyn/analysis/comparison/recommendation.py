"""Which settings to take, from the user's own runs, and how sure that is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from unetdyn._checks import check_choice, check_fraction, check_positive
from unetdyn.analysis.comparison.choices import Choice, choices, evidence, good_enough
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.comparison.ranking import WEIGHTS, combined_score
from unetdyn.analysis.comparison.summary import RunSummary
from unetdyn.analysis.result import Determinable, interval, number

PRIORITIES = ("performance", "stability", "balanced", "memory", "speed")
TOLERANCE = 0.05

_CRITERIA = {
    "performance": "highest performance",
    "stability": "smallest σ of the loss",
    "balanced": f"highest {WEIGHTS[0]} · J / max J + {WEIGHTS[1]} · (1 − σ / max σ)",
    "memory": "least memory",
    "speed": "least time",
}
_FEWEST = "fewest parameters, as not every run has its memory recorded"
_WORDS = {
    "performance": "its performance",
    "stability": "its σ",
    "memory": "its memory in bytes",
    "parameters": "its number of parameters",
    "seconds": "its time",
}


class Record(NamedTuple):
    """A statement and where it is from.

    Attributes:
        topics: The priorities it bears on.
        statement: What was found.
        origin: Who found it, or what was counted.
    """

    topics: tuple[str, ...]
    statement: str
    origin: str


_STUDIES = "the studies this project grew from"
_TUTORIALS = "the tutorial models, variant='bnsreenu', 64 filters, one channel, counted by this project's tests"

ON_RECORD = (
    Record(
        ("stability", "balanced"),
        "a learning rate of 1e-3 in place of 1e-2: the variance of an update is 100 times lower",
        _STUDIES,
    ),
    Record(("stability", "balanced"), "a batch of 16 in place of 8: 2 times lower; both together, 200 times", _STUDIES),
    Record(
        ("performance", "stability", "balanced"),
        "the Jaccard index counted on thresholded predictions, in place of the soft one",
        _STUDIES,
    ),
    Record(("memory",), "UNet has 31.4 million parameters", _TUTORIALS),
    Record(("memory",), "Attention U-Net has 37.3 million parameters", _TUTORIALS),
    Record(("memory",), "Attention ResUNet has 39.1 million parameters", _TUTORIALS),
)
"""What the studies found and what was counted: what is quoted where a user has no runs of their own."""


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
        records: What is on record, where there are no runs; empty otherwise.
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
    records: tuple[Record, ...] = ()
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
        rows += [("on record", f"{record.statement} [{record.origin}]") for record in self.records]
        return rows + left_out(self.excluded, self.notes)

    def _value(self, choice: Choice) -> str:
        """The criterion's value where the choice's own line does not have it."""
        if self.priority in ("performance", "stability"):
            return ""
        if self.priority == "balanced":
            return f", score {number(choice.value)}"
        if self.priority == "speed":
            return f", {number(choice.value)} seconds"
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
    """Which settings to take, from the user's own runs, with the evidence for it.

    Runs whose `factors` differ in the seed alone are one choice, and its value is their mean. Choices are ordered by
    the priority: the highest performance; the smallest σ; the highest `combined_score`; the least memory (parameters
    where not every run has its memory recorded); the least time. The winner is compared with the runner-up by Welch's t
    over the seeds (except for memory, which does not depend on the seed). As the winner was picked by the same runs,
    that interval flatters it: repeat the two with new seeds where much depends on it.

    Args:
        runs: See `as_summaries`. Without any, what is on record (`ON_RECORD`) is quoted instead. That is little: the
            studies' decision matrix itself is not part of it, and it holds nothing of the time of a training.
        priority: `"performance"`, `"stability"`, `"balanced"` (default), `"memory"` or `"speed"`.
        max_sigma: Only runs with σ below it; None (default): any.
        max_memory: Only runs with at most so many bytes; None (default): any.
        max_seconds: Only runs that took at most so long; None (default): any.
        tolerance: For `"stability"`, `"memory"` and `"speed"`: how much less than the best mean performance is still
            good enough, as a fraction from 0 to 1. A model that predicts nothing is stable, small and fast; hence 0.05,
            a convention.

    Returns:
        A `Recommendation`. Without repeated seeds it still names the best, and says that one run each can't tell.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: If `priority` is unknown, or a bound or `tolerance` is out of range.

    Example:
        >>> runs = {"a": {"val_jaccard": [0.61]}, "b": {"val_jaccard": [0.58]}}
        >>> print(recommend(runs, priority="performance"))
        priority   performance: highest performance
        take       a: performance 0.61, σ not defined
        runner-up  b: performance 0.58, σ not defined
        how sure   undetermined: one run each can't tell: repeat both with other seeds
        >>> print(recommend(priority="memory").records[0].statement)
        UNet has 31.4 million parameters

    Reference:
        The studies (docs/studies.md) had such a decision matrix, which is not on record here. Welch (1947) for the
        comparison.
    """
    check_choice("priority", priority, PRIORITIES)
    bounds = {"stability": max_sigma, "memory": max_memory, "seconds": max_seconds}
    _check(bounds, tolerance)
    summaries = as_summaries(runs)
    if not summaries:
        return _quote(priority)
    needed = _needed(priority, summaries)
    kept, excluded = _eligible(summaries, needed, bounds)
    found = choices(kept, _criterion(priority, needed[-1], kept))
    more = priority in ("performance", "balanced")
    if not more:
        found, worse = good_enough(found, tolerance)
        excluded |= worse
    ranked = sorted(found, key=lambda choice: (-choice.value if more else choice.value, -choice.performance))
    best, second = [*ranked, None, None][:2]
    criterion = _FEWEST if needed[-1] == "parameters" else _CRITERIA[priority]
    shown = evidence(best, second, 1 if more else -1, exact=priority == "memory")
    return Recommendation(priority, criterion, best, second, *shown, excluded, notes=tuple(comparison_notes(kept)))


def _check(bounds: dict[str, float | None], tolerance: float) -> None:
    for name, argument in (("stability", "max_sigma"), ("memory", "max_memory"), ("seconds", "max_seconds")):
        bound = bounds[name]
        if bound is not None:
            check_positive(argument, bound, "or None for any")
    check_fraction("tolerance", tolerance, zero=True, one=True)


def _quote(priority: str) -> Recommendation:
    records = tuple(record for record in ON_RECORD if priority in record.topics)
    nan = float("nan")
    held = "this is what is on record, not from your data" if records else "nothing is on record that bears on this"
    reason = f"there are no runs of yours: {held}; the studies' decision matrix itself is not on record here"
    return Recommendation(priority, _CRITERIA[priority], None, None, nan, nan, nan, False, "", reason, {}, records)


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
    return lambda run: scores.get(run.name, 0.0)


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
