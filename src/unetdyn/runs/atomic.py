"""Replace a file all at once, or leave it as it was."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
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
    temporary = path.with_name(f".{path.stem}-{uuid.uuid4().hex[:8]}{path.suffix}")
    try:
        yield temporary
        _sync(temporary)
        temporary.replace(path)
        sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to the disk; Windows can't, and needs it less."""
    if os.name == "posix":
        _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
