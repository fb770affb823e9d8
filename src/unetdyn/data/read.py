"""From a folder of images and masks to a `Stack`, or to one sentence that says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unetdyn._checks import check_count
from unetdyn.data.files import check_alike, describe_nearest, list_some, read_named
from unetdyn.data.masks import Foreground, check_mask_arguments, class_indices, counted, refuse_unmarked
from unetdyn.data.stack import Stack

MASK_SUFFIXES = ("_mask", "-mask", "_masks", "_label", "-label", "_labels")


def read_folder(
    path: str | Path,
    images: str = "images",
    masks: str = "masks",
    classes: int = 1,
    mask_threshold: float | None = None,
    ignore: float | None = None,
    foreground: Foreground | None = None,
) -> Stack:
    """Images and their masks, paired by name, in natural order.

    Images and masks are sub-folders of PNG, TIFF or JPEG files, or multi-page TIFF files. Files are paired by their
    stem; a mask's stem may end in `_mask`, `-mask`, `_masks`, `_label`, `-label` or `_labels`. The pages of two single
    files are paired by number. Nothing is paired by guess and nothing left out: what has no partner is an error.

    Args:
        path: The folder that holds both.
        images: Name of the images' sub-folder or multi-page file inside `path`; `.tif` and `.tiff` may be left out.
        masks: The same for the masks.
        classes: 1 (default) for binary masks: 0 and one other value, which may differ from file to file, so 1-bit and
            8-bit files may be mixed. Otherwise the number of classes with the background: masks hold indices.
        mask_threshold: Only with `classes=1`: fraction of the dtype's range, usually 0.5, above which a pixel of a
            mask with *more than two* values is foreground. Default `None`: such a mask is refused.
        ignore: A value of the masks, often 255 or -1, whose pixels have no label and must not count: the stack's
            `weights` are 0 there. Default `None`: every pixel has a label.
        foreground: Only with `classes=1`: `"nonzero"` makes foreground of every value above 0, where masks hold the
            numbers of single objects (instances). Default `None`: one value alone is foreground.

    Returns:
        A `Stack` whose names are the images' stems.

    Raises:
        FileNotFoundError: Where `path`, the images or the masks do not exist; the message says what is there.
        ValueError: Where a folder is empty, a file cannot be read, an image has no mask or the reverse, sizes differ,
            a mask's values do not suit `classes`, all masks are foreground, or an image holds NaN or infinity.

    Example:
        >>> import tempfile, pathlib, numpy as np
        >>> from PIL import Image
        >>> from unetdyn.data import read_folder
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for sub, value in (("images", 100), ("masks", 255)):
        ...         (pathlib.Path(folder) / sub).mkdir()
        ...         Image.fromarray(np.eye(4, dtype="uint8") * value).save(pathlib.Path(folder) / sub / "00.png")
        ...     stack = read_folder(folder)
        >>> stack.names, int(stack.images.max()), int(stack.masks.max())
        (('00',), 100, 1)
    """
    _check_classes(classes)
    check_mask_arguments(classes, mask_threshold, ignore, foreground)
    root = Path(path)
    if not root.is_dir():
        raise FileNotFoundError(
            f"`path` must be a folder that holds {images!r} and {masks!r}. Received: path={str(path)!r}, "
            f"which is no folder; {describe_nearest(root)}."
        )
    image_source, mask_source = _inside(root, images, "images"), _inside(root, masks, "masks")
    read_images, read_masks = read_named(image_source), read_named(mask_source, mask=True)
    if image_source.is_file() and mask_source.is_file():
        read_masks = _by_page(read_images, read_masks)
    pairs = _paired(read_images, read_masks)
    check_alike(read_images)
    _check_sizes(read_images, pairs)
    rule = (classes, mask_threshold, ignore, foreground)
    indices = np.stack([class_indices(pairs[name], name, *rule) for name in read_images])
    weights = None if ignore is None else np.stack([counted(pairs[name], ignore) for name in read_images])
    stack = Stack(np.stack(list(read_images.values())), indices, tuple(read_images), weights)
    refuse_unmarked(indices, weights, background=ignore is not None)
    _refuse_unused_classes(stack, classes)
    return stack


def _check_classes(classes: int) -> None:
    why = "as masks hold 8 bits, the background counted unless it is 1"
    check_count("classes", classes, least=1, unit="", otherwise=why, most=256)


def _inside(root: Path, name: str, argument: str) -> Path:
    for candidate in (root / name, root / f"{name}.tif", root / f"{name}.tiff"):
        if candidate.exists():
            return candidate
    raise FileNotFoundError(
        f"`{argument}` must be a sub-folder or a multi-page TIFF inside {str(root)!r}. "
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
