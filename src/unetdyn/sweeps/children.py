"""The processes of rows that one machine works on at once: a row, a process, which gives its memory back at its end."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from unetdyn.sweeps.memory import memory_of
from unetdyn.sweeps.table import Sweep

Command = Callable[[Sweep, int, float | None], list[str]]
"""What a row's process runs, given the sweep, the row and the seconds that it has."""


def command_of(sweep: Sweep, number: int, walltime: float | None) -> list[str]:
    """What a person would type.

    >>> from pathlib import Path
    >>> command_of(Sweep(Path("sweeps/rates"), "rates", "", {}, {}, {}, ()), 3, None)[1:]
    ['-m', 'unetdyn.cli', 'sweep', 'run', 'sweeps/rates', '--row', '3']
    """
    time_left = [] if walltime is None else ["--walltime", f"{walltime:.0f}"]
    return [sys.executable, "-m", "unetdyn.cli", "sweep", "run", str(sweep.path), "--row", str(number), *time_left]


class Child:
    """A row's process, in a session of its own: what a terminal sends reaches it by its parent only, and once.

    If its parent is killed it goes on to the end of its row, which stays claimed; nothing is done twice.

    Args:
        sweep: The sweep; what the process prints is appended to the row's log.
        number: Of the row.
        slot: Which of the places on this machine it has.
        command: What it runs.
        environment: All of it.

    Attributes:
        number: Of the row.
        slot: Its place.
        began: When it was started, as `time.monotonic`.
        largest: Bytes of memory that it was seen to have at most.
        stopping: Whether it was told to save its state and end.
    """

    def __init__(self, sweep: Sweep, number: int, slot: int, command: list[str], environment: dict[str, str]) -> None:
        self.number, self.slot = number, slot
        self.began = time.monotonic()
        self.memory = self.largest = 0
        self.stopping = False
        log = sweep.log_path(number)
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=os.name == "posix",
            )

    @property
    def code(self) -> int | None:
        """How it ended, as `subprocess.Popen.returncode`; None while it runs."""
        return self._process.poll()

    def look(self) -> None:
        """See how much memory it has."""
        self.memory = memory_of(self._process.pid)
        self.largest = max(self.largest, self.memory)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Let it save its state and end.

        Args:
            number: The signal.
        """
        self.stopping = True
        self._process.send_signal(number)

    def kill(self) -> None:
        """End it at once, with what it has started."""
        self.stopping = True
        with suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
