"""Taking over a run directory whose training has ended, or was killed: of several who try at once, one gets it."""

import json
import re
import time
import uuid
import warnings
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from unetdyn.runs import strict_json
from unetdyn.runs.atomic import create, replacing
from unetdyn.runs.claim import FILE, TOKEN
from unetdyn.runs.process import identity, in_words, is_alive
from unetdyn.runs.records import RunError, parse_header

HELD_FOR = 60.0
"""Seconds after which a lock of which nobody knows is a killed process's: who lives has it for some milliseconds."""

_Parse = Callable[[bytes, str], tuple[list[dict[str, Any]], list[str]]]


def take_over(folder: Path) -> tuple[dict[str, Any], str | None]:
    """Make a run directory that of this process: its token is a new one, by which an earlier writer knows.

    Args:
        folder: The run directory.

    Returns:
        What `run.json` holds from then on, and what had ended the training: a signal's name, an error, "finished"; None
        where it was killed.

    Raises:
        FileNotFoundError: If it is no run directory.
        RunError: If `run.json` is damaged, or of a newer version.
        FileExistsError: If the training still runs, or another process takes it over at this moment.
    """
    while True:
        header = _header(folder)
        locks = f".reopened-{_plain(header.get(TOKEN))}-"
        lock = lock_in(folder, locks)
        if lock is None:
            continue
        try:
            if (now := _header(folder)).get(TOKEN) != header.get(TOKEN):
                continue  # somebody was faster, and has let the lock go
            check_is_left(folder, now)
            taken = {**now, TOKEN: uuid.uuid4().hex, "process": identity(), "status": "running", "finished": None}
            with replacing(folder / FILE) as temporary:
                temporary.write_text(strict_json.dumps(taken, indent=2) + "\n", encoding="utf-8")
            for file in folder.glob(".reopened-*.json"):  # those of the killed, who are not asked any more
                if taken[TOKEN] not in file.name:
                    _remove(file)
            return taken, ended_by(now)
        finally:
            _remove(lock)


def ended_by(header: dict[str, Any]) -> str | None:
    """What had ended a run: a signal's name, an error, "finished"; None where it was killed.

    >>> ended_by({"status": "interrupted", "summary": {"signal": "SIGTERM", "error": "SIGTERM came."}})
    'SIGTERM'
    """
    if header["status"] == "running":
        return None
    summary = header["summary"]
    return str(summary.get("signal") or summary.get("error") or header["status"])


def keep_lines(file: Path, lines: int, parse: _Parse) -> list[dict[str, Any]]:
    """Cut off what comes after the first lines of a file.

    Args:
        file: It need not be there if no line is to be kept.
        lines: How many.
        parse: Of `unetdyn.runs.records`, for such lines.

    Returns:
        What they hold.

    Raises:
        RunError: If there are fewer, or one of them is damaged; nothing is changed then.
    """
    content = file.read_bytes() if file.is_file() else b""
    end = 0
    for number in range(lines):
        end = content.find(b"\n", end) + 1
        if not end:
            raise RunError(
                f"{file} must have the {lines} lines that the state of the training counts. It has {number}. Put the "
                "file back from a copy, or train anew in another directory."
            )
    records, notes = parse(content[:end], file.name)
    if len(records) != lines:
        why = notes[0] if notes else f"{file.name}: {lines - len(records)} of its lines are empty."
        raise RunError(f"{file} is damaged, and the training can't go on with it. {why} Put it back from a copy.")
    if end < len(content):
        with replacing(file) as temporary:
            temporary.write_bytes(content[:end])
    return records


def _header(folder: Path) -> dict[str, Any]:
    file = folder / FILE
    if not file.is_file():
        raise FileNotFoundError(f"`path` must be a run directory, which has a {FILE}. Received: {folder}.")
    content = file.read_bytes()
    parse_header(content, file)
    return strict_json.restore_numbers(json.loads(content))  # whole numbers of any size, as they were written


def check_is_left(folder: Path, header: dict[str, Any]) -> None:
    """What has ended may be carried on, also while its process lives on, as a notebook's does."""
    held = header.get("process")
    if header["status"] != "running" or (alive := is_alive(held)) is False:
        return
    if alive and held is not None and held.get("pid") == identity()["pid"]:
        return  # an exception of which nobody told has ended it
    if alive:
        raise FileExistsError(
            f"{folder} is the run directory of a training that runs: {in_words(held)} writes it. Received: a second "
            "one that would carry it on. Wait until that has ended, or end it, and try again."
        )
    warnings.warn(
        f"{folder} is taken over from {in_words(held)}, of which nothing here tells whether it still runs. If it does, "
        "it writes nothing more there from now on; end it.",
        UserWarning,
        stacklevel=5,
    )


def lock_in(folder: Path, name: str) -> Path | None:
    """The first place in a row that nobody has, if those before are of the dead; None to look again.

    No lock is ever taken away from anybody, which two could do to each other's: who finds a dead one's makes the next.
    """
    for number in count():
        lock = folder / f"{name}{number}.json"
        if not lock.exists():
            with suppress(FileExistsError):
                create(lock, json.dumps(identity()))
                return lock
        try:
            age = time.time() - lock.stat().st_mtime
            held = json.loads(lock.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError:
            held = None
        held = held if isinstance(held, dict) else None
        alive = is_alive(held)
        if alive or (alive is None and age < HELD_FOR):
            raise FileExistsError(
                f"{folder} is taken over by another process at this moment: {in_words(held)}. One of several that "
                "carry on a run gets it. If that one is gone, try again in a minute."
            )
    raise AssertionError("there is no end of numbers")


def _plain(token: Any) -> str:
    """As a part of a file's name; older runs have none."""
    return token if isinstance(token, str) and re.fullmatch("[0-9a-f]{32}", token) else "none"


def _remove(file: Path) -> None:
    with suppress(OSError):
        file.unlink(missing_ok=True)
