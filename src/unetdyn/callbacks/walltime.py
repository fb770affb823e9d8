"""How long a job may run, and when it is nearly over."""

import math
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

from unetdyn._checks import check_range

_IMPORTED = time.monotonic()
_FORMS = re.compile(r"(?:(?P<days>\d+)-)?(?P<hours>\d+)(?::(?P<minutes>[0-5]?\d)(?::(?P<seconds>[0-5]?\d))?)?")


def seconds_of(walltime: float | str) -> float:
    """A walltime in seconds.

    Args:
        walltime: Seconds, or as schedulers write it: `"H:MM:SS"`, `"H:MM"`, `"D-HH:MM:SS"`, `"D-HH"`.

    Raises:
        ValueError: If it is none of these, or not above 0.

    Example:
        >>> seconds_of("3:50:00"), seconds_of("1-00:30"), seconds_of(90)
        (13800.0, 88200.0, 90.0)
    """
    if isinstance(walltime, str):
        found = _FORMS.fullmatch(walltime.strip())
        parts = {} if found is None else {name: int(value) for name, value in found.groupdict().items() if value}
        if found is None or not (found["days"] or found["minutes"]):
            raise ValueError(
                "`walltime` must be seconds, or a text like 3:50:00 (hours, minutes, seconds) or 1-12:00:00 (with "
                f"days). Received: walltime={walltime!r}."
            )
        in_seconds = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}
        walltime = float(sum(in_seconds[name] * value for name, value in parts.items()))
    check_range("walltime", walltime, 0, math.inf)
    if walltime == 0:
        raise ValueError("`walltime` must be above 0. Received: 0 seconds.")
    return float(walltime)


class Deadline:
    """Tells when a process must stop, by what its steps and its epochs' ends have taken.

    Args:
        walltime: Seconds from the process's beginning, where Linux tells it, else from the import of this.
        margin: Seconds that must be left for writing the state and leaving.
        began: When the process began, on that clock; found out by default.
        now: A clock, for tests.

    Example:
        >>> clock = iter([100.0, 101.0, 108.5])
        >>> deadline = Deadline(10, margin=2, began=100.0, now=lambda: next(clock))
        >>> deadline.step(last=False), deadline.step(last=False), deadline.step(last=False)
        (False, False, True)
    """

    def __init__(
        self,
        walltime: float,
        margin: float,
        began: float | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._end = (_began() if began is None else began) + walltime
        self._margin, self._now = margin, now
        self._before: float | None = None
        self._longest_step = self._longest_end = 0.0

    def step(self, last: bool) -> bool:
        """Before a step: whether it, and the epoch's end if it is the last one, may not come to an end in time."""
        now = self._now()
        if self._before is not None:
            self._longest_step = max(self._longest_step, now - self._before)
        self._before = now
        return now + max(self._longest_step, self._longest_end if last else 0.0) + self._margin >= self._end

    def epoch_end(self) -> bool:
        """After an epoch: whether another step may not come to an end in time."""
        now = self._now()
        if self._before is not None:
            self._longest_end = max(self._longest_end, now - self._before)
        self._before = None
        return now + self._longest_step + self._margin >= self._end


def _began() -> float:
    """When this process began, on the monotonic clock."""
    try:
        after_boot = int(Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19])
        up = float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
        return time.monotonic() - (up - after_boot / os.sysconf("SC_CLK_TCK"))
    except (OSError, ValueError, IndexError):
        return _IMPORTED
