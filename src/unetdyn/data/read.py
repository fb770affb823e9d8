"""From a folder of images and masks to a `Stack`, or to one sentence that says why not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unetdyn._checks import check_count
from unetdyn.data.assemble import assembled
from unetdyn.data.files import check_alike, describe_nearest, one_bit_as_the_others, pages_with_bits, read_pages
from unetdyn.data.folders import add_pages, name_files, subfolders_named
from unetdyn.data.formats.registry import FORMATS, array_in, format_of, is_one_source
from unetdyn.data.masks import Foreground, check_mask_arguments, class_indices, counted, refuse_unmarked
from unetdyn.data.pairing import Pair, check_pair, pair_names, tell_apart
from unetdyn.data.sources import LazyPage, Rule, check_orientations, lazy_pages
from unetdyn.data.stack import Stack

Paired = dict[str, tuple[Path, list[Path]]]


class Judged(NamedTuple):
    """What `class_indices` is asked for."""

    classes: int
    threshold: float | None
    ignore: float | None
    foreground: Foreground | None


def read_folder(
    path: str | Path,
    images: str = "images",
    masks: str = "masks",
    classes: int = 1,
    mask_threshold: float | None = None,
    pair: Pair | None = None,
    recursive: bool | None = None,
    ignore: float | None = None,
    foreground: Foreground | None = None,
    axes: str | None = None,
    lazy: bool = False,
) -> Stack:
    """Images and their masks, paired by name, in natural order.

    Images and masks are sub-folders of image files, or multi-page TIFF files, read as `read_image` says; what a mask's
    palette means is told in `docs/image_files.md`. They may be volumes of any format that `read_stack` reads, alone or
    in sub-folders (`docs/formats.md`). Files are paired by their stem; a mask's stem may end in `_mask`, `-mask`,
    `_masks`, `_label`, `-label` or `_labels`, and other names are told by `pair`. Pages of paired files are paired by
    number. Nothing is paired by guess and nothing left out: what has no partner is an error. Both may lie in one folder
    (`images="data", masks="data"`, or `"."` for `path` itself).

    Args:
        path: The folder that holds both.
        images: Name of the images' sub-folder or multi-page file inside `path`, whose extension may be left out. An
            array in it is named as in `read_stack`: `"cells.h5::/raw"`.
        masks: The same for the masks.
        classes: 1 (default) for binary masks: 0 and one other value, which may differ from file to file, so 1-bit and
            8-bit files may be mixed. Otherwise the number of classes with the background: masks hold indices.
        mask_threshold: Only with `classes=1`: fraction of the dtype's range, usually 0.5, above which a pixel of a
            mask with *more than two* values is foreground. Default `None`: such a mask is refused.
        pair: Patterns of the images' and the masks' stems, such as `("image_{}", "mask_{}")` or `("{}_img", "{}_gt")`:
            `{}` is what an image and its mask have in common, `*` any text. Where the masks' pattern has a `*`, one
            image may have several masks, which are united (`classes=1` only). With a `/` a pattern is about the folder
            too: `("{}/*", "{}/*")` pairs the image of a folder with all masks of that folder. Default `None`: equal
            stems, or the suffixes above.
        recursive: What is done with sub-folders of the images or masks that hold images. `True`: they are read too,
            and files are paired within their sub-folder (`images/p01/s003.png` with `masks/p01/s003.png`); so is every
            folder `images` deeper in `path` (`p01/images/s003.png` with `p01/masks/s003.png`). `False`: they are left
            out. Default `None`: they are refused.
        ignore: A value of the masks, often 255 or -1, whose pixels have no label and must not count: the stack's
            `weights` are 0 there. Default `None`: every pixel has a label.
        foreground: Only with `classes=1`: `"nonzero"` makes foreground of every value above 0, where masks hold the
            numbers of single objects (instances). Default `None`: one value alone is foreground.
        axes: As in `read_stack`, for files that don't say their axes; a mask may lack the channels, c.
        lazy: Whether images and masks stay on disk, where they are larger than memory. Each mask is read once to judge
            its values, an image when it is used. Needs files of which parts can be read: .npy, Zarr, HDF5, MRC, NIfTI
            that is not compressed, TIFF; or one image a file, which is decoded anew each time. Default `False`.

    Returns:
        A `Stack` whose names are the images' stems, behind their sub-folder where there is one (`p01/s003`), with the
        size of a voxel where the files say it.

    Raises:
        FileNotFoundError: Where `path`, the images or the masks do not exist; the message says what is there.
        ImportError: Where a format needs a package that is not installed; the message says how to install it.
        ValueError: Where a folder is empty or has images in sub-folders, a file cannot be read, an image has no mask or
            the reverse, sizes or orientations differ, a mask's values do not suit `classes`, all masks are foreground,
            an image holds NaN or infinity, or parts of a file can't be read with `lazy=True`.

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
    check_pair(pair)
    root = Path(path)
    if not root.is_dir():
        raise FileNotFoundError(
            f"`path` must be a folder that holds {images!r} and {masks!r}. Received: path={str(path)!r}, "
            f"which is no folder; {describe_nearest(root)}."
        )
    judged = Judged(classes, mask_threshold, ignore, foreground)
    files = _paired_files(root, images, masks, pair, recursive)
    check_orientations((image, mask) for image, of_image in files.values() for mask in of_image)
    read_images, read_masks = _read_pairs(files, judged, partial(lazy_pages if lazy else _in_memory, axes=axes))
    if not lazy:
        read_images = one_bit_as_the_others(read_images)
    check_alike(read_images)
    _check_sizes(read_images, read_masks)
    rules: list[Rule] = [partial(class_indices, **judged._asdict())]
    if ignore is not None:
        rules.append(lambda mask, _: counted(mask, ignore))
    stack = assembled(read_images, read_masks, rules, [image for image, _ in files.values()], axes)
    refuse_unmarked(stack.masks, stack.weights, background=ignore is not None)
    _refuse_unused_classes(stack, classes)
    return stack


