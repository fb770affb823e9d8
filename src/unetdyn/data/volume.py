"""A volume and its mask, each in one file of any format, as a `Stack`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from unetdyn.data.files import describe_nearest
from unetdyn.data.formats.registry import array_in, is_one_source
from unetdyn.data.masks import Foreground
from unetdyn.data.read import read_folder
from unetdyn.data.stack import Stack


def read_volume(
    images: str | Path,
    masks: str | Path,
    classes: int = 1,
    mask_threshold: float | None = None,
    ignore: float | None = None,
    foreground: Foreground | None = None,
    axes: str | None = None,
    lazy: bool = False,
) -> Stack:
    """A volume and its mask: MRC, HDF5, NIfTI, NRRD, Zarr, `.npy`, `.npz` or multi-page TIFF.

    Sections are those along z, from the first that the file holds; `docs/formats.md` says for each format which axis
    that is. Cut it by `tile(stack, size=(16, 64, 64))` to train in 3D, or by `tile(stack, size=64)` in 2D. Several
    volumes, such as one for each patient, are read by `read_folder`.

    Args:
        images: The file of the volume; of HDF5, Zarr and `.npz` with the array: `"cells.h5::/raw"`.
        masks: That of its mask, which may be another array of the same file: `"cells.h5::/labels"`.
        classes: As in `read_folder`: 1 (default) for binary masks, else the number of classes with the background.
        mask_threshold: As in `read_folder`, and so are:
        ignore: The value of pixels without a label.
        foreground: `"nonzero"` where masks hold the numbers of single objects.
        axes: As in `read_folder`.
        lazy: As in `read_folder`: whether sections stay on disk, for volumes that are larger than memory.

    Returns:
        A `Stack`, with the size of a voxel where the images' file says it.

    Raises:
        FileNotFoundError: Where a file does not exist; the message says what is there.
        ImportError: Where a format needs a package that is not installed; the message says how to install it.
        ValueError: As in `read_folder`.

    Example:
        >>> import tempfile, pathlib, numpy as np
        >>> from unetdyn.data import read_volume
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     images, masks = (pathlib.Path(folder) / f"{name}.npy" for name in ("raw", "labels"))
        ...     np.save(images, np.arange(24, dtype="uint8").reshape(2, 3, 4))
        ...     np.save(masks, np.eye(3, 4, dtype="uint8")[None].repeat(2, axis=0))
        ...     stack = read_volume(images, masks)
        >>> stack.images.shape, int(stack.masks.sum()), stack.names
        ((2, 3, 4, 1), 6, ('raw[0]', 'raw[1]'))
    """
    of_images, of_masks = _one_file("images", images), _one_file("masks", masks)
    judged: dict[str, Any] = {"mask_threshold": mask_threshold, "ignore": ignore, "foreground": foreground}
    return read_folder(Path(), of_images, of_masks, classes, **judged, axes=axes, lazy=lazy)


def _one_file(argument: str, path: str | Path) -> str:
    if not is_one_source(Path(path)):
        file = array_in(Path(path))[0]
        instead = "a folder: read it by `read_folder`" if file.is_dir() else f"not there; {describe_nearest(file)}"
        raise FileNotFoundError(
            f"`{argument}` must be one file that holds a volume. Received: {argument}={str(path)!r}, which is "
            f"{instead}."
        )
    return str(Path(path).absolute())
