"""Work off a sweep on one machine, several rows at once: processes, cores, GPUs, memory, and how they all end."""

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TextIO

import psutil

from unetdyn._checks import check_count
from unetdyn.runs.process import cores
from unetdyn.sweeps.children import Child, Command, command_of
from unetdyn.sweeps.memory import free_memory, is_short, may_start, total_memory
from unetdyn.sweeps.progress import SweepProgress
from unetdyn.sweeps.shares import environment_of, visible_gpus
from unetdyn.sweeps.table import Sweep
from unetdyn.sweeps.work import DONE, FAILED, TAKEN, TRY_AGAIN, next_free

POLL = 0.5
"""Seconds between two looks at the processes: memory that is short must be seen before it is gone."""

LOOK = 30.0
"""Seconds after which rows are looked through again, where none was free: another machine may have let one go."""

LEAST = 120.0
"""Seconds before the walltime in which no row is started: a training keeps 60 of them for its end
(`unetdyn.callbacks.ResumableRun`), and as many may be gone until a backend is loaded and its step compiled."""

TRIES = 2
"""How often a row is started whose process is killed by somebody, such as the kernel for its memory."""


@dataclass(frozen=True)
class LocalOutcome:
    """How it ended.

    Attributes:
        code: 0 if all rows are done; 1 if some have failed, or were killed `TRIES` times; 3 if some are worked on
            elsewhere; 75 before the walltime; 128 + a signal's number.
        text: In a sentence.
    """

    code: int
    text: str


def run_local(
    sweep: Sweep,
    jobs: int = 1,
    walltime: float | None = None,
    stream: TextIO | None = None,
    command: Command = command_of,
    poll: float = POLL,
) -> LocalOutcome:
    """Work off rows until none is free, each in a process of its own, whose output goes to the row's log.

    Each process gets its share of the cores and one GPU (`unetdyn.sweeps.shares`). A row starts when there is memory
    for one as large as the largest so far; where memory gets short the youngest saves its state, ends and waits
    (`unetdyn.sweeps.memory`). A signal (SIGINT, SIGTERM, SIGHUP) is passed on, each process saves its state within a
    step, and this waits for them; a second one kills them.

    If this process itself is killed by SIGKILL, the others go on to the ends of their rows. Those are claimed: started
    again meanwhile, this leaves them alone.

    Args:
        sweep: The sweep.
        jobs: How many at once.
        walltime: Seconds that this process may run, from its start. Default None: as long as it takes.
        stream: Where progress is shown; standard error by default.
        command: What a row's process runs. Default: `unetdyn sweep run SWEEP --row N`, in this Python.
        poll: Seconds; see `POLL`.

    Returns:
        How it ended.

    Raises:
        ValueError: If `jobs` is not at least 1.
    """
    check_count("jobs", jobs, 1, "processes")
    return _Local(sweep, jobs, walltime, stream or sys.stderr, command, poll).run()


