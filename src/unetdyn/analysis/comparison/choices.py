"""Choices of settings, each with its runs that differ in their seed alone, and how sure the better of two is."""

from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from unetdyn.analysis.comparison.summary import NOT_SETTINGS, RunSummary
from unetdyn.analysis.result import number


@dataclass(frozen=True)
class Choice:
    """Runs that differ in their seed alone; for the priority "sensitivity", in learning rate and batch size too.

    Attributes:
        name: That of the first run; for "sensitivity" the architecture's, where that tells models apart.
        runs: All of them.
        values: `(runs,)` of the criterion by which choices are compared; for "sensitivity" `(seeds,)`.
    """

    name: str
    runs: tuple[RunSummary, ...]
    values: tuple[float, ...]

    @property
    def value(self) -> float:
        """The mean of the criterion."""
        return float(np.mean(self.values))

    @property
    def performance(self) -> float:
        """The mean performance."""
        return float(np.mean([run.performance for run in self.runs]))

    def __str__(self) -> str:
        of = "" if len(self.runs) == 1 else f"mean of {len(self.runs)} runs: "
        sigma = float(np.mean([run.stability for run in self.runs]))
        return f"{self.name}: {of}performance {number(self.performance)}, σ {number(sigma)}"


class Evidence(NamedTuple):
    """How the better of two choices compares with the other.

    Attributes:
        difference: How much better its mean is, ≥ 0; NaN where there is no other.
        low: Lower end of the 95 % interval; NaN where there is none.
        high: Upper end.
        decided: Whether the interval lies above 0; False too where it can't be told.
        evidence: The same in words; empty where it can't be told.
        reason: In words, why it can't be told; empty where it can.
    """

    difference: float
    low: float
    high: float
    decided: bool
    evidence: str
    reason: str


def choices(runs: Sequence[RunSummary], value: Callable[[RunSummary], float]) -> list[Choice]:
    """Runs by their settings; a run without recorded settings is a choice of its own.

    >>> from unetdyn.analysis.comparison.summary import summarise
    >>> logs = {"val_jaccard": [0.5]}
    >>> runs = [summarise(logs, f"run {s}", factors={"filters": 8, "seed": s}) for s in (0, 1)]
    >>> [str(choice) for choice in choices(runs, lambda run: run.performance)]
    ['run 0: mean of 2 runs: performance 0.5, σ not defined']
    """
    groups = grouped(runs, lambda run: settings(run) or run.name)
    return [Choice(group[0].name, tuple(group), tuple(map(value, group))) for group in groups.values()]


def settings(run: RunSummary, but: Container[str] = ()) -> tuple[tuple[str, str], ...]:
    """What a run was made with, seed and name apart, and what else is named."""
    kept = ((name, repr(value)) for name, value in run.factors.items() if name not in NOT_SETTINGS and name not in but)
    return tuple(sorted(kept))


def grouped(runs: Iterable[RunSummary], key: Callable[[RunSummary], Any]) -> dict[Any, list[RunSummary]]:
    """Runs by a key, in the order in which each first appears."""
    groups: dict[Any, list[RunSummary]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    return groups


def cells(
    runs: Iterable[RunSummary], factors: Sequence[str] | None = None, but: Container[str] = ()
) -> list[list[RunSummary]]:
    """Runs that differ in their seed alone and in what `but` names, or in anything but some factors, as each appears.

    >>> from unetdyn.analysis.comparison.summary import summarise
    >>> made = [(8, 2), (8, 3), (16, 2)]
    >>> runs = [summarise({"val_jaccard": [0.5]}, factors={"filters": f, "depth": d}) for f, d in made]
    >>> len(cells(runs)), len(cells(runs, ["filters"]))
    (3, 2)
    """
    if factors is None:
        return list(grouped(runs, lambda run: settings(run, but) or run.name).values())
    return list(grouped(runs, lambda run: tuple(run.factors[name] for name in factors)).values())


def good_enough(
    found: Sequence[Choice],
    tolerance: float,
    performance: Callable[[Choice], float] = lambda choice: choice.performance,
    words: str = "its settings' performance",
) -> tuple[list[Choice], dict[str, str]]:
    """The choices within `tolerance` of the best performance, and name → why of the other runs."""
    best = max(map(performance, found), default=0.0)
    least = best - tolerance * abs(best)
    kept = [choice for choice in found if performance(choice) >= least]
    below = f"is more than {100 * tolerance:g} % below the best"
    return kept, {
        run.name: f"{words} {number(performance(choice))} {below}"
        for choice in found
        if choice not in kept
        for run in choice.runs
    }


def evidence(best: Choice | None, second: Choice | None, sign: int, exact: bool = False, of: str = "run") -> Evidence:
    """Whether the best's lead is larger than the scatter over seeds: Welch's t interval of the difference of means.

    Args:
        best: The first; None where no run was eligible.
        second: The next; None where there is only one.
        sign: 1 where more is better, -1 where less is.
        exact: Whether the criterion does not depend on the seed, as a number of parameters doesn't.
        of: What each value is of, in the singular.
    """
    nan = float("nan")
    if best is None:
        return Evidence(nan, nan, nan, False, "", "no run has what was asked for: see why each was left out")
    if second is None:
        return Evidence(nan, nan, nan, False, "", "there is nothing to compare it with")
    one, two = sign * np.array(best.values), sign * np.array(second.values)
    difference = float(one.mean() - two.mean())
    if exact:
        sure = "the seed has no part in it; whether the performance is good enough, only repeated seeds can tell"
        return Evidence(difference, nan, nan, difference > 0, sure if difference > 0 else "both need the same", "")
    reason = ""
    if max(len(one), len(two)) == 1:
        reason = f"one {of} each can't tell: repeat both with other seeds"
    elif min(len(one), len(two)) == 1:
        reason = f"one {of} of either can't tell: repeat it with other seeds"
    elif np.ptp(one) == 0 and np.ptp(two) == 0:
        reason = f"the repeated {of}s do not differ at all, which tells nothing"
    if reason:
        return Evidence(difference, nan, nan, False, "", reason)
    low, high = map(float, stats.ttest_ind(one, two, equal_var=False).confidence_interval(0.95))
    larger = "the difference is larger than the scatter over seeds explains"
    either = "the scatter over seeds explains the difference: either may win"
    return Evidence(difference, low, high, low > 0, larger if low > 0 else either, "")
