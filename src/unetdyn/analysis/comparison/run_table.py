"""Many runs as a table: each with its level of every factor, what else it was made with, and who is not in it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from unetdyn.analysis.comparison.choices import grouped
from unetdyn.analysis.comparison.summary import RunSummary
from unetdyn.analysis.series import Curve

Levels = dict[str, tuple[Any, ...]]
"""Factor → its levels, numbers in their order, others in that of the table."""


@dataclass(frozen=True)
class Absent:
    """A run that is not in the statistics.

    Attributes:
        name: Of the run.
        settings: Its level of each factor, as far as known.
        seed: Its seed; None where not known.
        why: In words.
    """

    name: str
    settings: Mapping[str, Any]
    seed: int | None
    why: str


@dataclass(frozen=True)
class RunTable:
    """Runs by their factors: what a page about a sweep, or about runs that no sweep made, starts from.

    Attributes:
        name: Of the sweep, or of the comparison.
        runs: Those that ended as they should. Of their `factors` there are the factors, the blocks, the seed, and what
            is the same in all of them.
        factors: What is asked about.
        blocks: What varies, but isn't asked about.
        constant: Setting → its value, the same in all runs.
        absent: The others.
        curves: Name of the run → the metric that its performance is read from, epoch by epoch.
        places: Name of the run → where it is.
        planned: How many runs there should be.
        plan: Of a sweep, factor → level and the seed of each of them; empty where nobody planned the runs.
        sampled: Factors of numbers, drawn so that each cell has its own: there are no groups of runs to compare.
        notes: What to mind, such as settings that change only together.
    """

    name: str
    runs: tuple[RunSummary, ...]
    factors: Levels
    blocks: Levels = field(default_factory=dict)
    constant: Mapping[str, Any] = field(default_factory=dict)
    absent: tuple[Absent, ...] = ()
    curves: Mapping[str, Curve] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    planned: int = 0
    plan: tuple[Mapping[str, Any], ...] = ()
    sampled: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def grouped_by(self) -> tuple[str, ...]:
        """The factors whose levels several cells share, or that are the only one."""
        return tuple(name for name in self.factors if name not in self.sampled)

    @property
    def repeated(self) -> int:
        """How many runs there are beyond the first of each cell: what chance can be told from."""
        return len(self.runs) - len(self.cells())

    @property
    def units(self) -> tuple[RunSummary, ...]:
        """What a test of groups may take for independent: the runs; of a sampled design, where those of one cell have
        its own numbers in common, the means of the cells.
        """
        return tuple(self.cell_means()) if self.sampled else self.runs

    @property
    def units_in_words(self) -> str:
        """What `units` are."""
        return "means of cells" if self.sampled else "runs"

    @property
    def held(self) -> tuple[str, ...]:
        """What tests of groups allow for: blocks, and seeds, where most cells share two or more.

        A seed draws the order of the data, synthetic data and weights: it is good or bad for every cell. Left to
        chance, it hides what it has nothing to do with. Where each seed has a block of its own, the block is enough.
        """
        if self.sampled:  # a cell's mean is over both
            return ()
        cells = self.cells().values()
        often = Counter(seed for runs in cells for seed in {run.factors.get("seed") for run in runs})
        shared = sum(2 * count > len(cells) > 1 for seed, count in often.items() if seed is not None)
        of_seed = grouped(self.runs, lambda run: run.factors.get("seed")).values()
        crossed = all(
            len({tuple(run.factors.get(name) for name in self.blocks) for run in runs}) > 1 for runs in of_seed
        )
        hold = shared > 1 and None not in often and (crossed or not self.blocks)
        return (*self.blocks, *(["seed"] if hold else []))

    def cells(self) -> dict[tuple[Any, ...], list[RunSummary]]:
        """The level of each factor → its runs, in the order of the levels."""
        place = {name: {level: at for at, level in enumerate(levels)} for name, levels in self.factors.items()}
        found = grouped(self.runs, lambda run: tuple(run.factors.get(name) for name in self.factors))
        order = sorted(found, key=lambda cell: [place[name][level] for name, level in zip(place, cell, strict=True)])
        return {cell: found[cell] for cell in order}

    def without_blocks(self) -> list[RunSummary]:
        """The runs as they are where only the factors count: those of one cell differ in nothing."""
        return [replace(run, factors=_without(run.factors, self.blocks)) for run in self.runs]

    def cell_means(self, short: bool = False) -> list[RunSummary]:
        """One summary a cell: the means of its runs; ill where one of them is.

        Args:
            short: Whether names are the levels alone; else (default) those of the factors too.
        """
        name = self.short_title if short else self.title
        return [_mean(name(cell), runs) for cell, runs in self.cells().items()]

    def short_title(self, cell: Sequence[Any]) -> str:
        """The levels of a cell alone.

        >>> RunTable("rates", (), {"learning_rate": (0.001,), "filters": (8,)}).short_title((0.001, 8))
        '0.001 · 8'
        """
        return " · ".join(map(in_words, cell)) or "all runs"

    def title(self, cell: Sequence[Any]) -> str:
        """A cell in words.

        >>> RunTable("rates", (), {"learning_rate": (0.001,), "filters": (8,)}).title((0.001, 8))
        'learning rate 0.001, filters 8'
        """
        if not self.factors:
            return "all runs"
        return ", ".join(level_in_words(name, level) for name, level in zip(self.factors, cell, strict=True))


def factor_in_words(name: str) -> str:
    """The name of a factor, or of an interaction.

    >>> factor_in_words("learning_rate × batch_size")
    'learning rate × batch size'
    """
    return name.replace("_", " ")


def level_in_words(name: str, level: Any) -> str:
    """A level with the name of its factor, where it does not speak for itself.

    >>> level_in_words("batch_size", 8), level_in_words("architecture", "UNet")
    ('batch size 8', 'UNet')
    """
    return str(level) if name == "architecture" else f"{factor_in_words(name)} {in_words(level)}"


def in_words(level: Any) -> str:
    """A level alone.

    >>> in_words(0.0010), in_words(None), in_words((0, 15))
    ('0.001', 'none', '0, 15')
    """
    if isinstance(level, float):
        return f"{level:g}"
    if isinstance(level, tuple):
        return ", ".join(map(in_words, level))
    return "none" if level is None else str(level)


def levels_of(values: Iterable[Any]) -> tuple[Any, ...]:
    """The different ones: numbers from the least to the largest, others in the order of their first appearance.

    >>> levels_of([0.005, 0.001, 0.005]), levels_of(["UNet", "AttentionUNet", "UNet"])
    ((0.001, 0.005), ('UNet', 'AttentionUNet'))
    """
    different = tuple(dict.fromkeys(values))
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in different)
    return tuple(sorted(different)) if numbers else different


def short_names(keys: Iterable[str]) -> dict[str, str]:
    """Keys of a configuration → the last part of each where it is clear, otherwise the whole.

    >>> short_names(["optimizer.learning_rate", "loss.kind", "optimizer.kind"])
    {'optimizer.learning_rate': 'learning_rate', 'loss.kind': 'loss.kind', 'optimizer.kind': 'optimizer.kind'}
    """
    keys = list(dict.fromkeys(keys))
    last = [key.rpartition(".")[2] for key in keys]
    return {key: short if last.count(short) == 1 else key for key, short in zip(keys, last, strict=True)}


def _mean(name: str, runs: Sequence[RunSummary]) -> RunSummary:
    ill = [run for run in runs if run.ill]
    numbers: dict[str, Any] = {
        key: float(np.mean([getattr(run, key) for run in runs])) for key in ("performance", "final", "stability")
    }
    notes = () if np.isfinite(list(numbers.values())).all() else ("one of its runs has no number there",)
    why = f"{len(ill)} of its {len(runs)} runs, such as {ill[0].name}: {ill[0].ill}" if ill else ""
    return replace(runs[0], name=name, **numbers, peak_epoch=None, notes=notes, ill=why)


def _without(factors: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: value for name, value in factors.items() if name not in set(names)}
