"""The whole state of a training on the disk, in two generations, so that a kill at any moment leaves one to go on from.

A generation is a pair: `000007.npz` has the arrays, uncompressed; `000007.json`, which is written last, by an atomic
rename, and so makes it one, has the rest, the size and the SHA-256 of the other, and the SHA-256 of itself.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.runs.atomic import remove, replacing, sync_folder
from unetdyn.runs.claim import FILE, Ownership, token_of
from unetdyn.runs.records import RunError
from unetdyn.runs.state_tree import decode, encode

STATE = "state"
"""The folder in a run directory."""
FORMAT_VERSION = 1
KEPT = 2
"""Generations: the last, and the one before, from which a training goes on where the last is damaged."""

_NAME = re.compile(r"(\d{6,})\.(json|npz)")
_TEMPORARY = re.compile(r"\.\d{6,}-[0-9a-f]{8}\.(json|npz)")


@dataclass(frozen=True)
class Saved:
    """A state that was read.

    Attributes:
        tree: As it was written.
        generation: Its number, from 1.
        skipped: A sentence for each newer generation that is damaged: which file, and what is wrong with it.
    """

    tree: Any
    generation: int
    skipped: list[str]


class StateStore:
    """Keeps the last two states of a training in a folder.

    One process writes, and one thread of it at a time. No state is ever made of parts of two. In a run directory it
    writes as long as that is the run of who had it when the first state was written: not any more when another process
    carries on with it.

    Args:
        folder: Where; made with the first state, its parent must exist then.

    Example:
        >>> import tempfile
        >>> store = StateStore(tempfile.mkdtemp())
        >>> store.exists()
        False
        >>> [store.write({"epoch": epoch, "weights": np.full(2, epoch)}) for epoch in range(3)]
        [1, 2, 3]
        >>> store.read()
        Saved(tree={'epoch': 2, 'weights': array([2, 2])}, generation=3, skipped=[])
        >>> sorted(file.name for file in store.folder.iterdir())
        ['000002.json', '000002.npz', '000003.json', '000003.npz']
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self._damaged: set[int] = set()
        self._ownership: Ownership | None = None

    def exists(self) -> bool:
        """Whether a state was written here, even if it is damaged now."""
        numbers = self._numbers("npz")
        return bool(self._numbers("json") or numbers - {1})  # the first one's arrays alone: killed before it was one

    def write(self, tree: Any) -> int:
        """Write a state beside the last one; when it is on the disk, the one before the last is removed.

        After an error, and after a kill at any moment, what was there can be read as before.

        Args:
            tree: As `unetdyn.runs.state_tree.encode` takes it. No copy of its arrays is made.

        Returns:
            The number of the generation.

        Raises:
            OSError: If it can't be written; FileExistsError where the run directory is another's now.
            TypeError: If the tree holds what no state can hold.
        """
        self._check_owned()
        value, arrays = encode(tree)
        if not self.folder.is_dir():
            self.folder.mkdir(exist_ok=True)
            sync_folder(self.folder.parent)
        committed = self._numbers("json")
        generation = max(committed | self._numbers("npz"), default=0) + 1
        self._remove_leftovers(committed)
        with replacing(self._file(generation, "npz")) as temporary:
            np.savez(temporary, **arrays)  # type: ignore[arg-type]
            described = _described(temporary)
        content = {"format": FORMAT_VERSION, "generation": generation, "arrays": described, "tree": value}
        with replacing(self._file(generation, "json")) as temporary:
            text = json.dumps({**content, "sha256": _checksum(content)}, allow_nan=False)
            temporary.write_text(text + "\n", encoding="ascii")
        self._keep(committed, generation)
        return generation

    def read(self) -> Saved:
        """The last state that is whole.

        Raises:
            FileNotFoundError: If there never was any.
            RunError: If there are some, and none of them is whole, or if unetdyn is older than they are.

        Returns:
            The state, its number, and what is wrong with newer ones.
        """
        if not self.exists():
            raise FileNotFoundError(f"There is no state of a training in {self.folder}: none was ever written there.")
        wrong: list[str] = []
        for generation in sorted(self._numbers("json"), reverse=True):
            try:
                tree = self._read(generation)
            except _Damaged as error:
                wrong.append(str(error))
                self._damaged.add(generation)
                continue
            return Saved(tree, generation, wrong)
        wrong = wrong or [f"The .json files that belong to the .npz files of {self.folder} are missing."]
        raise RunError(
            f"No state of the training in {self.folder} is whole. {' '.join(wrong)} Put these files back from a copy, "
            "or train anew in another directory; what was recorded so far can still be read."
        )

    def tidy(self) -> None:
        """Remove what a kill has left beside the last two states; nobody else may write there."""
        committed = self._numbers("json")
        self._remove_leftovers(committed)
        if whole := committed - self._damaged:
            self._keep(committed - {max(whole)}, max(whole))

    def _check_owned(self) -> None:
        if self._ownership is not None:
            self._ownership.check()
        elif (self.folder.parent / FILE).is_file() and (token := token_of(self.folder.parent)) is not None:
            self._ownership = Ownership(self.folder.parent, token)

    def _read(self, generation: int) -> Any:
        file, arrays = self._file(generation, "json"), self._file(generation, "npz")
        try:
            content = json.loads(file.read_bytes())
            said = content.pop("sha256")
            if said != _checksum(content):
                raise ValueError("its SHA-256 is not what it says")
            newer, number = content["format"] > FORMAT_VERSION, content["generation"]
        except (OSError, ValueError, TypeError, AttributeError, LookupError, RecursionError) as error:
            raise _Damaged(f"{file} is damaged: {_words(error)}.") from error
        if newer:
            raise RunError(
                f"{file} has format {content['format']}, and this unetdyn reads up to {FORMAT_VERSION}: update unetdyn."
            )
        if number != generation:
            raise _Damaged(f"{file} is damaged: it is generation {number} under another name.")
        try:
            if _described(arrays) != content["arrays"]:
                raise ValueError(f"its size or its SHA-256 is not what {file.name} says")
            with np.load(arrays, allow_pickle=False) as loaded:
                return decode(content["tree"], dict(loaded))
        except Exception as error:  # archives raise almost anything, and a dtype may be unknown here
            raise _Damaged(f"{arrays} is damaged: {_words(error)}.") from error

    def _remove_leftovers(self, committed: set[int]) -> None:
        """What a kill has left of a state that never became one."""
        for file in list(self._files()):
            found = _NAME.fullmatch(file.name)
            if _TEMPORARY.fullmatch(file.name) or (found and int(found[1]) not in committed):
                remove(file)

    def _keep(self, before: set[int], written: int) -> None:
        """The one that was written, and the last before it that is whole, as far as that is known."""
        kept = {written, *sorted(before - self._damaged)[1 - KEPT :]}
        for generation in before - kept:
            for suffix in ("json", "npz"):  # in this order: what has no .json is no state
                remove(self._file(generation, suffix))

    def _numbers(self, suffix: str) -> set[int]:
        found = (_NAME.fullmatch(file.name) for file in self._files())
        return {int(match[1]) for match in found if match and match[2] == suffix}

    def _files(self) -> Iterator[Path]:
        return self.folder.iterdir() if self.folder.is_dir() else iter(())

    def _file(self, generation: int, suffix: str) -> Path:
        return self.folder / f"{generation:06d}.{suffix}"


class _Damaged(Exception):
    """A generation is none; the text is for people."""


def _described(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "sha256").hexdigest()
        return {"size": opened.tell(), "sha256": found}


def _checksum(content: dict[str, Any]) -> str:
    """Of all that it says, in the words in which JSON has it."""
    return hashlib.sha256(json.dumps(content, allow_nan=False).encode("ascii")).hexdigest()


def _words(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it is missing"
    return f"{error}".rstrip(".") or type(error).__name__
