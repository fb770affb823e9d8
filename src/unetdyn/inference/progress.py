"""How far a prediction is, and how long it still takes."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

Told = Callable[[int, int], Any]

_REFRESH = 0.2  # seconds in a terminal
_LINE = 30.0  # seconds between lines elsewhere, such as in a log file


def teller(progress: bool | Told | None) -> Told:
    """What is told how many of how many copies of tiles are predicted.

    Args:
        progress: True for a line on standard error, a function, or None or False for nothing.

    Raises:
        TypeError: If it is something else.
    """
    if progress is True:
        return ProgressLine()
    if progress is None or progress is False:
        return _nobody
    if not callable(progress):
        raise TypeError(
            f"`progress` must be True, None, or a function of (done, total). Received: progress={progress!r}."
        )
    return progress


def _nobody(_done: int, _total: int) -> None:
    """Is told and tells nobody."""


class ProgressLine:
    """A line on standard error: it moves in a terminal, and comes now and then elsewhere."""

    def __init__(self) -> None:
        self._began: tuple[float, int] | None = None
        self._drawn = -_LINE

    def __call__(self, done: int, total: int) -> None:
        """So many of so many tiles."""
        now = time.monotonic()
        if self._began is None:
            self._began = now, done
        moving = sys.stderr.isatty()
        if done < total and now - self._drawn < (_REFRESH if moving else _LINE):
            return
        self._drawn = now
        begin, end = ("\r\x1b[K", "\n" if done == total else "") if moving else ("", "\n")
        with suppress(OSError, ValueError):  # a closed terminal ends no prediction
            sys.stderr.write(begin + progress_text(done, total, done - self._began[1], now - self._began[0]) + end)
            sys.stderr.flush()


def progress_text(done: int, total: int, since: int, seconds: float) -> str:
    """One line.

    Args:
        done: Tiles that are predicted.
        total: Of so many.
        since: How many of them since the beginning.
        seconds: How long these took.

    Example:
        >>> progress_text(30, 120, 20, 40.0)
        'predicted 30/120 tiles (25 %), 3 min left'
    """
    text = f"predicted {done}/{total} tiles ({100 * done // max(total, 1)} %)"
    if not since or done == total:
        return text
    left = seconds / since * (total - done)
    for size, unit in ((3600, "h"), (60, "min")):
        if left >= 2 * size:
            return f"{text}, {left / size:.0f} {unit} left"
    return f"{text}, {left:.0f} s left"
