"""How much memory there is for another training, and when there is too little for those that run."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

MORE = 1.1
"""How much more than the largest training so far must be free before another starts: rows of other factors are larger,
and what a training takes goes up with its first validation. A training that has started keeps what it gets, so it is
cheaper to wait than to stop one."""

FLOOR = 0.05
"""Share of the memory that must be free while trainings run. Where it is less than that, the pages of programs and
files are thrown out and read again, all gets slow, and the next large request of a training calls the kernel's killer,
which sends SIGKILL to whom it likes: that costs an epoch; SIGTERM costs nothing."""

_GROUPS, _OWN = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


def total_memory() -> int:
    """Bytes that this machine has, or its container."""
    limit = _limit()
    return int(psutil.virtual_memory().total) if limit is None else limit[0]


def free_memory() -> int:
    """Bytes that may be taken without anything being swapped out, here, or in this container."""
    free = int(psutil.virtual_memory().available)
    limit = _limit()
    return free if limit is None else min(free, max(limit[0] - limit[1], 0))


def memory_of(pid: int) -> int:
    """Bytes that a process has in memory; 0 if it is gone. A training is one process."""
    with suppress(psutil.Error):
        return int(psutil.Process(pid).memory_info().rss)
    return 0


def may_start(free: int, largest: int, running: Sequence[int]) -> bool:
    """Whether there is memory for another training.

    Args:
        free: Bytes, from `free_memory`.
        largest: Bytes of the largest training so far; 0 before one was seen.
        running: Bytes of those that run. They may grow to the largest, and that is set aside for them.

    Returns:
        True where none runs: then waiting gains nothing.

    Example:
        >>> may_start(free=10, largest=4, running=[4]), may_start(free=10, largest=4, running=[4, 1, 0])
        (True, False)
    """
    growing = sum(max(largest - each, 0) for each in running)
    return not running or free - growing >= MORE * largest


def is_short(free: int, total: int) -> bool:
    """Whether a training should be stopped, to save the others.

    >>> is_short(free=4, total=100), is_short(free=6, total=100)
    (True, False)
    """
    return free < FLOOR * total


def _limit() -> tuple[int, int] | None:
    """Of the control group of this process, if it has one: what it may use, and what it uses but for cached files."""
    with suppress(OSError, ValueError, StopIteration):
        lines = _OWN.read_text(encoding="ascii").splitlines()
        folder = _GROUPS / next(line.removeprefix("0::/") for line in lines if line.startswith("0::/"))
        limit, used = (int((folder / f"memory.{name}").read_text(encoding="ascii")) for name in ("max", "current"))
        stat = (folder / "memory.stat").read_text(encoding="ascii").split()
        return limit, used - int(stat[stat.index("inactive_file") + 1])
    return None
