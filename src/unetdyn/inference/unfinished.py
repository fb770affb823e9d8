"""A result that is not complete yet: under a name of its own, with a small file that says how far it is."""

import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from unetdyn.runs import strict_json
from unetdyn.runs.atomic import remove, remove_leftovers_of, replacing, sync_folder
from unetdyn.runs.claim import TOKEN
from unetdyn.runs.process import identity, in_words, is_alive
from unetdyn.runs.taking_over import taking_over


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
    kill loses what was not finished. It also says which process writes: of two, one gets the result. Both files go when
    all is done: then the first takes the name of the result. Use it in a `with` block, at whose end the process lets
    go.

    Args:
        out: The result.
        made_from: What the result depends on: whoever carries on must have the same.
        overwrite: Whether what is there is replaced. Default False.

    Attributes:
        out: The same.
        partial: Where it is written.
        done: How many lines are.
        place: Where in the file its values begin; None where there is nothing to carry on.

    Raises:
        FileExistsError: If it is there, another process writes it, or takes it over at this moment.
        ValueError: If it was begun with something else.
    """

    def __init__(self, out: Path, made_from: Mapping[str, Any], overwrite: bool = False) -> None:
        self.out, self.partial = out, out.with_name(f"{out.name}.partial")
        self._file = out.with_name(f"{out.name}.progress.json")
        self._made_from = json.loads(strict_json.dumps(dict(made_from)))
        self._process: dict[str, Any] | None = identity()
        with taking_over(out.parent, f".{out.name}.taken-", self._said) as (said, self._token):
            self._check_left(said)
            check_free(out, overwrite)  # by now another process may have completed it
            self.done, self.place = 0, None
            if self.partial.exists() and said:
                self._check_same(dict(said["made_from"]))
                self.done, self.place = int(said["done"]), said["place"]
            if self.place is None:
                _remove(self.partial)
            self._write()

    def __enter__(self) -> "Unfinished":
        return self

    def __exit__(self, *error: object) -> None:
        """Whoever comes next may carry on, also while this process lives on, as a notebook's does."""
        self._process = None
        with suppress(OSError, ValueError):
            self._check_ours()
            self._write()

    def begin(self, place: int) -> None:
        """The file is there, and none of its values."""
        self.place = place
        self.note(0)

    def note(self, done: int) -> None:
        """So many lines are written."""
        self._check_ours()
        self.done = done
        self._write()

    def finish(self) -> None:
        """All is written."""
        self._check_ours()
        replaced = self.out.with_name(f".{self.out.name}.replaced")
        if self.partial.is_dir() and self.out.exists():  # a folder takes the place of nothing but an empty one
            _remove(replaced)
            self.out.rename(replaced)
        self.partial.replace(self.out)
        remove(self._file)
        sync_folder(self.out.parent)
        remove_leftovers_of(self._file)
        _remove(replaced)

    def _write(self) -> None:
        said = {"format": 1, "done": self.done, "place": self.place, "made_from": self._made_from}
        said |= {TOKEN: self._token, "process": self._process}
        with replacing(self._file) as temporary:
            temporary.write_text(strict_json.dumps(said, indent=1), encoding="utf-8")

    def _said(self) -> dict[str, Any]:
        """What was noted; nothing where nothing was."""
        try:
            said = strict_json.loads(self._file.read_bytes())
            dict(said["made_from"]), int(said["done"]), int(said["place"] or 0)
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"`out` is half done, but {self._file} is damaged ({error}). Delete it to begin anew."
            ) from error
        return said

    def _check_left(self, said: Mapping[str, Any]) -> None:
        process = said.get("process")
        if isinstance(process, dict) and is_alive(process) and process["pid"] != identity()["pid"]:
            raise FileExistsError(
                f"`out` must be written by one process at a time. Received: out={str(self.out)!r}, which "
                f"{in_words(process)} writes. Wait until that has ended, or end it, and try again."
            )

    def _check_ours(self) -> None:
        """Ask before each writing."""
        if self._said().get(TOKEN) != self._token:
            raise FileExistsError(
                f"`out` must be written by one process at a time. Received: out={str(self.out)!r}, which another one "
                "carries on or has completed. Nothing more of this one is written there."
            )

    def _check_same(self, before: Mapping[str, Any]) -> None:
        for name in sorted({*before, *self._made_from}):
            if before.get(name) != self._made_from.get(name):
                raise ValueError(
                    f"`out` is half done with another `{name}`: it was begun with {name}={before.get(name)!r}. "
                    f"Received: {name}={self._made_from.get(name)!r}. Pass the same to carry on, or delete "
                    f"{self.partial} to begin anew."
                )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
