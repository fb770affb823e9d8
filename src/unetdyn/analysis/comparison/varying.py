"""What runs that no sweep made differ in: their factors, and settings that can't be one, with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from unetdyn._checks import nearest
from unetdyn.analysis.comparison.run_table import Levels, in_words, levels_of
from unetdyn.analysis.comparison.summary import MAIN_FACTORS, NOT_SETTINGS, RunSummary

SAMPLED_FROM = 6  # levels, each in one cell only: as a Latin hypercube draws them; fewer are still groups


@dataclass(frozen=True)
class Varying:
    """What `varying` found.

    Attributes:
        factors: Name → its levels.
        sampled: Factors of numbers with a level of its own in each cell.
        constant: Setting → its value in all runs.
        notes: Which settings differ too, and why they are no factor.
    """

    factors: Levels
    sampled: tuple[str, ...]
    constant: dict[str, Any]
    notes: tuple[str, ...]


def varying(runs: Sequence[RunSummary], wanted: Sequence[str] | None = None) -> Varying:
    """The settings that differ between runs, seeds and names apart.

    What is different in every run makes no groups, and is no factor; nor is what changes only together with another
    setting. A setting that a run does not have counts as None there.

    Args:
        runs: With their settings in `factors`.
        wanted: Take these for the factors; None (default): all that can be.

    Raises:
        ValueError: If a wanted one is not recorded, or the same in every run.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> logs = {"val_jaccard": [0.5]}
        >>> settings = [(rate, seed) for rate in (0.005, 0.001) for seed in (0, 1)]
        >>> runs = [
        ...     summarise(logs, factors={"learning_rate": rate, "seed": seed, "depth": 3, "note": f"{rate} {seed}"})
        ...     for rate, seed in settings
        ... ]
        >>> found = varying(runs)
        >>> found.factors, found.constant, found.notes
        ({'learning_rate': (0.001, 0.005)}, {'depth': 3}, ('note differs in every run, and is no factor',))
    """
    known = dict.fromkeys(name for run in runs for name in run.factors if name not in NOT_SETTINGS)
    columns = {name: tuple(run.factors.get(name) for run in runs) for name in known}
    constant = {name: column[0] for name, column in columns.items() if len(set(column)) == 1}
    differing = [name for name in (*MAIN_FACTORS, *columns) if name in columns and name not in constant]
    differing = list(dict.fromkeys(differing))
    if wanted is not None:
        return _as_wanted(wanted, columns, constant, differing)
    notes, kept = [], list[str]()
    for name in differing:
        if len(set(columns[name])) == len(runs):
            notes.append(f"{name} differs in every run, and is no factor")
        elif name.rpartition(".")[2].endswith("seed") and _together(columns[name], _seeds(runs)):
            notes.append(f"{name} changes only together with the seed, and is no factor")
        elif (same := next((other for other in kept if _together(columns[name], columns[other])), None)) is not None:
            notes.append(f"{name} changes only together with {same}, and can't be told from it")
        else:
            kept.append(name)
    return Varying({name: levels_of(columns[name]) for name in kept}, (), constant, tuple(notes))


def sampled(cells: Sequence[Sequence[Any]], factors: Levels) -> tuple[str, ...]:
    """Factors of numbers that have a level of their own in each of many cells, as a Latin hypercube draws them.

    >>> cells = [(0.1 * place, 2 * place, "UNet") for place in range(1, 7)]
    >>> sampled(cells, {"rate": cells, "filters": cells, "architecture": ("UNet",)})
    ('rate', 'filters')
    """
    if len(factors) < 2 or len(cells) < SAMPLED_FROM:
        return ()
    columns = dict(zip(factors, zip(*cells, strict=True), strict=True))
    return tuple(
        name
        for name, column in columns.items()
        if len(set(column)) == len(cells) and all(isinstance(level, int | float) for level in column)
    )


def _as_wanted(
    wanted: Sequence[str], columns: dict[str, tuple[Any, ...]], constant: dict[str, Any], differing: Sequence[str]
) -> Varying:
    for name in wanted:
        if name not in columns:
            raise ValueError(
                f"`factors` must be settings that the runs have: {', '.join(differing) or 'none differs'}. "
                f"Received: {name!r}.{nearest(name, columns)}"
            )
        if name in constant:
            raise ValueError(
                f"`factors` must be settings that differ between the runs: {', '.join(differing) or 'none does'}. "
                f"Received: {name!r}, which is {in_words(constant[name])} in all of them."
            )
    others = [name for name in differing if name not in wanted]
    notes = [f"{name} differs too, and was not asked for as a factor" for name in others]
    return Varying({name: levels_of(columns[name]) for name in wanted}, (), constant, tuple(notes))


def _together(one: Sequence[Any], other: Sequence[Any]) -> bool:
    """Whether each level of the one goes with one of the other."""
    return len(set(zip(one, other, strict=True))) == len(set(one)) == len(set(other))


def _seeds(runs: Sequence[RunSummary]) -> tuple[Any, ...]:
    return tuple(run.factors.get("seed") for run in runs)
