"""Whose a run directory is: one writer claims it, and proves by a token that it is still its own."""

import json
import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from unetdyn.runs.atomic import create

FILE = "run.json"
TOKEN = "writer"
"""The key of the token in `run.json`."""

_LEFTOVER = re.compile(r"\.run-[0-9a-f]{8}\.json")
"""Of who was killed while he claimed it."""


def claim(folder: Path, text: str) -> None:
    """Make the folder with its `run.json`, or refuse it, so that nobody's files are overwritten.

    Of several who claim one folder at once, in whatever threads or processes, one gets it.

    Args:
        folder: New, or empty; its parents are made.
        text: What `run.json` holds from then on, the token of who claims it among it.

    Raises:
        FileExistsError: If it is a file, holds something, or somebody was faster.
    """
    if folder.is_dir():
        held = sorted(entry.name for entry in folder.iterdir() if not _LEFTOVER.fullmatch(entry.name))
        if held:
            raise FileExistsError(_refusal(folder, held))
    elif folder.exists():
        raise FileExistsError(f"`path` must be a new or empty folder. Received: {folder}, which is a file.")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        create(folder / FILE, text)
    except FileExistsError:
        raise FileExistsError(_refusal(folder, [FILE])) from None


def siblings(folder: Path) -> Iterator[Path]:
    """Where the copies of a writer go: beside its folder, with a number.

    >>> paths = siblings(Path("runs/mine"))
    >>> next(paths).as_posix(), next(paths).as_posix()
    ('runs/mine-2', 'runs/mine-3')
    """
    return (folder.with_name(f"{folder.name}-{number}") for number in count(2))


def token_of(folder: Path) -> str | None:
    """Who claimed a folder; None where its `run.json` does not say.

    Raises:
        OSError: If there is none, or it can't be read.
    """
    try:
        found = json.loads((folder / FILE).read_bytes())[TOKEN]
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, str) else None


class Ownership:
    """Tells whether a claimed folder is still that of who claimed it: it may have been moved away, and claimed anew.

    Args:
        folder: The run directory.
        token: What is under `TOKEN` in its `run.json`.
    """

    def __init__(self, folder: Path, token: str) -> None:
        self._file = folder / FILE
        self._token = token
        self.note()

    def note(self) -> None:
        """What is there now was written by its owner."""
        self._seen = self._signature()

    def check(self) -> None:
        """Ask before each writing; a look at the file's entry is enough as long as nobody else has touched it.

        Raises:
            FileNotFoundError: If there is no such run directory any more.
            FileExistsError: If it is another's.
        """
        seen = self._signature()
        if seen == self._seen:
            return
        if token_of(self._file.parent) != self._token:
            raise FileExistsError(
                f"{self._file.parent} is the run directory of another training now: it was moved away or emptied, and "
                "claimed anew, or another process carries it on. Nothing more of this one is written there."
            )
        self._seen = seen

    def _signature(self) -> tuple[int, ...]:
        found = self._file.stat()
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _refusal(folder: Path, held: list[str]) -> str:
    more = "" if len(held) <= 3 else f" and {len(held) - 3} more"
    return (
        "`path` must be a new or empty folder, so that no earlier run is overwritten. "
        f"Received: {folder}, which holds {', '.join(held[:3])}{more}. Choose another, or move that one away."
    )
