"""Whose the states of a training are, where no run directory says it: of two that go on from them, one gets them."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from unetdyn.runs.atomic import replacing
from unetdyn.runs.claim import TOKEN
from unetdyn.runs.process import identity
from unetdyn.runs.taking_over import check_is_left, taking_over

FILE = "process.json"


class StateClaim:
    """Claims a folder of states for a process, and proves before each writing that it is still its own.

    Args:
        folder: Of a `StateStore`.

    Example:
        >>> import tempfile
        >>> first, second = (StateClaim(Path(folder)) for folder in [tempfile.mkdtemp()] * 2)
        >>> first.take()
        >>> first.check()
        >>> second.take()  # this process may: a notebook starts again after an exception
        >>> try:
        ...     first.check()
        ... except FileExistsError as error:
        ...     print(str(error).partition(" goes on ")[2])
        from the states in it. Nothing more of this one is written there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._token: str | None = None

    def take(self) -> None:
        """Let the folder be this process's; it is made where it is missing.

        Raises:
            FileExistsError: If the process that has it still lives, or another one takes it at this moment.
            NotADirectoryError: If it is a file; another OSError where nothing can be written there.

        Warns:
            UserWarning: Where that process ran on another host, and nothing tells whether it still does.
        """
        if self.folder.exists() and not self.folder.is_dir():
            raise NotADirectoryError(f"{self.folder} must be a folder, and is a file: move it away.")
        self.folder.mkdir(parents=True, exist_ok=True)
        with taking_over(self.folder, ".taken-", self._read) as (now, token):
            check_is_left(self.folder, now)
            self._write(token, "running")
            self._token = token

    def check(self) -> None:
        """Ask before each writing; without `take` nothing is asked.

        Raises:
            FileExistsError: If another training has the folder now, or there is none any more.
        """
        if self._token is not None and self._read()[TOKEN] != self._token:
            raise FileExistsError(
                f"{self.folder} is not this training's any more: it was moved away, or another training goes on from "
                "the states in it. Nothing more of this one is written there."
            )

    def release(self) -> None:
        """The training has ended, and another process may go on from where it did."""
        with suppress(OSError):
            if self._token is not None and self._read()[TOKEN] == self._token:
                self._write(self._token, "finished")
        self._token = None

    def _write(self, token: str, status: str) -> None:
        content = {TOKEN: token, "status": status, "process": identity()}
        with replacing(self.folder / FILE) as temporary:
            temporary.write_text(json.dumps(content) + "\n", encoding="ascii")

    def _read(self) -> dict[str, Any]:
        """What the file says; of what says nothing, that it is nobody's."""
        with suppress(OSError, ValueError):
            found = json.loads((self.folder / FILE).read_bytes())
            if isinstance(found, dict) and isinstance(found.get(TOKEN), str) and found[TOKEN].isalnum():
                process = found.get("process") if isinstance(found.get("process"), dict) else None
                return {TOKEN: found[TOKEN], "status": found.get("status"), "process": process}
        return {TOKEN: "none", "status": "finished", "process": None}
