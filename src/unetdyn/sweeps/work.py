"""Work off rows: claim one, train it, and say in its claim what became of it."""

import os
import signal
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TextIO

from unetdyn.runs.signals import Signalled, signals_raise
from unetdyn.sweeps.claims import DEAD_AFTER, Claim, Claimed, Failed, claim, is_dead, read_claim
from unetdyn.sweeps.claims import beat_age as age_of
from unetdyn.sweeps.heartbeat import HEARTBEAT
from unetdyn.sweeps.row_training import OutOfTime, is_done, run_of, train_row
from unetdyn.sweeps.table import Sweep, SweepError

DONE, FAILED, REFUSED, TAKEN, TRY_AGAIN = 0, 1, 2, 3, 75
"""The exit codes of `unetdyn sweep run --row`; after a signal it is 128 and its number."""

Train = Callable[[Sweep, int, float | None, TextIO | None], None]
"""Trains a row to its end, as `unetdyn.sweeps.row_training.train_row`."""


@dataclass(frozen=True)
class Outcome:
    """What became of a row.

    Attributes:
        number: Of the row.
        code: `DONE`; `TRY_AGAIN` before the walltime; 128 + a signal's number; `FAILED`; `REFUSED` where it can't be
            done as it is asked; `TAKEN` where somebody else has it.
        text: In a sentence.
        error: What was raised, where the training failed.
    """

    number: int
    code: int
    text: str
    error: Exception | None = None


def work_row(
    sweep: Sweep,
    number: int,
    train: Train | None = None,
    walltime: float | None = None,
    stream: TextIO | None = None,
    heartbeat: float = HEARTBEAT,
    dead_after: float = DEAD_AFTER,
) -> Outcome:
    """Do a row: nothing if it is done, what is left of it if somebody has begun, and all else.

    Its run directory is the truth: a row whose run is finished is done, whatever its claim says. A signal ends it as
    it ends `unetdyn train`, within a step and with its state saved. So does the loss of its claim, which is SIGTERM to
    this process, where this is its main thread; in another the run directory refuses what it writes.

    Args:
        sweep: The sweep.
        number: Of the row.
        train: Trains it. Default: `unetdyn.sweeps.row_training.train_row`.
        walltime: Seconds that this process may run, from its start. Default None: as long as it takes.
        stream: Where progress is shown; standard output by default.
        heartbeat: See `unetdyn.sweeps.claims.claim`.
        dead_after: See `unetdyn.sweeps.claims.claim`.

    Returns:
        What became of it.

    Raises:
        SweepError: If there is no such row.

    Example:
        >>> import tempfile
        >>> from unetdyn.runs import RunWriter
        >>> from unetdyn.sweeps.table import Row, freeze
        >>> sweep = freeze(tempfile.mkdtemp(), "one", "2026-11-27", {}, {}, {}, [Row(1, 1, 0, {}, {}, "")])
        >>> def nothing(sweep, number, walltime, stream):
        ...     RunWriter(sweep.run_path(number)).finish()
        >>> work_row(sweep, 1, nothing).text, work_row(sweep, 1, nothing).text
        ('Row 1 is done.', 'Row 1 was done before.')
    """
    sweep.row(number)
    if is_done(run_of(sweep, number)):
        return Outcome(number, DONE, f"Row {number} was done before.")
    try:
        with signals_raise(), claim(sweep, number, heartbeat, dead_after, _end_this_process()) as mine:
            if is_done(run_of(sweep, number)):  # by who had it until just now
                mine.end("done", DONE)
                return Outcome(number, DONE, f"Row {number} was done before.")
            return _trained(mine, train or train_row, walltime, stream)
    except Claimed as error:
        return Outcome(number, TAKEN, str(error))
    except Failed as error:
        return Outcome(number, FAILED, str(error))


def next_free(sweep: Sweep, but: Collection[int] = (), dead_after: float = DEAD_AFTER) -> int | None:
    """The row to do next: first of those that nobody has begun; then of those that were, the least often tried one.

    Stopped rows and those of the dead are free; failed ones are not: `unetdyn sweep retry --failed` frees them.

    Args:
        sweep: The sweep.
        but: Rows that are not asked for.
        dead_after: See `unetdyn.sweeps.claims.DEAD_AFTER`.

    Returns:
        Its number, which somebody else may claim first; None if no row is free.
    """
    return next(_free_rows(sweep, but, dead_after), None)


