"""Which runs of a design there aren't: what is to be known before any of its statistics is read."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from unetdyn.analysis.comparison.design import names, usable
from unetdyn.analysis.comparison.factors import with_levels
from unetdyn.analysis.comparison.many_runs import as_summaries, left_out
from unetdyn.analysis.comparison.summary import NOT_SETTINGS, RunSummary
from unetdyn.analysis.result import Result

_SHOWN = 12  # lines of missing cells in a text


@dataclass(frozen=True)
class MissingRun(Result):
    """A cell of which runs are missing.

    Attributes:
        settings: Factor → level.
        seeds: Of the runs that are missing; None for one whose seed was not planned.
        finished: How many runs of the cell there are.
    """

    settings: dict[str, Any]
    seeds: tuple[Any, ...]
    finished: int

    def __str__(self) -> str:
        seeds = [str(seed) for seed in self.seeds if seed is not None]
        which = f"seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}" if seeds else f"{len(self.seeds)} runs"
        left = "and so the whole cell" if not self.finished else f"{self.finished} finished"
        return f"{_words(self.settings)}: {which}; {left}"

    def _rows(self) -> list[tuple[str, str]]:
        return [("missing", str(self))]


@dataclass(frozen=True)
class MissingCells(Result):
    """What `missing_cells` found.

    Attributes:
        factors: Name → its levels.
        cells: How many cells the design has.
        planned: How many runs it has.
        finished: How many of these there are, with a number for the response.
        missing: The cells of which runs are missing, in the order of the plan.
        empty_cells: The settings of the cells without any run.
        balanced: Whether every cell has as many finished runs, one at least.
        without_number: Name → why a run does not count as finished.
        unplanned: The names of runs that the design does not have.
        inferred: Whether the design was inferred from the runs, which can't tell of a level that no run has.
    """

    factors: dict[str, tuple[Any, ...]]
    cells: int
    planned: int
    finished: int
    missing: tuple[MissingRun, ...]
    empty_cells: tuple[dict[str, Any], ...]
    balanced: bool
    without_number: dict[str, str]
    unplanned: tuple[str, ...]
    inferred: bool

    def _answer(self) -> bool:
        return bool(self.missing)

    def _rows(self) -> list[tuple[str, str]]:
        how = ", inferred from the runs" if self.inferred else ""
        rows = [("design", f"{self.planned} runs of {self.cells} cells{how}")]
        even = "balanced: as many in every cell" if self.balanced else "not balanced"
        rows.append(("finished", f"{self.finished} of {self.planned}; {even}"))
        rows += [("missing", str(cell)) for cell in self.missing[:_SHOWN]]
        more = len(self.missing) - _SHOWN
        rows += [("missing", f"and {more} cells more")] if more > 0 else []
        rows += [("not planned", ", ".join(self.unplanned))] if self.unplanned else []
        return rows + left_out(self.without_number, [])


def missing_cells(
    runs: Any,
    planned: Sequence[Mapping[str, Any]] | None = None,
    factors: str | Sequence[str] | None = None,
    response: str = "performance",
) -> MissingCells:
    """Which cells and seeds of a design have no finished run, and whether those that there are balance.

    An effect is compared within what there is: where cells are missing, type II sums of squares are still right for a
    model without interactions, and an interaction is tested in the cells that there are alone. Runs that are missing
    because they diverged are no chance: what is left then looks better than the settings are.

    Args:
        runs: The finished ones; see `as_summaries`.
        planned: One mapping a run, factor → level, with its `seed` among them where it has one; the factors of a sweep
            as the runs name them. None (default): every combination of the levels and seeds that the runs have.
        factors: Names of the factors. None (default): those of `planned`, or every one in which the runs differ but for
            seed, name and directory.
        response: As in `anova`; a run without a number for it doesn't count as finished.

    Returns:
        A `MissingCells`; true where runs are missing. A run with settings that were planned and a seed that was not is
        `unplanned`, as one with other settings is.

    Raises:
        TypeError: As `as_summaries`, or if `planned` holds other than mappings.
        ValueError: If `response` is unknown, no run has one of the factors, or `planned` is empty or lacks a factor.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> made = [("UNet", 8), ("UNet", 16), ("AttentionUNet", 8)]
        >>> print(missing_cells([
        ...     summarise({"val_jaccard": [0.5]}, factors={"architecture": name, "batch_size": batch, "seed": 0})
        ...     for name, batch in made
        ... ]))
        design    4 runs of 4 cells, inferred from the runs
        finished  3 of 4; not balanced
        missing   architecture AttentionUNet, batch_size 16: seed 0; and so the whole cell
    """
    summaries = as_summaries(runs)
    factors = names(factors) if factors is not None else _factors(summaries, planned)
    rows = _inferred(summaries, factors) if planned is None else _planned(planned, factors)
    kept, without_number = usable(summaries, factors, response)
    due = Counter((settings, seed) for settings, seed in rows)
    made = Counter((tuple(run.factors[name] for name in factors), run.factors.get("seed")) for run in kept)
    any_seed = all(seed is None for _, seed in rows)  # a plan without seeds counts runs, not which
    if any_seed:
        made = Counter({(settings, None): 0 for settings, _ in rows}) + _regardless(made)
    left = due - made
    cells = list(dict.fromkeys(settings for settings, _ in rows))
    done = {cell: sum(count for (settings, _), count in (due & made).items() if settings == cell) for cell in cells}
    missing = [
        MissingRun(
            dict(zip(factors, cell, strict=True)),
            tuple(seed for (settings, seed), count in left.items() if settings == cell for _ in range(count)),
            done[cell],
        )
        for cell in cells
    ]
    surplus = made - due
    unplanned = []
    for run in reversed(kept):  # of those that repeat one, the later
        key = (tuple(run.factors[name] for name in factors), None if any_seed else run.factors.get("seed"))
        if surplus[key] > 0:
            surplus[key] -= 1
            unplanned.append(run.name)
    return MissingCells(
        factors={name: tuple(dict.fromkeys(cell[place] for cell in cells)) for place, name in enumerate(factors)},
        cells=len(cells),
        planned=len(rows),
        finished=sum(done.values()),
        missing=tuple(cell for cell in missing if cell.seeds),
        empty_cells=tuple(cell.settings for cell in missing if not cell.finished),
        balanced=len(set(done.values())) == 1 and min(done.values()) > 0,
        without_number=without_number,
        unplanned=tuple(reversed(unplanned)),
        inferred=planned is None,
    )


def _factors(summaries: Sequence[RunSummary], planned: Sequence[Mapping[str, Any]] | None) -> tuple[str, ...]:
    """Those of the plan, or those in which the runs differ."""
    if planned is not None:
        return names(name for row in planned for name in row if name not in NOT_SETTINGS)
    known = names(name for run in summaries for name in run.factors if name not in NOT_SETTINGS)
    return tuple(name for name in known if len({run.factors.get(name) for run in summaries}) > 1)


def _planned(planned: Sequence[Mapping[str, Any]], factors: Sequence[str]) -> list[tuple[tuple[Any, ...], Any]]:
    """Settings and seed of each row of a plan."""
    if not all(isinstance(row, Mapping) for row in planned):
        raise TypeError(f"`planned` must hold one mapping, factor → level, for each run. Received: {planned!r}.")
    rows = [with_levels(row) for row in planned]
    lacking = [name for name in factors if not all(name in row for row in rows)]
    if lacking or not rows:
        raise ValueError(
            "`planned` must have one row at least, and every factor in every row. "
            f"Received: {len(rows)} rows{', some without ' + ', '.join(lacking) if lacking else ''}."
        )
    return [(tuple(row[name] for name in factors), row.get("seed")) for row in rows]


def _inferred(summaries: Sequence[RunSummary], factors: Sequence[str]) -> list[tuple[tuple[Any, ...], Any]]:
    """Every combination of the levels and of the seeds that the runs have."""
    levels = [list(dict.fromkeys(run.factors[name] for run in summaries if name in run.factors)) for name in factors]
    seeds = list(dict.fromkeys(run.factors.get("seed") for run in summaries))
    return [(settings, seed) for settings in product(*levels) for seed in seeds]


def _regardless(made: Mapping[tuple[Any, Any], int]) -> Counter[tuple[Any, Any]]:
    """The same counts without the seeds."""
    found: Counter[tuple[Any, Any]] = Counter()
    for (settings, _), count in made.items():
        found[(settings, None)] += count
    return found


def _words(settings: Mapping[str, Any]) -> str:
    return ", ".join(_pairs(settings)) or "all runs"


def _pairs(settings: Mapping[str, Any]) -> Iterable[str]:
    return (f"{name} {value}" for name, value in settings.items())
