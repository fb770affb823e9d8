"""Who works on a row of a sweep: one process at a time, on whatever host, and another one when that is gone.

A row is claimed by making its file exclusively, with a hard link; each change afterwards replaces the file atomically,
under a lock that is made in the same way. So nothing is asked of a file system but exclusive creation and renaming,
which NFS, Lustre and BeeGFS have; no `flock`, no data base, no symbolic link.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from unetdyn.runs.atomic import create, replacing
from unetdyn.runs.claim import TOKEN
from unetdyn.runs.file_clock import now_in
from unetdyn.runs.process import identity, in_words, is_alive
from unetdyn.runs.strict_json import dumps
from unetdyn.runs.taking_over import taking_over
from unetdyn.sweeps.heartbeat import HEARTBEAT, Heartbeat
from unetdyn.sweeps.table import Sweep, SweepError

DEAD_AFTER = 600.0
"""Seconds without a heartbeat after which a process of another host is taken for dead.

A client of NFS may show a file's time up to 60 s late (`acregmax` of nfs(5)), a server that is restarted is away for
some minutes, and twenty heartbeats are none in a row by chance. Who is taken for dead and lives loses no more than the
steps since its last state: it finds its claim taken, and ends.
"""

STATES = ("working", "done", "failed", "stopped", "free")


class Claimed(SweepError):
    """Another process works on the row."""


class Failed(SweepError):
    """The row was tried, and failed."""


@dataclass(frozen=True)
class Record:
    """What a claim's file says.

    Attributes:
        token: Of who made it last; None if the file is damaged.
        state: One of `STATES`.
        process: As `unetdyn.runs.process.identity`, or None.
        attempts: How often somebody began with the row.
        exit: The exit code of who ended.
        text: What ended it, in a sentence.
        time: When that was written, in ISO 8601.
    """

    token: str | None = None
    state: str = "working"
    process: Mapping[str, Any] | None = None
    attempts: int = 0
    exit: int | None = None
    text: str | None = None
    time: str | None = None


def read_claim(file: Path) -> Record | None:
    """What a claim says; None where there is none. Of a damaged one, that somebody may work.

    Args:
        file: `Sweep.claim_path`.

    Raises:
        OSError: If it is there, and can't be read.
    """
    try:
        found = json.loads(file.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):
        return Record()
    if not isinstance(found, dict) or not isinstance(found.get(TOKEN), str) or found.get("state") not in STATES:
        return Record()
    process, attempts, code = (found.get(key) for key in ("process", "attempts", "exit"))
    return Record(
        token=found[TOKEN],
        state=found["state"],
        process=process if isinstance(process, dict) else None,
        attempts=attempts if isinstance(attempts, int) else 0,
        exit=code if isinstance(code, int) else None,
        text=str(found["text"]) if found.get("text") else None,
        time=str(found["time"]) if found.get("time") else None,
    )


def beat_age(file: Path, now: float | None = None) -> float:
    """Seconds since the last heartbeat, by the clock of the file system.

    Args:
        file: `Sweep.claim_path`.
        now: From `now_in` its folder, where many are asked for.
    """
    return max((now_in(file.parent) if now is None else now) - file.stat().st_mtime, 0.0)


def is_dead(record: Record, age: float, dead_after: float = DEAD_AFTER) -> bool:
    """Whether who works on a row is gone.

    Args:
        record: Of the claim.
        age: Seconds since its last heartbeat. Only where nothing else is known of the process it counts.
        dead_after: See `DEAD_AFTER`.

    Example:
        >>> elsewhere = Record("1", "working", {"host": "gpu7", "pid": 4711})
        >>> is_dead(elsewhere, age=30), is_dead(elsewhere, age=700)
        (False, True)
        >>> is_dead(Record("1", "working", identity()), age=700)  # a host that slept, or a heartbeat that failed
        False
    """
    alive = is_alive(record.process)
    return record.state == "working" and (alive is False or (alive is None and age > dead_after))


class Claim:
    """A row that is this process's; made by `claim`.

    Attributes:
        sweep: The sweep.
        number: Of the row.
        attempts: How often somebody has begun with it, this time included.
        before: What the claim said before; None where the row was never claimed.
    """

    def __init__(self, sweep: Sweep, number: int, token: str, before: Record | None) -> None:
        self.sweep, self.number, self.before = sweep, number, before
        self.attempts = (before.attempts if before else 0) + 1
        self.ended = False
        self._token = token
        self._file = sweep.claim_path(number)

    @property
    def lost(self) -> bool:
        """Whether another process has the row by now."""
        found = read_claim(self._file)
        return found is None or found.token != self._token

    def end(self, state: str, code: int | None = None, text: str | None = None) -> bool:
        """Say what became of the row, and let it go.

        Args:
            state: Of `STATES`, but not "working".
            code: The exit code.
            text: What ended it, in a sentence.

        Returns:
            Whether that could be said; it is not said if another process has the row.
        """
        self.ended = True
        try:
            with _changing(self.sweep, self.number) as (now, _):
                if now is None or now.token != self._token:
                    return False
                _write(self._file, Record(self._token, state, identity(), self.attempts, code, text))
                return True
        except OSError:  # it is just being taken; or a full disk, and then the process's end says enough
            return False


@contextmanager
def claim(
    sweep: Sweep,
    number: int,
    heartbeat: float = HEARTBEAT,
    dead_after: float = DEAD_AFTER,
    on_lost: Callable[[], None] | None = None,
) -> Iterator[Claim]:
    """Have a row for as long as a block takes.

    Of several that ask for it at once, one gets it. A row whose process is gone, that was stopped, freed, or done
    without leaving a finished run may be had again.

    Args:
        sweep: The sweep.
        number: Of the row.
        heartbeat: Seconds between two signs of life; see `unetdyn.sweeps.heartbeat.HEARTBEAT`.
        dead_after: Seconds after which who gives none is dead, if nothing else tells; see `DEAD_AFTER`. At least three
            heartbeats.
        on_lost: Called, in another thread, when another process is found to have the row. Default: nothing is done.

    Yields:
        The claim. If the block does not `end` it, it ends as "stopped", with what was raised.

    Raises:
        Claimed: If another process works on it.
        Failed: If it has failed, and was not freed by `unetdyn sweep retry --failed`.
        SweepError: If there is no such row.

    Example:
        >>> import tempfile
        >>> from unetdyn.sweeps.table import Row, freeze
        >>> sweep = freeze(tempfile.mkdtemp(), "one", "2026-11-27", {}, {}, {}, [Row(1, 1, 0, {}, {}, "")])
        >>> with claim(sweep, 1) as mine:
        ...     try:
        ...         with claim(sweep, 1):
        ...             print("two have it")
        ...     except Claimed:
        ...         print("taken")
        ...     _ = mine.end("stopped", 75, "the walltime")
        taken
        >>> read_claim(sweep.claim_path(1)).text
        'the walltime'
    """
    if dead_after < 3 * heartbeat:
        raise SweepError(
            "`dead_after` must be at least three times `heartbeat`, or who lives is taken for dead. "
            f"Received: dead_after={dead_after}, heartbeat={heartbeat}."
        )
    sweep.row(number)
    held = _take(sweep, number, dead_after)
    beat = Heartbeat(sweep.claim_path(number), heartbeat, lambda: held.lost, on_lost)
    try:
        yield held
    except BaseException as error:
        if not held.ended:
            held.end("stopped", text=f"{type(error).__name__}: {error}")
        raise
    finally:
        beat.stop()
        if not held.ended:
            held.end("stopped", text="It ended without a word.")


def free(sweep: Sweep, number: int, may: Callable[[Record], bool]) -> bool:
    """Let a row be done again by whoever asks for it.

    Args:
        sweep: The sweep.
        number: Of the row.
        may: Asked under the lock, with what the claim says then.

    Returns:
        Whether it is free now; not if `may` refuses, or somebody takes it at this moment.
    """
    try:
        with _changing(sweep, number) as (now, token):
            if now is not None and not may(now):
                return False
            _write(sweep.claim_path(number), Record(token, "free", None, now.attempts if now else 0))
            return True
    except FileExistsError:
        return False


def _take(sweep: Sweep, number: int, dead_after: float) -> Claim:
    file, token = sweep.claim_path(number), uuid.uuid4().hex
    if not file.exists():
        try:
            create(file, _text(Record(token, "working", identity(), 1)))
            return Claim(sweep, number, token, None)
        except FileExistsError:
            pass
        except FileNotFoundError:
            raise SweepError(f"{file.parent} must be there; it is made with {sweep.path / 'sweep.json'}.") from None
    _check_may_be_taken(sweep, number, dead_after)  # before a lock is made for nothing
    try:
        with _changing(sweep, number) as (before, token):
            _check_may_be_taken(sweep, number, dead_after)
            taken = Claim(sweep, number, token, before)
            _write(file, Record(token, "working", identity(), taken.attempts))
            return taken
    except FileExistsError as error:
        raise Claimed(f"Row {number} of {sweep.path} is just being taken: {error}") from None


def _check_may_be_taken(sweep: Sweep, number: int, dead_after: float) -> None:
    file = sweep.claim_path(number)
    found = read_claim(file)
    if found is None:
        return
    if found.state == "failed":
        raise Failed(
            f"Row {number} of {sweep.path} has failed: {found.text} To try it again: `unetdyn sweep retry "
            f"{sweep.path} --failed`."
        )
    if found.state == "working" and not is_dead(found, age := beat_age(file), dead_after):
        raise Claimed(
            f"Row {number} of {sweep.path} is worked on by {in_words(found.process)}, whose last sign of life is "
            f"{age:.0f} s old."
        )


@contextmanager
def _changing(sweep: Sweep, number: int) -> Iterator[tuple[Record | None, str]]:
    """What a claim says while nobody else may change it, and a token for who takes it."""
    file = sweep.claim_path(number)

    def read() -> dict[str, Any]:
        found = read_claim(file)
        return {TOKEN: found.token if found else None, "record": found}

    with taking_over(file.parent, f".taken-{sweep.label(number)}-", read) as (now, token):
        yield now["record"], token


def _write(file: Path, record: Record) -> None:
    with replacing(file) as temporary:
        temporary.write_text(_text(record), encoding="utf-8")


def _text(record: Record) -> str:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    shown = {**vars(record), "time": now}
    return dumps({TOKEN: shown.pop("token"), **shown}, indent=1) + "\n"
