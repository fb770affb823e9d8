"""Paths in a configuration: as a person writes them, and where they may lead."""

import os
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any

from pydantic import BeforeValidator


def user_path(value: Any) -> Any:
    """A path with `~` in place of the home folder, and with no characters that only a slip puts there.

    Args:
        value: A text or a path; None, which is `~` alone, is left to the type.

    Raises:
        ValueError: If it is empty or null, holds control characters, as `"C:\\new"` between double quotes does, or
            backslashes where folders are separated by `/`.

    Example:
        >>> user_path("~/data") == Path.home() / "data"
        True
        >>> user_path("a\\nb")
        Traceback (most recent call last):
        ValueError: must be a path without control characters: between double quotes, a backslash begins one. Write / \
or single quotes
    """
    if not isinstance(value, str | os.PathLike):
        raise ValueError("must be a path; `~` alone is null, and ~/folder is one in the home folder")
    text = os.fspath(value)
    if not isinstance(text, str) or not text.strip():
        raise ValueError("must be a path")
    if any(ord(each) < 32 for each in text):
        raise ValueError(
            "must be a path without control characters: between double quotes, a backslash begins one. Write / or "
            "single quotes"
        )
    if "\\" in text and os.sep == "/" and not Path(text).exists():
        raise ValueError("must be a path with / between folders, for that is how this system separates them")
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise ValueError("must be a path whose `~` leads to a home folder that is there") from None


def inner_path(value: Any) -> Any:
    """The name of a file or folder inside another, which it can't leave.

    >>> inner_path("images/raw")
    'images/raw'
    >>> inner_path("../secret")
    Traceback (most recent call last):
    ValueError: must be a name inside of `data.path`, neither absolute nor with `..`
    """
    if isinstance(value, str):
        forms = (PurePosixPath(value), PureWindowsPath(value))
        if any(form.is_absolute() or form.drive or ".." in form.parts for form in forms) or value.startswith("~"):
            raise ValueError("must be a name inside of `data.path`, neither absolute nor with `..`")
    return value


UserPath = Annotated[Path, BeforeValidator(user_path)]
InnerPath = Annotated[str, BeforeValidator(inner_path)]
