"""From a design file to a frozen sweep: all is checked, counted, timed and told before anything is spent."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, TextIO

from unetdyn.analysis.result import number
from unetdyn.sweeps.cost import Cost, cost_of
from unetdyn.sweeps.design import Design, read_design
from unetdyn.sweeps.designs.choice import Choice, choose
from unetdyn.sweeps.detectable import detectable
from unetdyn.sweeps.levels import Range, same
from unetdyn.sweeps.noise import ASSUMED, Noise, noise_of
from unetdyn.sweeps.row_config import anchored, checked
from unetdyn.sweeps.rows import rows_of
from unetdyn.sweeps.table import FILE, Row, Sweep, freeze

if TYPE_CHECKING:
    from unetdyn.experiment import Config
    from unetdyn.sweeps.timing import Timing

Lines = list[tuple[str, str]]
_WIDTH, _INDENT = 120, 10
_SHOWS = (
    "the smallest difference that a two-sided test at 5 % finds in four of five sweeps, of the two levels (or ends of "
    "a range) that are told worst; and how often an F-test finds an effect that Cohen calls medium or large:"
)


def plan(
    design: str | Path,
    stream: TextIO | None = None,
    timed: bool = True,
    variance_from: Sequence[str | Path] = (),
    timer: Callable[[Config], Timing] | None = None,
) -> Sweep:
    """Freeze a design to a table of runs, and say what it costs and what it can show.

    Args:
        design: The design file.
        stream: Where that is said; standard output by default.
        timed: Whether two epochs of up to six rows are trained for the estimate of hours, which leaves nothing behind.
        variance_from: Runs and sweeps from which σ between seeds is taken; none by default, and σ is assumed then.
        timer: What times a configuration, for tests; by default `unetdyn.sweeps.timing.time_run`.

    Returns:
        The sweep, in the design's folder. Nothing of it has been trained.

    Raises:
        SweepError: If the design or a configuration in it can't be used, or σ can't be told from `variance_from`.
        FileExistsError: If the design's folder holds a sweep already.
        unetdyn.experiment.ConfigError: If a timed row's data, model and configuration don't fit together.
    """
    stream = sys.stdout if stream is None else stream
    read = read_design(design)
    _refuse_planned(Path(design), read)
    noise = noise_of(variance_from) if variance_from else ASSUMED
    choice = choose(read)
    base = anchored(read.base)
    rows, configs = checked(base, [_anchored(row) for row in rows_of(read, choice.cells)])
    _tell(stream, [("sweep", read.name), *_counts(read, choice, rows)])
    if timed:
        _tell(stream, [("cost", "timing two epochs …")])
        _tell(stream, _costs(cost_of(rows, configs, timer or _timer())))
    _tell(stream, _shown(read, rows, noise))
    sweep = freeze(
        read.folder, read.name, datetime.now().isoformat(timespec="seconds"), _versions(), read.described(), base, rows
    )
    _tell(stream, [("frozen", str(sweep.path / FILE)), ("next", f"unetdyn sweep run {design}")])
    return sweep


def _refuse_planned(path: Path, design: Design) -> None:
    """Before minutes are spent on timing; `freeze` refuses it again, for two may plan at once."""
    if (design.folder / FILE).exists():
        raise FileExistsError(
            f"The sweep of {path} must not be planned twice, for its table is frozen. Received: {design.folder}, which "
            f"holds one. Carry on with `unetdyn sweep run {path}`, or give the design another `name` or `directory`."
        )


def _anchored(row: Row) -> Row:
    return Row(row.number, row.cell, row.seed, anchored(row.settings), anchored(row.blocks), row.config)


def _timer() -> Callable[[Config], Timing]:
    from unetdyn.sweeps.timing import time_run

    return time_run


def _versions() -> dict[str, str]:
    import keras

    from unetdyn.runs.versions import versions

    return versions(keras.backend.backend()) | {"backend": keras.backend.backend()}


def _counts(design: Design, choice: Choice, rows: Sequence[Row]) -> Lines:
    cells, seeds = len({row.cell for row in rows}), len(design.seed_list)
    blocks = len({same(row.blocks) for row in rows})
    factors = [(cells, "combination"), *([(blocks, "block")] if blocks > 1 else []), (seeds, "seed")]
    product = " × ".join(_count(*factor) for factor in factors)
    whole = len(choice.cells) * blocks * seeds
    lines = [("runs", f"{len(rows)}: {product}")]
    lines += [("", f"{key}: {_levels(factor)}") for key, factor in design.factors.items()]
    lines += [("", f"{key}: {_levels(levels)} (block)") for key, levels in design.blocks.items()]
    lines += [("chosen", note) for note in choice.notes]
    left = [_count(choice.left_out, "combination")] if choice.left_out else []
    left += [f"{_count(whole - len(rows), 'run')} of others"] if whole > len(rows) else []
    return lines + ([("left out", f"{' and '.join(left)}, by `exclude`")] if left else [])


def _count(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _levels(factor: Sequence[object] | Range) -> str:
    if not isinstance(factor, Range):
        return ", ".join(map(str, factor))
    how = [word for word, said in (("log", factor.log), ("whole numbers", factor.integer)) if said]
    return f"{factor.low:g} to {factor.high:g}" + (f" ({', '.join(how)})" if how else "")


def _costs(cost: Cost) -> Lines:
    each = sum(cost.seconds) / len(cost.seconds) / 60
    lines = [
        ("", f"about {number(cost.hours, 2)} hours on this machine, one run after the other ({each:.2g} minutes a run)")
    ]
    lines += [("", f"{cost.timed}:")] + [("", f"  {line}") for line in cost.each]
    return [*lines, ("", "to the last epoch each; what ends a training early makes it less")]


def _shown(design: Design, rows: Sequence[Row], noise: Noise) -> Lines:
    ranges = {key: factor for key, factor in design.factors.items() if isinstance(factor, Range)}
    found = list(detectable(rows, noise.sigma, ranges).values())
    table = [["", "two levels", "twice the seeds", "medium effect", "large effect"]]
    for each in found:
        powers = [f"{100 * power:.0f} %" for power in (each.power_medium, each.power_large)]
        told = [number(each.difference), number(each.twice), *powers]
        table.append([each.factor, *(told if each.determined else ["–"] * len(told))])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [("can show", _SHOWS)]
    lines += [("", "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))) for row in table]
    lines += [("", f"{each.factor}: {each.reason}") for each in found if not each.determined]
    if len(design.seed_list) == 1:
        lines.append(("", "with one seed, interactions can't be told from the noise: tests are against both"))
    return [*lines, ("noise", noise.source)]


def _tell(stream: TextIO, lines: Lines) -> None:
    for label, text in lines:
        first = label.ljust(_INDENT)
        stream.write(fill(text, _WIDTH, initial_indent=first, subsequent_indent=_INDENT * " ") + "\n")
    stream.flush()
