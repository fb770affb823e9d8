"""What a job asks its scheduler for, checked before anything is submitted."""

import re
from dataclasses import dataclass

from unetdyn._checks import check_count
from unetdyn.runs.walltime import seconds_of

_MEMORY = re.compile(r"([1-9]\d*)\s*([KMGT])i?B?", re.IGNORECASE | re.ASCII)
_NAME = re.compile(r"[\w.@:/+=,-]+", re.ASCII)
MOST_SIGNAL_BEFORE = 65535
"""What sbatch(1) allows for `--signal`."""
EARLY = 60
"""So many seconds earlier SLURM may signal (sbatch(1))."""


@dataclass(frozen=True)
class JobSettings:
    """What each task of a job array has, whichever the scheduler.

    Attributes:
        walltime: How long it may run, as `unetdyn.runs.walltime.seconds_of` reads it.
        queue: The queue (PBS) or partition (SLURM); None for the site's default, as of the others that may be None.
        account: Who pays.
        modules: Loaded by `module load`, in this order.
        setup: Lines of shell that come before the command, such as what activates an environment.
        memory: Of each task, with its unit, as `16G`.
        cpus: Of each task.
        gpus: Of each task.
        max_running: How many tasks of one array may run at a time; None for as many as there is room for.
        signal_before: How many seconds before the walltime the training is told to save and end. 120, in which a step
            and a state fit with room to spare.
        max_requeues: How often a task that has reached its walltime is put back into the queue. 20, after which PBS
            would hold it (qsub(1B), `run_count`).

    Raises:
        ValueError: If a value is none that a scheduler could take.

    Example:
        >>> JobSettings("4:00:00", memory="16 gb").seconds
        14400
        >>> JobSettings("0:03:00")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: `walltime` must be longer than `signal_before` by more than 60 s, which SLURM may signal early. ...
    """

    walltime: str
    queue: str | None = None
    account: str | None = None
    modules: tuple[str, ...] = ()
    setup: tuple[str, ...] = ()
    memory: str | None = None
    cpus: int = 1
    gpus: int = 0
    max_running: int | None = None
    signal_before: int = 120
    max_requeues: int = 20

    def __post_init__(self) -> None:
        check_count("cpus", self.cpus, 1, "")
        check_count("gpus", self.gpus, 0, "")
        check_count("signal_before", self.signal_before, 1, "seconds", most=MOST_SIGNAL_BEFORE)
        check_count("max_requeues", self.max_requeues, 0, "")
        if self.max_running is not None:
            check_count("max_running", self.max_running, 1, "tasks", "or None for all")
        if self.seconds <= self.signal_before + EARLY:
            raise ValueError(
                f"`walltime` must be longer than `signal_before` by more than {EARLY} s, which SLURM may signal early. "
                f"Received: walltime={self.walltime!r}, signal_before={self.signal_before}."
            )
        for name, values in (("queue", [self.queue]), ("account", [self.account]), ("modules", self.modules)):
            for value in values:
                if value is not None and not _NAME.fullmatch(value):
                    raise ValueError(f"`{name}` must be a name without spaces or quotes. Received: {name}={value!r}.")
        if self.memory is not None:
            _ = self.memory_parts

    @property
    def seconds(self) -> int:
        """The walltime in seconds."""
        return int(seconds_of(self.walltime))

    @property
    def clock(self) -> str:
        """The walltime as H:MM:SS, which all schedulers read.

        >>> JobSettings("1-12:00:00").clock
        '36:00:00'
        """
        return f"{self.seconds // 3600:02d}:{self.seconds // 60 % 60:02d}:{self.seconds % 60:02d}"

    @property
    def memory_parts(self) -> tuple[int, str] | None:
        """The memory's number, and K, M, G or T, of which each is 1024 of the one before in both schedulers."""
        if self.memory is None:
            return None
        found = _MEMORY.fullmatch(self.memory.strip())
        if found is None:
            raise ValueError(
                "`memory` must be a whole number above 0 with its unit, K, M, G or T, like 16G. (Without one, SLURM "
                f"takes megabytes and PBS bytes.) Received: memory={self.memory!r}."
            )
        return int(found[1]), found[2].upper()
