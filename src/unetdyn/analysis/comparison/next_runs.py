"""What more runs would buy: how much narrower intervals get, and when the best is told from the second."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from unetdyn._checks import check_count, check_fraction, check_positive
from unetdyn.analysis.comparison.block_effects import without_block_effects
from unetdyn.analysis.comparison.choices import cells, settings
from unetdyn.analysis.comparison.design import LESS_IS_BETTER, names, responses, usable
from unetdyn.analysis.comparison.detectable_differences import detectable, seeds_needed
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.result import Determinable, Result, number


@dataclass(frozen=True)
class Precision(Result):
    """What a number of runs can tell.

    Attributes:
        seeds: Of each cell that is compared; the harmonic mean where they differ.
        runs: In all.
        half_width: Of the 95 % interval of the difference between two cells.
        smallest_difference: Between two cells that is found in four of five cases.
        of_levels: Factor → the same between two of its levels, each over all settings of the others.
    """

    seeds: float
    runs: int
    half_width: float
    smallest_difference: float
    of_levels: dict[str, float]

    def _rows(self) -> list[tuple[str, str]]:
        return [("precision", str(self))]

    def __str__(self) -> str:
        levels = "".join(f"; {name} {number(value, 2)}" for name, value in self.of_levels.items())
        cells = f"± {number(self.half_width, 2)}, differences of {number(self.smallest_difference, 2)}"
        return f"{number(self.seeds)} seeds: {cells} between two cells{levels}"


@dataclass(frozen=True)
class NextRuns(Determinable):
    """What `next_runs` found.

    Attributes:
        sigma: The standard deviation over seeds, pooled over the cells; NaN where not defined.
        df: Its degrees of freedom.
        cells: How many there are.
        seconds_per_run: The mean, as recorded or given; NaN where neither.
        runs_per_day: How many that makes, `jobs` at once.
        response: What was analysed.
        excluded: Name → why a run was left out.
        now: The precision of the runs there are; None where there is none.
        after_all: With a day of further seeds for all cells alike.
        after_two: With a day of further seeds for the best and the second alone.
        lead: By how much the best mean is better than the second; NaN where not defined.
        seeds_to_tell: How many seeds the best two need in all, if the lead is as large as it looks; None where not
            defined, or more than 10,000.
        days_to_tell: How long that takes from now; NaN where not defined.
        reason: In words, why nothing can be told; empty where it can.
        notes: What to mind when reading it.
    """

    sigma: float
    df: int
    cells: int
    seconds_per_run: float
    runs_per_day: int
    response: str
    excluded: dict[str, str]
    now: Precision | None = None
    after_all: Precision | None = None
    after_two: Precision | None = None
    lead: float = math.nan
    seeds_to_tell: int | None = None
    days_to_tell: float = math.nan
    reason: str = ""
    notes: tuple[str, ...] = ()

    def _rows(self) -> list[tuple[str, str]]:
        over = f"standard deviation over seeds {number(self.sigma)} ({self.df} degrees of freedom)"
        rows = [(self.response, self._if_determined(over))]
        day = f"one day, {self.runs_per_day} runs"
        for label, found in (
            ("now", self.now),
            (f"{day} of all cells", self.after_all),
            (f"{day} of the best two", self.after_two),
        ):
            rows += [(label, str(found))] if found is not None else []
        if not math.isnan(self.lead):
            needed = "more than 10,000" if self.seeds_to_tell is None else str(self.seeds_to_tell)
            days = "" if math.isnan(self.days_to_tell) else f", {number(self.days_to_tell, 2)} days"
            rows.append(("best from second", f"lead {number(self.lead, 2)}: {needed} seeds each{days}"))
        return rows + left_out(self.excluded, self.notes)


def next_runs(
    runs: Any,
    response: str = "performance",
    factors: str | Sequence[str] | None = None,
    seconds: float | None = None,
    jobs: int = 1,
    day: float = 86_400.0,
    confidence: float = 0.95,
    power: float = 0.8,
    blocks: str | Sequence[str] = (),
) -> NextRuns:
    """What one more day of runs would buy, all cells alike or the best two alone, and when these two are told apart.

    Runs of one cell, which differ in their seed alone, give σ of the seeds, pooled over cells. With n seeds the
    difference between two cells has the half width t √(2 / n) σ. That σ and the lead of the best are taken as they were
    found: the lead of the best of many is mostly too large, so that it takes longer.

    Args:
        runs: See `as_summaries`.
        response: As in `anova`.
        factors: The settings that make a cell. None (default): all that are recorded but seed, name and directory.
        seconds: That a run takes. None (default): the mean of those recorded.
        jobs: How many run at once, 1 or more.
        day: The seconds of it: of a night give 8 · 3600.
        confidence: Of the intervals.
        power: See `smallest_difference`.
        blocks: As in `probability_of_best`: what adds the same to all cells is no scatter between them. Further seeds
            are taken to be the same in all cells too.

    Returns:
        A `NextRuns`. Without a second seed anywhere nothing can be told; without a time it says what there is now, and
        how many seeds are needed.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: If an argument is out of range, `response` is unknown or no run has one of `factors` or
            `blocks`.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> values = {8: [0.61, 0.66, 0.63], 16: [0.68, 0.66, 0.69]}
        >>> print(next_runs([
        ...     summarise({"val_jaccard": [value]}, factors={"batch_size": batch, "seed": seed})
        ...     for batch, several in values.items() for seed, value in enumerate(several)
        ... ], seconds=7200))
        performance                       standard deviation over seeds 0.0208 (4 degrees of freedom)
        now                               3 seeds: ± 0.047, differences of 0.064 between two cells; batch_size 0.064
        one day, 12 runs of all cells     9 seeds: ± 0.021, differences of 0.029 between two cells; batch_size 0.029
        one day, 12 runs of the best two  9 seeds: ± 0.021, differences of 0.029 between two cells
        best from second                  lead 0.043: 5 seeds each, 0.33 days
        note                              the lead of the best of several is mostly too large: it may take more seeds

    Reference:
        See `smallest_difference`.
    """
    if seconds is not None:
        check_positive("seconds", seconds, "or None for those recorded")
    check_count("jobs", jobs, 1, unit="")
    check_positive("day", day)
    check_fraction("confidence", confidence)
    check_fraction("power", power)
    summaries = as_summaries(runs)
    wanted = None if factors is None else names(factors)
    blocks = names(blocks)
    kept, excluded = usable(summaries, (*(wanted or ()), *blocks), response)
    found = cells(kept, wanted, blocks)
    left = without_block_effects(found, [responses(cell, response) for cell in found], blocks)
    df, count, squares = len(kept) - len(found) - left.df, len(found), _within(left.values)
    recorded = [run.seconds for run in kept if run.seconds]
    each = seconds if seconds is not None else float(np.mean(recorded)) if recorded else math.nan
    per_day = 0 if math.isnan(each) else int(day * jobs / each)
    told = NextRuns(math.nan, df, count, each, per_day, response, excluded)
    if df == 0 or squares == 0:
        repeated = "repeated runs do not differ at all"
        unknown = "no settings were run with a second seed, so that their scatter is not known"
        return replace(told, reason=repeated if df else unknown)
    varied = {name: len({run.factors.get(name) for run in kept}) for name in _varied(found, wanted, blocks)}
    scatter = _Scatter(math.sqrt(squares / df), df, len(kept), count, varied, left.df > 0, confidence, power)
    seeds, more = count / sum(1 / len(y) for y in left.values), per_day // count
    told = replace(told, sigma=scatter.sigma, now=scatter.precision(seeds))
    if per_day:
        told = replace(told, after_all=scatter.precision(seeds + more, count, more))
    if count > 1:
        sign = -1.0 if response in LESS_IS_BETTER else 1.0
        told = replace(told, **_best_two(left.values, scatter, per_day, sign))
    notes = comparison_notes(kept) + ([left.note] if left.note else [])
    if told.seeds_to_tell is not None:
        notes.append("the lead of the best of several is mostly too large: it may take more seeds")
    if math.isnan(each):
        notes.append("no time of a run is recorded: give `seconds` to see what a day buys")
    return replace(told, notes=tuple(notes))


@dataclass(frozen=True)
class _Scatter:
    """Over the seeds of a cell, and what that lets further seeds tell.

    Attributes:
        sigma: Its standard deviation.
        df: Degrees of freedom of that.
        runs: How many there are.
        cells: In how many cells.
        varied: Setting → how many levels it has.
        held: Whether seeds are a block, so that each further one costs a degree of freedom.
        confidence: Of the intervals.
        power: See `smallest_difference`.
    """

    sigma: float
    df: int
    runs: int
    cells: int
    varied: dict[str, int]
    held: bool
    confidence: float
    power: float

    def precision(self, seeds: float, cells: int = 0, more: int = 0) -> Precision:
        """That of `seeds`, of which `more` are further ones, in so many cells."""
        df = self.df + more * (cells - self.held)
        sizes = {name: seeds * self.cells / levels for name, levels in self.varied.items()}
        of_levels = {name: detectable(self.sigma, n, df, self.confidence, self.power) for name, n in sizes.items()}
        half = float(stats.t.isf((1 - self.confidence) / 2, df)) * self.sigma * math.sqrt(2 / seeds)
        least = detectable(self.sigma, seeds, df, self.confidence, self.power)
        return Precision(seeds, self.runs + more * cells, half, least, of_levels)


def _best_two(values: Sequence[NDArray[np.float64]], scatter: _Scatter, per_day: int, sign: float) -> dict[str, Any]:
    """What `NextRuns` says of the best and the second."""
    best, second = sorted(values, key=lambda y: -sign * float(y.mean()))[:2]
    made, more = len(best) + len(second), per_day // 2
    two = scatter.precision(2 / (1 / len(best) + 1 / len(second)) + more, 2, more)
    lead = sign * float(best.mean() - second.mean())
    needed = seeds_needed(lead, scatter.sigma, scatter.df, made, scatter.confidence, scatter.power, scatter.held)
    return {
        "after_two": replace(two, of_levels={}) if per_day else None,
        "lead": lead,
        "seeds_to_tell": needed,
        "days_to_tell": max(2 * needed - made, 0) / per_day if needed and per_day else math.nan,
    }


def _within(values: Sequence[NDArray[np.float64]]) -> float:
    """The sum of squares around the mean of each cell; exactly 0 where no cell has different values."""
    return sum(float(np.sum((y - y.mean()) ** 2)) for y in values if np.ptp(y) > 0)


def _varied(cells: Any, wanted: tuple[str, ...] | None, blocks: tuple[str, ...]) -> list[str]:
    """The names of settings in which the cells differ."""
    known = wanted or names(name for cell in cells for name, _ in settings(cell[0], blocks))
    return [name for name in known if len({repr(cell[0].factors.get(name)) for cell in cells}) > 1]
