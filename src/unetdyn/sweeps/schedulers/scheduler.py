"""What one scheduler does differently from another."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from unetdyn.sweeps.schedulers.settings import JobSettings

PATIENCE = 60
"""Seconds for a scheduler's answer; busy ones take some."""


class SchedulerError(ValueError):
    """A scheduler is not there, or has refused; the text says what it said."""


@dataclass(frozen=True)
class Array:
    """What is submitted at once: a job array, or a single job.

    Attributes:
        rows: The rows of the sweep, ascending.
        tasks: What the scheduler's directive of arrays takes; empty for a single job.
        row: What a shell makes the row of, in a task.
        numbers: The number that the scheduler gives each row's task, in the order of `rows`.
    """

    rows: tuple[int, ...]
    tasks: str
    row: str
    numbers: tuple[int, ...]


class Scheduler(Protocol):
    """One of those that know job arrays."""

    @property
    def name(self) -> str:
        """As users choose it."""

    @property
    def program(self) -> str:
        """What submits a script."""

    def arrays(self, rows: Sequence[int], largest: int | None) -> list[Array]:
        """So few arrays of so many tasks at most that together have the rows."""

    def largest_array(self) -> int | None:
        """How many tasks an array may have here; None where that isn't told."""

    def memory(self, settings: JobSettings) -> str | None:
        """As its directive takes it."""

    def job_of(self, printed: str) -> str:
        """The id of the job that `program` has just submitted."""

    def waiting(self, job: str) -> set[int]:
        """The numbers of a job's tasks that wait or run; none once it has left the queue."""


def answer(*command: str) -> str | None:
    """What a program prints; None where it isn't there, fails, or takes too long."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=PATIENCE, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