def _check_classes(classes: int) -> None:
    why = "as masks hold 8 bits, the background counted unless it is 1"
    check_count("classes", classes, least=1, unit="", otherwise=why, most=256)


def _paired_files(root: Path, images: str, masks: str, pair: Pair | None, recursive: bool | None) -> Paired:
    """Each image's file and those of its masks, by the image's name."""
    image_sources = _sources(root, images, "images", recursive)
    mask_sources = _sources(root, masks, "masks", recursive)
    of_images, of_masks = (frozenset(p.resolve() for p in part.values()) for part in (image_sources, mask_sources))
    if of_images == of_masks:
        files = name_files(image_sources, recursive)
        image_names, mask_names = tell_apart(files, pair)
        pairs = pair_names(image_names, mask_names, pair)
        return {name: (files[name], [files[mask] for mask in found]) for name, found in pairs.items()}
    image_files = name_files(image_sources, recursive, apart=of_masks)
    mask_files = name_files(mask_sources, recursive, apart=of_images)
    if all(is_one_source(source) for source in (*image_sources.values(), *mask_sources.values())):
        pairs = dict(zip(image_files, ([name] for name in mask_files), strict=True))
    else:
        pairs = pair_names(image_files, mask_files, pair)
    return {name: (image_files[name], [mask_files[mask] for mask in found]) for name, found in pairs.items()}


def _sources(root: Path, name: str, argument: str, recursive: bool | None) -> dict[str, Path]:
    """The folder or file of that name in `root`; with `recursive` all folders of that name, by the path to each."""
    candidates = [root / name, *(root / f"{name}{extension}" for extension in (".tif", ".tiff", *FORMATS))]
    found = next((candidate for candidate in candidates if array_in(candidate)[0].exists()), None)
    if found is not None and (is_one_source(found) or not recursive):
        return {"": found}
    below = subfolders_named(root, name) if recursive else {}
    if below:
        return below
    holding = sum((entry / name).is_dir() for entry in root.iterdir() if entry.is_dir())
    instead = f"; {holding} of its sub-folders hold one: pass `recursive=True` to read these" if holding else ""
    raise FileNotFoundError(
        f"`{argument}` must be a sub-folder, a multi-page TIFF or a volume inside {str(root)!r}. "
        f"Received: {argument}={name!r}, which is not there; {describe_nearest(root / name)}{instead}."
    )


