"""A result that is not complete yet: under a name of its own, with a small file that says how far it is."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unetdyn.runs import strict_json
from unetdyn.runs.atomic import remove, replacing, sync_folder


def check_free(out: Path, overwrite: bool) -> None:
    """Refuse a result that is there already, unless it is to be replaced, and a folder that is not there."""
    if not out.parent.is_dir():
        raise FileNotFoundError(f"`out` must lie in a folder that is there. Received: out={str(out)!r}.")
    if out.exists() and not overwrite:
        raise FileExistsError(
            f"`out` must not be there yet. Received: out={str(out)!r}, which is. Pass overwrite=True to replace it."
        )


class Unfinished:
    """`NAME.partial` and `NAME.progress.json` beside the result, as long as it is not complete.

    What the second says is done is written and never touched again. It is replaced atomically after each piece, so a
    kill loses what was not finished. Both go when all is done: then the first takes the name of the result.

    Args:
        out: The result.
        made_from: What the result depends on: whoever carries on must have the same.

    Attributes:
        out: The same.
        partial: Where it is written.
        done: How many lines are.
        place: Where in the file its values begin; None where there is nothing to carry on.

    Raises:
        ValueError: If it was begun with something else.
    """

    def __init__(self, out: Path, made_from: Mapping[str, Any]) -> None:
        self.out, self.partial = out, out.with_name(f"{out.name}.partial")
        self._file = out.with_name(f"{out.name}.progress.json")
        self._made_from = json.loads(strict_json.dumps(dict(made_from)))
        said = self._said()
        self.done = 0 if said is None else int(said["done"])
        self.place: int | None = None if said is None else int(said["place"])
        if said is None:
            _remove(self.partial)

    def begin(self, place: int) -> None:
        """The file is there, and none of its values."""
        self.place = place
        self.note(0)

    def note(self, done: int) -> None:
        """So many lines are written."""
        self.done = done
        said = {"format": 1, "done": done, "place": self.place, "made_from": self._made_from}
        with replacing(self._file) as temporary:
            temporary.write_text(strict_json.dumps(said, indent=1), encoding="utf-8")

    def finish(self) -> None:
        """All is written."""
        if self.partial.is_dir() and self.out.exists():  # a folder takes the place of nothing but an empty one
            old = self.out.with_name(f"{self.out.name}.old")
            _remove(old)
            self.out.rename(old)
            self.partial.rename(self.out)
            _remove(old)
        else:
            self.partial.replace(self.out)
        sync_folder(self.out.parent)
        remove(self._file)

    def _said(self) -> dict[str, Any] | None:
        """What was noted, or None where nothing can be carried on."""
        if not self.partial.exists() or not self._file.is_file():
            return None
        try:
            said = strict_json.loads(self._file.read_bytes())
            before = dict(said["made_from"])
            int(said["done"]), int(said["place"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"`out` is half done, but {self._file} is damaged ({error}). Delete {self.partial} to begin anew."
            ) from error
        for name in sorted({*before, *self._made_from}):
            if before.get(name) != self._made_from.get(name):
                raise ValueError(
                    f"`out` is half done with another `{name}`: it was begun with {name}={before.get(name)!r}. "
                    f"Received: {name}={self._made_from.get(name)!r}. Pass the same to carry on, or delete "
                    f"{self.partial} to begin anew."
                )
        return said


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