def work(
    sweep: Sweep, train: Train | None = None, walltime: float | None = None, stream: TextIO | None = None
) -> list[Outcome]:
    """Do one row after the other in this process, until none is free, or a signal or the walltime ends it.

    Each row is tried once. Keras gives little of a finished training's memory back: where many rows are real trainings,
    `unetdyn.sweeps.local.run_local` gives each a process of its own.

    Args:
        sweep: The sweep.
        train: As of `work_row`, as the others.
        walltime: As of `work_row`.
        stream: As of `work_row`.

    Returns:
        What became of each row that this process has tried; the last one tells why it ended, if rows are left.
    """
    outcomes: list[Outcome] = []
    seen: set[int] = set()
    while True:
        taken = False
        for number in _free_rows(sweep, seen, DEAD_AFTER):
            outcome = work_row(sweep, number, train, walltime, stream)
            if outcome.code == TAKEN:  # somebody was faster; it may become free again
                continue
            taken = True
            seen.add(number)
            outcomes.append(outcome)
            if outcome.code >= TRY_AGAIN:
                return outcomes
        if not taken:
            return outcomes


def _trained(mine: Claim, train: Train, walltime: float | None, stream: TextIO | None) -> Outcome:
    """Train, and put what came of it into the claim."""
    sweep, number = mine.sweep, mine.number
    try:
        train(sweep, number, walltime, stream)
        if not is_done(run_of(sweep, number)):
            raise SweepError(f"Its training has left no finished run in {sweep.run_path(number)}.")
        outcome, state = Outcome(number, DONE, f"Row {number} is done."), "done"
    except OutOfTime as error:
        outcome, state = Outcome(number, TRY_AGAIN, _ended(number, "stopped before the walltime", error)), "stopped"
    except (Signalled, KeyboardInterrupt) as error:
        code = error.number if isinstance(error, Signalled) else signal.SIGINT
        if mine.lost:
            return Outcome(number, TAKEN, f"Row {number} was taken over by another process, and ended here.")
        name = signal.Signals(code).name
        outcome, state = Outcome(number, 128 + code, _ended(number, f"stopped by {name}", error)), "stopped"
    except Claimed:
        mine.end("free")
        raise
    except Exception as error:
        if mine.lost:
            return Outcome(number, TAKEN, f"Row {number} was taken over by another process. {_said(error)}")
        code = REFUSED if isinstance(error, SweepError) else FAILED
        outcome, state = Outcome(number, code, _ended(number, "failed", error), error), "failed"
    mine.end(state, outcome.code, None if state == "done" else outcome.text)
    return outcome


def _free_rows(sweep: Sweep, but: Collection[int], dead_after: float) -> Iterator[int]:
    """Those that nobody has begun, as they are asked for; then those that were, by their attempts."""
    begun = []
    for row in sweep.rows:
        if row.number in but:
            continue
        if sweep.claim_path(row.number).exists() or sweep.run_path(row.number).exists():
            begun.append(row.number)
        else:
            yield row.number
    tried = [(attempts, number) for number in begun if (attempts := _attempts(sweep, number, dead_after)) is not None]
    yield from (number for _, number in sorted(tried))


def _attempts(sweep: Sweep, number: int, dead_after: float) -> int | None:
    """How often a free row was begun; None if it is not free."""
    file = sweep.claim_path(number)
    found = read_claim(file)
    if found is not None and found.state == "failed":
        return None
    if found is not None and found.state == "working" and not is_dead(found, age_of(file), dead_after):
        return None
    run = run_of(sweep, number)
    if is_done(run) or (found is None and run is not None and run.status == "failed"):
        return None
    return found.attempts if found else 1


def _end_this_process() -> Callable[[], None] | None:
    """What is done when a claim is lost: a signal, which reaches the main thread; in another it would end all else."""
    if threading.current_thread() is not threading.main_thread():
        return None
    return lambda: os.kill(os.getpid(), signal.SIGTERM)


def _ended(number: int, how: str, error: BaseException) -> str:
    said = "" if isinstance(error, Signalled | KeyboardInterrupt | OutOfTime) else _said(error)
    return f"Row {number} {how}." + (f" {said}" if said else "")


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, SweepError) else f"{type(error).__name__}: {text}"
