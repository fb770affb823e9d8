"""Write a file all at once, or leave it as it was: replaced, made, or appended to."""

import glob
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """A temporary path to write to; it takes the place of `path` when the block ends without an error.

    The new content is on the disk before the old is given up. So at any moment, also after a kill, there is the old
    file or the new one, never a part. After an error the temporary file is removed and `path` is untouched. After a
    `kill -9` a hidden file `.NAME-XXXXXXXX.SUFFIX` may be left beside it; nothing reads it.

    Args:
        path: The file to replace or make; its folder must exist.

    Yields:
        A path in the same folder with the same suffix (`keras.Model.save` insists on `.keras`). Write the file there.

    Raises:
        FileNotFoundError: If the block wrote no file.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> with replacing(folder / "notes.txt") as temporary:
        ...     _ = temporary.write_text("all or nothing")
        >>> [entry.name for entry in folder.iterdir()]
        ['notes.txt']
    """
    path = Path(path)
    temporary = _beside(path)
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def create(path: Path, text: str) -> None:
    """Make a file that is not there yet; of several who try at once, one succeeds.

    Args:
        path: The file; its folder must exist.
        text: What it holds, from the moment at which it is there.

    Raises:
        FileExistsError: If somebody was faster.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "run.json"
        >>> create(file, "mine")
        >>> try:
        ...     create(file, "theirs")
        ... except FileExistsError:
        ...     file.read_text()
        'mine'
    """
    temporary = _beside(path)
    try:
        temporary.write_text(text, encoding="utf-8")
        _sync(temporary)
        try:
            os.link(temporary, path)
        except FileExistsError:
            if temporary.stat().st_nlink < 2:  # else it is ours: NFS repeats what it had no answer to; see open(2)
                raise
        except OSError:  # a file system without hard links: there the file is empty for a moment
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            _sync(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def append(path: Path, data: bytes) -> None:
    """Append lines, on the disk when this returns; after an error the file is as it was.

    Half a line that somebody else has left at its end stays a line of its own.

    Args:
        path: The file, which is made where it is missing; its folder must exist.
        data: Whole lines.

    Example:
        >>> import pathlib, tempfile
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "epochs.jsonl"
        >>> for line in (b"1\\n", b"2\\n"):
        ...     append(file, line)
        >>> file.read_text().split()
        ['1', '2']
    """
    with path.open("a+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            if size:
                file.seek(-1, os.SEEK_END)
                data = data if file.read(1) == b"\n" else b"\n" + data
            while data:
                data = data[file.write(data) :]
            os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                file.truncate(size)
            raise


def remove_leftovers(folder: Path) -> None:
    """Remove the hidden files that a `kill -9` has left of `replacing` and `create`; nobody else may write there.

    Args:
        folder: It need not be there.
    """
    for file in folder.iterdir() if folder.is_dir() else ():
        if _BESIDE.fullmatch(file.name):
            remove(file)


def remove_leftovers_of(path: Path) -> None:
    """Remove those of one file only, where others may write beside it.

    Args:
        path: What nobody replaces any more.
    """
    for file in path.parent.glob(f".{glob.escape(path.stem)}-{'[0-9a-f]' * 8}{glob.escape(path.suffix)}"):
        remove(file)


def remove(file: Path) -> None:
    """Remove what nobody reads any more, or leave it for the next time where that fails."""
    with suppress(OSError):
        file.unlink()


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk; Windows can't, and needs it less."""
    if os.name == "posix":
        _sync(folder)


_BESIDE = re.compile(r"\.[^.].*-[0-9a-f]{8}(\.[^.]+){0,2}")
"""Of what is not hidden itself; a model's weights, while it is written, have a suffix more."""


def _beside(path: Path) -> Path:
    """A hidden name that nobody has, with the same suffix."""
    return path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
