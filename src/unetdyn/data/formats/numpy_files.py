"""NumPy's own files: `.npy`, mapped, and one array of a `.npz`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unetdyn.data.formats.arrays import chosen, told_axes
from unetdyn.data.formats.volume import Asked, Volume
from unetdyn.data.refused import RefusedFile


def open_npy(asked: Asked) -> Volume:
    """A map of the file."""
    try:
        array = np.load(asked.path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise _without_pickle(error, asked.path) from error
    return Volume(array, told_axes(asked.axes, array.shape, str(asked.path)))


def open_npz(asked: Asked) -> Volume:
    """One array, named by `file.npz::name` where there are several."""
    path, name = asked.path, asked.name
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files if name is None or key == name.strip("/")} or dict(file)
    except ValueError as error:
        raise _without_pickle(error, path) from error
    array = chosen(arrays, name, path)
    return Volume(array, told_axes(asked.axes, array.shape, str(path)))


def _without_pickle(error: ValueError, path: Path) -> ValueError:
    with path.open("rb") as file:
        whole = file.read(2) in (b"\x93N", b"PK")  # NumPy says the same of a file that is none of its own
    if not whole or not any(words in str(error) for words in ("allow_pickle", "Python objects")):
        return error
    return RefusedFile(
        f"A NumPy file must hold numbers. Received: {str(path)!r}, which holds Python objects: they are not read, "
        "because reading them may run code. Save the array with a dtype of numbers."
    )