class _Local:
    def __init__(
        self, sweep: Sweep, jobs: int, walltime: float | None, stream: TextIO, command: Command, poll: float
    ) -> None:
        self._sweep, self._jobs, self._command, self._poll = sweep, jobs, command, poll
        age = time.time() - psutil.Process().create_time()
        self._end = None if walltime is None else time.monotonic() + walltime - age
        self._progress = SweepProgress(sweep, stream)
        self._gpus, self._cores, self._total = visible_gpus(), cores(), total_memory()
        self._children: list[Child] = []
        self._over: set[int] = set()
        self._killed: Counter[int] = Counter()
        self._largest = 0
        self._looked: float | None = None
        self._signals: list[int] = []
        self._told = False

    def run(self) -> LocalOutcome:
        with self._heard():
            try:
                while True:
                    self._reap()
                    self._pass_on()  # to those that were just being started
                    self._say_so()
                    self._guard()
                    if self._may_go_on():
                        self._start()
                    if not self._children:
                        break
                    self._progress.show()
                    time.sleep(self._poll)
            except BaseException:
                for child in self._children:
                    child.stop()
                raise
        return self._outcome()

    def _may_go_on(self) -> bool:
        return not self._signals and (self._end is None or self._left() > LEAST)

    def _left(self) -> float:
        """Seconds, of which a few are kept for the end of this process itself."""
        return float("inf") if self._end is None else self._end - time.monotonic() - 5.0

    def _start(self) -> None:
        """Fill the places that are free, as long as there are rows and memory."""
        now = time.monotonic()
        if self._children and self._looked is not None and now - self._looked < LOOK:
            return
        while len(self._children) < self._jobs and not self._signals:
            if not may_start(free_memory(), self._largest, [child.memory for child in self._children]):
                return
            number = next_free(self._sweep, self._over | {child.number for child in self._children})
            if number is None:
                self._looked = now
                return
            slot = min(set(range(self._jobs)) - {child.slot for child in self._children})
            environment = environment_of(slot, self._jobs, self._gpus, self._cores, os.environ)
            left = None if self._end is None else self._left()
            command = self._command(self._sweep, number, left)
            self._children.append(Child(self._sweep, number, slot, command, environment))

    def _reap(self) -> None:
        for child in list(self._children):
            if (code := child.code) is None:
                continue
            self._children.remove(child)
            self._looked = None
            self._note(child, code)

    def _note(self, child: Child, code: int) -> None:
        """What the end of a process means for its row."""
        number, log = child.number, self._sweep.log_path(child.number)
        if child.stopping or code == TRY_AGAIN:
            if not self._signals and code != TRY_AGAIN:
                return  # for its memory: it waits for its turn
        elif code < 0 or code == 128 + signal.SIGKILL:
            self._killed[number] += 1
            again = self._killed[number] < TRIES
            then = "is tried again" if again else "is left to `unetdyn sweep retry`"
            self._progress.say(f"Row {number} was killed by {_name(-code)}, and {then}. What it said: {log}")
            if again:
                return
        elif code not in (DONE, TAKEN):
            how = f"was stopped by {_name(code - 128)}" if code > 128 else "has failed"
            self._progress.say(f"Row {number} {how}. What it said: {log}")
        self._over.add(number)

    def _guard(self) -> None:
        """Look at the memory of all, and stop the youngest where it is short; one at a time, for its end frees some."""
        for child in self._children:
            child.look()
            self._largest = max(self._largest, child.memory)
        if len(self._children) < 2 or any(child.stopping for child in self._children):
            return
        if is_short(free_memory(), self._total):
            youngest = max(self._children, key=lambda child: child.began)
            youngest.stop()
            self._progress.say(f"Memory is short: row {youngest.number} saves its state, and goes on later.")

    @contextmanager
    def _heard(self) -> Iterator[None]:
        """Signals are passed on; what is ignored, as under `nohup`, stays ignored."""
        before = {}
        if threading.current_thread() is threading.main_thread():
            numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
            before = {number: signal.getsignal(number) for number in numbers}
            before = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
        try:
            for number in before:
                signal.signal(number, self._hear)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self._signals.append(number)
        self._pass_on()  # at once: a scheduler may have signalled the processes too, which take two at once for one

    def _pass_on(self) -> None:
        """The first signal to all that have not heard one; a second one kills them."""
        for child in self._children if self._signals else ():
            if len(self._signals) > 1:
                child.kill()
            elif not child.stopping:  # else it would be a second one
                child.stop(self._signals[0])

    def _say_so(self) -> None:
        """Not in a signal's handler, which may have come in the midst of another line."""
        if self._signals and not self._told:
            self._told = True
            how = "Each row saves its state, and ends; a second signal kills them."
            self._progress.say(f"{_name(self._signals[0])} came. {how}")

    def _outcome(self) -> LocalOutcome:
        counts = self._progress.look().counts
        self._progress.say(", ".join(f"{number} {state}" for state, number in counts.items() if number))
        left = sum(counts[state] for state in ("missing", "dead", "stopped"))
        path = self._sweep.path
        if self._signals:
            number = self._signals[0]
            return LocalOutcome(
                128 + number, f"Stopped by {_name(number)}. Carry on: unetdyn sweep run {path} --jobs N"
            )
        if left and self._end is not None and self._left() <= LEAST:
            return LocalOutcome(TRY_AGAIN, f"Stopped before the walltime, with {left} rows left.")
        if counts["failed"] or left:
            failed = f"{counts['failed'] + left} rows of {path} are not done: `unetdyn sweep status {path}` says why."
            return LocalOutcome(FAILED, failed)
        if counts["running"]:
            return LocalOutcome(TAKEN, f"{counts['running']} rows of {path} are worked on elsewhere.")
        return LocalOutcome(DONE, f"All rows of {path} are done.")


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
