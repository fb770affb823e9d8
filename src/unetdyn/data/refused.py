"""The error for an image file that can be decoded but not understood in one way only."""

from __future__ import annotations

from pathlib import Path


class RefusedFile(ValueError):
    """A file whose pixels could mean two things: which, is told by name, and what to do.

    Args:
        path: The file.
        why: What is in it that leaves two ways open; the end of a sentence.
        advice: What to do, a whole sentence.

    Example:
        >>> raise RefusedFile(Path("a.gif"), "an animation of 3 frames", "Save each frame as a PNG file.")
        Traceback (most recent call last):
        unetdyn.data.refused.RefusedFile: `path` must be an image file that can be read in one way only. \
Received: path='a.gif', an animation of 3 frames. Save each frame as a PNG file.
    """

    def __init__(self, path: Path, why: str, advice: str) -> None:
        super().__init__(
            f"`path` must be an image file that can be read in one way only. Received: path={str(path)!r}, {why}. "
            f"{advice}"
        )