def _read_pairs(
    files: Paired, judged: Judged, read: Callable[[Path, bool], Sequence[Any]]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The pages of all images by name, and the page of the mask of each, in memory or on disk as `read` gives them."""
    images: dict[str, Any] = {}
    masks: dict[str, Any] = {}
    for name, (image_file, mask_files) in files.items():
        pages = read(image_file, False)
        mask_pages = _united(name, [read(file, True) for file in mask_files], judged)
        if len(pages) != len(mask_pages):
            kind = format_of(image_file)
            hint = "" if kind is None or kind.says_axes else " If an axis is channels, say so, such as by `axes='cyx'`."
            raise ValueError(
                f"An image's file and its mask's must have as many pages. Received: image {name!r} with "
                f"{len(pages)} pages of images, {len(mask_pages)} of masks in {mask_files[0].name!r}.{hint}"
            )
        add_pages(images, name, pages)
        add_pages(masks, name, mask_pages)
    return images, masks


def _in_memory(path: Path, mask: bool, axes: str | None) -> list[np.ndarray]:
    return read_pages(path, mask, axes) if mask else pages_with_bits(path, mask, axes)


def _united(name: str, masks: list[Sequence[Any]], judged: Judged) -> Sequence[Any]:
    """One mask of all that an image has: foreground where any of them is, whichever value each has for it."""
    if len(masks) == 1:
        return masks[0]
    if judged.ignore is not None:
        raise ValueError(
            f"`ignore` goes with one mask an image. Received: ignore={judged.ignore!r}, {len(masks)} masks of image "
            f"{name!r}. Save one mask in which that value marks the pixels without a label."
        )
    shapes = [[page.shape for page in mask] for mask in masks]
    if judged.classes > 1 or any(shape != shapes[0] for shape in shapes):
        raise ValueError(
            f"Several masks of one image are united only with `classes=1`, and where all have one size. Received: "
            f"{len(masks)} masks of image {name!r} of the sizes {sorted({str(s) for shape in shapes for s in shape})}, "
            f"classes={judged.classes}. Save one mask of class indices."
        )
    if isinstance(masks[0][0], LazyPage):
        raise ValueError(
            f"With `lazy=True` each image must have one mask. Received: {len(masks)} masks of image {name!r}. Save one "
            "mask of them, or leave `lazy=True` out."
        )
    parts = [[class_indices(page, name, *judged) for page in mask] for mask in masks]
    return [np.maximum.reduce(pages) for pages in zip(*parts, strict=True)]


def _check_sizes(images: dict[str, np.ndarray], masks: dict[str, np.ndarray]) -> None:
    for name, image in images.items():
        (height, width), (mask_height, mask_width) = image.shape[:2], masks[name].shape[:2]
        if (height, width) != (mask_height, mask_width):
            turned = (height, width) == (mask_width, mask_height)
            hint = " Or was it made without regard to the EXIF orientation of one of them?" if turned else ""
            raise ValueError(
                f"An image and its mask must have the same size. Received: image {name!r} of {height}×{width} pixels, "
                f"but its mask of {mask_height}×{mask_width}. Does this mask belong to this image?{hint}"
            )


def _refuse_unused_classes(stack: Stack, classes: int) -> None:
    largest = int(stack.masks.max())
    if classes > 1 and largest < classes - 1:
        raise ValueError(
            f"`classes` must be the number of classes in the masks. Received: classes={classes}, but the largest class "
            f"index in the {len(stack)} masks is {largest}. Pass `classes={max(largest + 1, 1)}`."
        )
