"""Who runs a training: the process, on which host and in which job of a scheduler, and whether it still lives."""

import os
import platform
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

JOBS = (
    ("SLURM_JOB_ID", None),
    ("PBS_JOBID", None),
    ("LSB_JOBID", "LSB_JOBINDEX"),
    ("JOB_ID", "SGE_TASK_ID"),
)
"""The variables by which schedulers tell a job its number, and the place of a task where all of an array share it."""


def cores() -> int:
    """Those that this process may use: a scheduler gives a job some of a host's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def identity() -> dict[str, Any]:
    """This process, as another can tell it from those that come after it.

    Returns:
        `host`, its name; `pid`; `started`, a text that no later process of this host has, None where the platform has
        none to read; `namespace`, that of the pids, as containers have their own, or None; `job`, a scheduler's, or
        None.

    Example:
        >>> is_alive(identity())
        True
    """
    return {
        "host": platform.node(),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
        "namespace": _namespace(),
        "job": _job(),
    }


def is_alive(process: Mapping[str, Any] | None) -> bool | None:
    """Whether a process still runs.

    A pid that another process has by now is not the process; neither is one of before the host was started anew. A job
    that runs here, and ran elsewhere, was put back into the queue by its scheduler, which ended it there first.

    Args:
        process: From `identity`, of any process on any host; None where nothing is known of it.

    Returns:
        True, or False; None where it can't be known: on another host, or in another container.

    Example:
        >>> is_alive({**identity(), "host": "elsewhere"}) is None
        True
    """
    pid = (process or {}).get("pid")
    if process is None or not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return None
    here = identity()
    if process.get("host") != here["host"]:
        return False if here["job"] is not None and process.get("job") == here["job"] else None
    started = process.get("started")
    if isinstance(started, str) and here["started"] is not None:
        if _boot(started) != _boot(here["started"]):
            return False
        if process.get("namespace") != here["namespace"]:
            return None
        if (found := _started(pid)) is not None:
            return found == started
        return None if _exists(pid) is None else False
    return _exists(pid)


def in_words(process: Mapping[str, Any] | None) -> str:
    """As a person looks for it.

    >>> in_words({"host": "gpu7", "pid": 4711})
    'process 4711 on gpu7'
    """
    if not process:
        return "a process that left no name"
    return f"process {process.get('pid')} on {process.get('host')}"


def _started(pid: int) -> str | None:
    """The boot of the host, and the ticks from it to the start of the process; None without Linux, or without it."""
    with suppress(OSError, ValueError, IndexError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()  # a name may hold anything
        if fields[0] in (b"Z", b"X"):  # dead, and not yet asked for by its parent
            return None
        return f"{boot}/{int(fields[19])}"  # field 22 of proc(5), of which two are before the bracket
    return None


def _boot(started: str) -> str:
    return started.partition("/")[0]


def _namespace() -> str | None:
    with suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return None


def _job() -> str | None:
    for name, task in JOBS:
        if number := os.environ.get(name):
            place = os.environ.get(task, "") if task else ""
            return f"{name}={number}{place and f'[{place}]'}"
    return None


def _exists(pid: int) -> bool | None:
    """Whether there is any process of that number; None where that is not shown, as of those of other users."""
    if os.name != "posix":  # there, asking would end it
        return True if pid == os.getpid() else None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return None
    return True
