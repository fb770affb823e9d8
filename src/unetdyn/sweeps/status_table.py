"""The status of a sweep in a terminal: a cell for each combination of levels, a column for each seed."""

from collections.abc import Sequence

from unetdyn.sweeps.status import RowState, SweepStatus
from unetdyn.sweeps.table import Row

WIDTH = 120
"""Columns of a terminal; a table that is wider is a list of what is not done."""

MOST = 60
"""Lines of a table that a person still looks through."""


def describe_status(found: SweepStatus) -> str:
    """Counts, the table of cells and seeds where it fits, and a line for each row that somebody should look at.

    Args:
        found: From `unetdyn.sweeps.status.status`.

    Example:
        >>> import tempfile
        >>> from unetdyn.sweeps.status import status
        >>> from unetdyn.sweeps.table import freeze
        >>> rows = [Row(n, n, 0, {"optimizer.learning_rate": rate}, {}, "") for n, rate in ((1, 0.001), (2, 0.005))]
        >>> sweep = freeze(tempfile.mkdtemp(), "rates", "2026-11-27", {}, {}, {}, rows)
        >>> print(describe_status(status(sweep)))
        rates: 0 of 2 rows done, 2 missing
        <BLANKLINE>
        learning_rate  seed 0
        0.001          -
        0.005          -
    """
    counts = found.counts
    others = [f"{number} {state}" for state, number in counts.items() if number and state != "done"]
    parts = [", ".join([f"{found.sweep.name}: {counts['done']} of {len(found.rows)} rows done", *others])]
    if table := _table(found):
        parts.append(table)
    if told := [_told(row) for row in found.of("running", "dead", "stopped", "failed")]:
        parts.append("\n".join(told))
    return "\n\n".join(parts)


def _table(found: SweepStatus) -> str | None:
    """None where it does not fit."""
    sweep = found.sweep
    factors = list(sweep.factors)
    columns = list(dict.fromkeys(_column(row) for row in sweep.rows))
    lines: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for row, state in zip(sweep.rows, found.rows, strict=True):
        levels = tuple(_short(row.settings.get(factor)) for factor in factors)
        lines.setdefault(levels, {}).setdefault(_column(row), []).append(_mark(state))
    header = [*(factor.rpartition(".")[2] for factor in factors), *columns]
    cells = [[*levels, *(" ".join(marks.get(column, [])) for column in columns)] for levels, marks in lines.items()]
    text = _aligned([header, *cells])
    fits = len(lines) <= MOST and max(map(len, text.splitlines())) <= WIDTH
    return text if fits else None


def _column(row: Row) -> str:
    return ", ".join(
        [f"seed {row.seed}", *(f"{key.rpartition('.')[2]} {_short(row.blocks[key])}" for key in row.blocks)]
    )


def _mark(state: RowState) -> str:
    if state.state == "missing":
        return "-"
    if state.state == "running":
        return f"{state.epoch}/{state.epochs or '?'}"
    return state.state


def _told(row: RowState) -> str:
    epoch = f"epoch {row.epoch}" + (f" of {row.epochs}" if row.epochs else "")
    if row.state == "running":
        beat = "" if row.beat_age is None else f", last sign of life {row.beat_age:.0f} s ago"
        return f"Row {row.number} is running: {row.where}, {epoch}{beat}."
    if row.state == "dead":
        return f"Row {row.number} is dead: {row.where} is gone, after {epoch}. It may be retried."
    return row.text if row.text else f"Row {row.number} {row.state} after {epoch}."


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
