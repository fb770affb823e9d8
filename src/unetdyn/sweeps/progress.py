"""What a person sees while a machine works off a sweep: one line for all of its rows."""

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TextIO

from unetdyn.sweeps.status import RowState, SweepStatus, status
from unetdyn.sweeps.table import Sweep

SHOWN = ("val_jaccard", "jaccard", "val_loss", "loss")
"""The number of a running row that is shown: the first of these that it has logged."""

ON_A_TERMINAL, IN_A_FILE = 2.0, 60.0
"""Seconds between two looks at the run directories, which are a few files a row; a log gets a line each time."""


class SweepProgress:
    """Shows how far all rows are, in one moving line on a terminal, and a line a minute elsewhere.

    Args:
        sweep: The sweep.
        stream: Where to write; one that is closed ends nothing.
        now: A clock, for tests.
    """

    def __init__(self, sweep: Sweep, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._sweep, self._stream, self._now = sweep, stream, now
        self._done: set[int] = set()
        self._began: tuple[float, float] | None = None
        self._shown: float | None = None

    def look(self) -> SweepStatus:
        """How far the rows are; what was done is not looked at again."""
        found = status(self._sweep, but=self._done)
        self._done |= {row.number for row in found.of("done")}
        return found

    def show(self) -> None:
        """Move the line, if it is time."""
        now = self._now()
        terminal = self._is_terminal()
        if self._shown is not None and now - self._shown < (ON_A_TERMINAL if terminal else IN_A_FILE):
            return
        self._shown = now
        found = self.look()
        whole = fraction_done(found)
        self._began = self._began or (now, whole)
        line = line_of(found, seconds_left(len(found.rows), whole, whole - self._began[1], now - self._began[0]))
        if terminal:
            width = shutil.get_terminal_size().columns - 1
            self._write("\r\x1b[K" + (line if len(line) <= width else line[: width - 1] + "…"))
        else:
            self._write(line + "\n")

    def say(self, text: str) -> None:
        """A line that stays."""
        self._write(("\r\x1b[K" if self._is_terminal() else "") + text + "\n")

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()

    def _is_terminal(self) -> bool:
        return not self._stream.closed and self._stream.isatty()


def line_of(found: SweepStatus, left: float | None = None) -> str:
    """The line.

    Args:
        found: How far the rows are.
        left: Seconds, if they are known.
    """
    counts = found.counts
    others = [f"{counts[state]} {state}" for state in ("running", "dead", "stopped", "failed") if counts[state]]
    parts = [", ".join([f"{counts['done']} of {len(found.rows)} done", *others])]
    for row in found.of("running"):
        number = _number(row.latest or {})
        parts.append(f"row {row.number}: epoch {row.epoch}/{row.epochs or '?'}{number}")
    return " | ".join([*parts, *([] if left is None else [f"{in_time(left)} left"])])


def fraction_done(found: SweepStatus) -> float:
    """How many rows are done, those that are not by the share of their epochs."""
    return sum(1.0 if row.state == "done" else _share(row) for row in found.rows)


def seconds_left(rows: int, done: float, since: float, seconds: float) -> float | None:
    """As fast as it went so far.

    Args:
        rows: How many there are.
        done: How many are done, as `fraction_done`.
        since: How many of those since one looks.
        seconds: Since one looks.

    Returns:
        None as long as nothing was done.

    Example:
        >>> seconds_left(10, done=4.0, since=2.0, seconds=60.0)
        180.0
    """
    return (rows - done) / since * seconds if since > 0 else None


def in_time(seconds: float) -> str:
    """As people say it.

    >>> in_time(40), in_time(100), in_time(5000), in_time(200000)
    ('40 s', '2 min', '1 h 23 min', '2 d 7 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def _share(row: RowState) -> float:
    return min(row.epoch / row.epochs, 1.0) if row.epochs else 0.0


def _number(latest: Mapping[str, Any]) -> str:
    name = next((name for name in SHOWN if isinstance(latest.get(name), int | float)), None)
    return "" if name is None else f" {name} {float(latest[name]):.4g}"
