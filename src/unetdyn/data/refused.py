"""The error for a file that can't be read, or not in one way only."""

from __future__ import annotations

from pathlib import Path


class RefusedFile(ValueError):
    """What a file holds can't be read, or could mean two things; the text is a whole message."""


def ambiguous(path: Path, why: str, advice: str) -> RefusedFile:
    """The error for an image file that can be decoded, but not understood in one way only.

    Args:
        path: The file.
        why: What is in it that leaves two ways open; the end of a sentence.
        advice: What to do, a whole sentence.

    Example:
        >>> raise ambiguous(Path("a.gif"), "an animation of 3 frames", "Save each frame as a PNG file.")
        Traceback (most recent call last):
        unetdyn.data.refused.RefusedFile: `path` must be an image file that can be read in one way only. \
Received: path='a.gif', an animation of 3 frames. Save each frame as a PNG file.
    """
    return RefusedFile(
        f"`path` must be an image file that can be read in one way only. Received: path={str(path)!r}, {why}. {advice}"
    )
