"""When a job's time is nearly over."""

import os
import time
from collections.abc import Callable
from pathlib import Path

_IMPORTED = time.monotonic()


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
        age = up - after_boot / os.sysconf("SC_CLK_TCK")
        return time.monotonic() - age if age >= 0 else _IMPORTED  # a container may show its own `uptime`
    except (OSError, ValueError, IndexError):
        return _IMPORTED
