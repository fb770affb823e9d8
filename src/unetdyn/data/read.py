"""From a folder of images and masks to a `Stack`, or to one sentence that says why not."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from unetdyn._checks import check_count, check_fraction
from unetdyn.data.assemble import assembled
from unetdyn.data.files import check_alike, describe_nearest, list_images, list_some, read_named, read_pages
from unetdyn.data.formats.registry import FORMATS, is_one_source, named
from unetdyn.data.masks import class_indices
from unetdyn.data.sources import check_orientations, lazy_pages
from unetdyn.data.stack import Stack

VOLUMES = (".tif", ".tiff", *FORMATS)
MASK_SUFFIXES = ("_mask", "-mask", "_masks", "_label", "-label", "_labels")


def read_folder(
    path: str | Path,
    images: str = "images",
    masks: str = "masks",
    classes: int = 1,
    mask_threshold: float | None = None,
    axes: str | None = None,
    lazy: bool = False,
) -> Stack:
    """Images and their masks, paired by name, in natural order.

    Images and masks are sub-folders of PNG, TIFF or JPEG files, or multi-page TIFF files, or volumes of any format that
    `read_stack` reads. Files are paired by their
    stem; a mask's stem may end in `_mask`, `-mask`, `_masks`, `_label`, `-label` or `_labels`. The pages of two single
    files are paired by number. Nothing is paired by guess and nothing left out: what has no partner is an error.

    Args:
        path: The folder that holds both.
        images: Name of the images' sub-folder or multi-page file inside `path`; its extension may be left out. An array
            in it is named as in `read_stack`: `"cells.h5::/raw"`.
        masks: The same for the masks.
        classes: 1 (default) for binary masks: 0 and one other value, which may differ from file to file, so 1-bit and
            8-bit files may be mixed. Otherwise the number of classes with the background: masks hold indices.
        mask_threshold: Only with `classes=1`: fraction of the dtype's range, usually 0.5, above which a pixel of a
            mask with *more than two* values is foreground. Default `None`: such a mask is refused.
        axes: As in `read_stack`, for files that don't say their axes; a mask may lack the channels, c.
        lazy: Whether images and masks stay on disk, where they are larger than memory. Each mask is read once to judge
            its values, an image when it is used. Needs files of which parts can be read: .npy, Zarr, HDF5, MRC, NIfTI
            that is not compressed, TIFF; or one image a file, which is decoded anew each time. Default `False`.

    Returns:
        A `Stack` whose names are the images' stems, with the size of a voxel where the files say it.

    Raises:
        ImportError: Where a format needs a package that is not installed; the message says how to install it.
        FileNotFoundError: Where `path`, the images or the masks do not exist; the message says what is there.
        ValueError: Where a folder is empty, a file cannot be read, an image has no mask or the reverse, sizes differ,
            orientations differ, a mask's values do not suit `classes`, an image holds NaN or infinity, or parts of a
            file can't be read with `lazy=True`.

    Example:
        >>> import tempfile, pathlib, numpy as np
        >>> from PIL import Image
        >>> from unetdyn.data import read_folder
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for sub, value in (("images", 100), ("masks", 255)):
        ...         (pathlib.Path(folder) / sub).mkdir()
        ...         Image.fromarray(np.full((4, 4), value, "uint8")).save(pathlib.Path(folder) / sub / "00.png")
        ...     stack = read_folder(folder)
        >>> stack.names, int(stack.images.max()), int(stack.masks.max())
        (('00',), 100, 1)
    """
    _check_classes(classes, mask_threshold)
    root = Path(path)
    if not root.is_dir():
        raise FileNotFoundError(
            f"`path` must be a folder that holds {images!r} and {masks!r}. Received: path={str(path)!r}, "
            f"which is no folder; {describe_nearest(root)}."
        )
    image_source, mask_source = _inside(root, images, "images"), _inside(root, masks, "masks")
    read = lazy_pages if lazy else read_pages
    read_images = read_named(image_source, axes=axes, read=read)
    read_masks = read_named(mask_source, mask=True, axes=axes, read=read)
    if is_one_source(image_source) and is_one_source(mask_source):
        read_masks = _by_page(read_images, read_masks)
    pairs = _paired(read_images, read_masks)
    check_alike(read_images)
    _check_sizes(read_images, pairs)
    check_orientations(list_images(image_source), list_images(mask_source))
    rule = partial(class_indices, classes=classes, threshold=mask_threshold)
    stack = assembled(read_images, pairs, rule, list_images(image_source))
    _refuse_unused_classes(stack, classes)
    return stack


def _check_classes(classes: int, mask_threshold: float | None) -> None:
    why = "as masks hold 8 bits, the background counted unless it is 1"
    check_count("classes", classes, least=1, unit="", otherwise=why, most=256)
    if mask_threshold is None:
        return
    check_fraction("mask_threshold", mask_threshold, zero=True, otherwise="or None")
    if classes != 1:
        raise ValueError(
            "`mask_threshold` must go with `classes=1`: it is for binary masks. "
            f"Received: mask_threshold={mask_threshold!r}, classes={classes!r}. Leave one of them out."
        )


def _inside(root: Path, name: str, argument: str) -> Path:
    for candidate in (root / name, *(root / f"{name}{extension}" for extension in VOLUMES)):
        if named(candidate)[0].exists():
            return candidate
    raise FileNotFoundError(
        f"`{argument}` must be a sub-folder, a multi-page TIFF or a volume inside {str(root)!r}. "
        f"Received: {argument}={name!r}, which is not there; {describe_nearest(root / name)}."
    )


def _by_page(images: dict[str, np.ndarray], masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    if len(images) != len(masks):
        raise ValueError(
            f"The images' file and the masks' file must have as many pages. "
            f"Received: {len(images)} pages of images, {len(masks)} of masks."
        )
    return dict(zip(images, masks.values(), strict=True))


def _paired(images: dict[str, np.ndarray], masks: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The masks under the names of their images; whatever has no partner is named in the error."""
    pairs: dict[str, np.ndarray] = {}
    for name, mask in masks.items():
        key = name if name in images else _without_suffix(name)
        if key in pairs:
            raise ValueError(
                f"Each image must have one mask. Received: two masks for image {key!r}, one of them {name!r}. "
                f"Remove or rename one."
            )
        pairs[key] = mask
    without_mask = [name for name in images if name not in pairs]
    without_image = [name for name in pairs if name not in images]
    if without_mask or without_image:
        raise ValueError(
            f"Each image must have a mask of its name, and each mask an image. Received: "
            f"{len(without_mask)} images without a mask: {list_some(without_mask)}; "
            f"{len(without_image)} masks without an image: {list_some(without_image)}. "
            f"Rename or remove those files; a mask's stem may end in {', '.join(MASK_SUFFIXES)}."
        )
    return pairs


def _without_suffix(name: str) -> str:
    """The image's name for a mask's name: `a_mask` -> `a`, and for pages `a_mask[3]` -> `a[3]`."""
    stem, bracket, page = name.partition("[")
    for suffix in MASK_SUFFIXES:
        if stem.lower().endswith(suffix):
            return stem[: -len(suffix)] + bracket + page
    return name


def _check_sizes(images: dict[str, np.ndarray], masks: dict[str, np.ndarray]) -> None:
    for name, image in images.items():
        (height, width), (mask_height, mask_width) = image.shape[:2], masks[name].shape[:2]
        if (height, width) != (mask_height, mask_width):
            raise ValueError(
                f"An image and its mask must have the same size. Received: image {name!r} of {height}×{width} pixels, "
                f"but its mask of {mask_height}×{mask_width}. Does this mask belong to this image?"
            )


def _refuse_unused_classes(stack: Stack, classes: int) -> None:
    largest = int(stack.masks.max())
    if classes > 1 and largest < classes - 1:
        raise ValueError(
            f"`classes` must be the number of classes in the masks. Received: classes={classes}, but the largest class "
            f"index in the {len(stack)} masks is {largest}. Pass `classes={max(largest + 1, 1)}`."
        )
