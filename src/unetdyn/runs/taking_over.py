"""Taking a folder over, that of a run or of states: of several who try at once, one gets it."""

import json
import re
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from unetdyn.runs.atomic import create, remove
from unetdyn.runs.claim import TOKEN
from unetdyn.runs.file_clock import now_in
from unetdyn.runs.process import identity, in_words, is_alive

HELD_FOR = 60.0
"""Seconds after which a lock of which nobody knows is a killed process's: who lives has it for some milliseconds."""


@contextmanager
def taking_over(folder: Path, lock: str, read: Callable[[], dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    """Lock a folder for the moment in which its token is replaced, by which an earlier owner knows.

    Args:
        folder: The folder.
        lock: How the names of its locks begin: hidden ones.
        read: Reads what the folder says of its owner, the token under `TOKEN` among it.

    Yields:
        What `read` gives while the lock is held, and a new token: write it before the block ends.

    Raises:
        FileExistsError: If another process takes it over at this moment.
    """
    while True:
        token = read().get(TOKEN)
        held = _lock_in(folder, f"{lock}{_plain(token)}-")
        if held is None:
            continue
        try:
            if (now := read()).get(TOKEN) != token:
                continue  # somebody was faster, and has let the lock go
            new = uuid.uuid4().hex
            yield now, new
            for file in folder.glob(f"{lock}*.json"):  # those of the killed, who are not asked any more
                if new not in file.name:
                    remove(file)
            for file in folder.glob(f".{lock}*.json"):  # half made: who lives is about to find that he is too late
                with suppress(FileNotFoundError):
                    if not _holder(file)[1]:
                        remove(file)
            return
        finally:
            remove(held)


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


def _lock_in(folder: Path, name: str) -> Path | None:
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
            held, lives = _holder(lock)
        except FileNotFoundError:
            return None
        if lives:
            raise FileExistsError(
                f"{folder} is taken over by another process at this moment: {in_words(held)}. One of several that "
                "carry on a run gets it. If that one is gone, try again in a minute."
            )
    raise AssertionError("there is no end of numbers")


def _holder(lock: Path) -> tuple[dict[str, Any] | None, bool]:
    """Who has made a lock, or half of one, and whether he may still be at it.

    Raises:
        FileNotFoundError: If it is gone.
    """
    made = lock.stat().st_mtime
    try:
        held = json.loads(lock.read_bytes())
    except ValueError:
        held = None
    held = held if isinstance(held, dict) else None
    alive = is_alive(held)
    return held, alive or (alive is None and now_in(lock.parent) - made < HELD_FOR)


def _plain(token: Any) -> str:
    """As a part of a file's name; older runs have none."""
    return token if isinstance(token, str) and re.fullmatch("[0-9a-f]{32}", token) else "none"
