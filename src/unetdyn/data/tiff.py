"""TIFF files: every one through tifffile and imagecodecs, and what their tags say done to the values."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetdyn.data.depth import stretched
from unetdyn.data.palettes import palette_colours, palette_mask
from unetdyn.data.refused import ambiguous
from unetdyn.data.smeared import refuse_smeared_indices
from unetdyn.data.tiff_whole import (
    PLAIN,
    errors_of_tifffile,
    is_beside,
    refuse_cut,
    refuse_missing,
    refuse_unfit_description,
)
from unetdyn.data.transparency import without_alpha

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

# Values of tags, as the TIFF 6.0 specification numbers them.
_PHOTOMETRIC, _ORIENTATION = 262, 274
_MINISWHITE, _PALETTE, _YCBCR = 0, 3, 6
_JPEG = {6, 7}  # decoding turns their YCbCr into RGB
_UNREAD_COLOURS = {
    5: "CMYK", 6: "YCbCr", 8: "CIELab", 9: "ICCLab", 10: "ITULab", 32803: "a camera's colour filters",
    32844: "LogL", 32845: "LogLuv", 34892: "a camera's linear raw",
}  # fmt: skip
_ALPHA = {1, 2}


def read_tiff(path: Path, mask: bool) -> list[np.ndarray]:
    """The pages of a TIFF file, each of shape `(height, width, channels)` and in the file's own dtype.

    - ImageJ, OME and other descriptions of stacks rule the axes: channels come last, all others count pages.
    - Reduced copies (a pyramid's levels, a thumbnail that is marked as one) and transparency masks are no pages.
    - White at zero is turned round, so that larger is brighter: v becomes 2ᵇ - 1 - v with b bits. Signed and floating
      values, and those of more than 16 bits, are measurements without a white, and stay.
    - A palette is replaced by its colours; `palette_mask` decides for masks. Alpha goes to `without_alpha`.

    Args:
        path: The file.
        mask: Whether it is a mask.

    Raises:
        RefusedFile: Where the file says that its rows don't begin at the top left (viewers disagree about it: Fiji,
            napari and tifffile ignore that, Pillow and desktop viewers turn the image, and programs write it wrongly),
            where its colours are no RGB, its pages differ in size, pages are missing, or a mask is ambiguous.
    """
    from tifffile import TiffFile

    with errors_of_tifffile(), TiffFile(path) as file:
        plain = {series.kind for series in file.series} <= PLAIN
        refuse_unfit_description(file, path)
        pages = [] if plain else list(_described_pages(file, path, mask))
    if plain:
        with (
            errors_of_tifffile(),
            TiffFile(path) as file,
        ):  # anew: the series may have left its pages without their tags
            pages = list(_plain_pages(file, path, mask))
    if not pages:
        raise ambiguous(path, "in which every page is marked as a reduced copy or a mask", "Save the full image alone.")
    refuse_sizes({page.shape[:2] for page in pages}, path)
    return pages


def _plain_pages(file: TiffFile, path: Path, mask: bool) -> Iterator[np.ndarray]:
    for page in file.pages:
        if not is_beside(page):
            _refuse_inner_images(page, path)
            refuse_cut(page, file)
            yield from _understood(page.asarray(), page.axes, page, path, mask, file.is_imagej)


def _described_pages(file: TiffFile, path: Path, mask: bool) -> Iterator[np.ndarray]:
    for series in file.series:
        if is_beside(series.keyframe):
            continue
        refuse_missing(series, file, path)
        yield from _understood(series.asarray(), series.axes, series.keyframe, path, mask, file.is_imagej)


def _refuse_inner_images(page: TiffPage, path: Path) -> None:
    """Smaller images inside a page are its levels; one as large is another image."""
    for inner in page.pages or ():
        as_large = inner.imagewidth * inner.imagelength >= page.imagewidth * page.imagelength
        if as_large and not is_beside(inner):
            raise ambiguous(path, "a page of which holds another image of its size (SubIFD)", "Save them as two files.")


def _understood(
    array: np.ndarray, axes: str, page: TiffPage, path: Path, mask: bool, imagej: bool
) -> Iterator[np.ndarray]:
    """Pages as a viewer shows them, of an array whose meaning the tags of `page` tell."""
    refuse_turned(page, path)
    _refuse_other_colours(page, path)
    has_white = np.dtype(page.dtype).kind in "ub" and page.dtype.itemsize <= 2
    white_is_zero = page.photometric == _MINISWHITE and has_white
    if white_is_zero:
        _refuse_unsure_white(page, path, mask and imagej)
    for image in _split(array, axes):
        alphas = _alphas(page, image.shape[-1])
        pixels, alpha = np.delete(image, alphas, axis=-1) if alphas else image, image[..., alphas[:1]]
        if white_is_zero:
            pixels = ~pixels if pixels.dtype == np.bool_ else 2**page.bitspersample - 1 - pixels
        if page.photometric == _PALETTE:
            pixels = _without_palette(pixels, page, path, mask)
        elif not mask:
            pixels = stretched(pixels, page.bitspersample)
        if alpha.size:
            pixels = without_alpha(pixels, alpha[..., 0], path, mask)
        if mask and page.compression in _JPEG:
            refuse_smeared_indices(pixels, path)
        yield pixels


def _split(array: np.ndarray, axes: str) -> Iterator[np.ndarray]:
    """Pages of shape `(height, width, channels)`; every axis but Y, X, S (samples) and C (channels) counts pages."""
    channels = [axes.index(axis) for axis in "CS" if axis in axes]
    if "Y" not in axes or "X" not in axes:
        raise ValueError(f"its axes are {axes}, without rows and columns")
    last = [axes.index("Y"), axes.index("X"), *channels]
    order = [axis for axis in range(array.ndim) if axis not in last] + last
    height, width = array.shape[last[0]], array.shape[last[1]]
    depth = int(np.prod([array.shape[axis] for axis in channels], dtype=int))
    yield from array.transpose(order).reshape(-1, height, width, depth)


def _alphas(page: TiffPage, channels: int) -> list[int]:
    """Which channels are alpha. Extra samples are the last ones of each pixel."""
    extra = [int(kind) in _ALPHA for kind in page.extrasamples]
    return [channels - len(extra) + index for index, is_alpha in enumerate(extra) if is_alpha]


def _without_palette(pixels: np.ndarray, page: TiffPage, path: Path, mask: bool) -> np.ndarray:
    if pixels.shape[-1] != 1 or page.colormap is None:
        raise ambiguous(
            path, "a palette image without one index for each pixel", "Save its channels without a palette."
        )
    colours = np.asarray(page.colormap).T
    if colours.max() > 255:  # 16-bit colours, whose upper byte is the 8-bit one; some programs write 8 bits
        colours = colours >> 8
    table = np.concatenate([colours, np.full((len(colours), 1), 255)], axis=1).astype(np.uint8)
    indices = pixels[..., 0].astype(np.uint16 if pixels.dtype == np.uint16 else np.uint8)
    return palette_mask(indices, table, path) if mask else palette_colours(indices, table, path)


def refuse_sizes(sizes: set[tuple[int, int]], path: Path) -> None:
    """Refuse a file whose pages have several of these heights and widths."""
    if len(sizes) > 1:
        listed = ", ".join(f"{height}×{width}" for height, width in sorted(sizes, reverse=True))
        raise ambiguous(
            path,
            f"whose pages differ in size: {listed} pixels",
            "Save the pages that belong together in one file each.",
        )


def refuse_turned(page: TiffPage, path: Path) -> None:
    """Refuse a page whose orientation tag says that its rows don't begin at the top left; 0 says nothing."""
    orientation = page.tags.valueof(_ORIENTATION, default=1)
    if orientation in range(2, 9):
        raise ambiguous(
            path,
            f"whose orientation tag is {orientation}: some viewers turn it, others don't, so a mask may fit either",
            "Save it as you want it, without the tag (1 is upright).",
        )


def _refuse_other_colours(page: TiffPage, path: Path) -> None:
    if page.photometric in _UNREAD_COLOURS and not (page.photometric == _YCBCR and page.compression in _JPEG):
        raise ambiguous(path, f"whose colours are {_UNREAD_COLOURS[page.photometric]}", "Save it as grey or RGB.")


def _refuse_unsure_white(page: TiffPage, path: Path, imagej_mask: bool) -> None:
    if _PHOTOMETRIC not in page.tags:
        raise ambiguous(
            path, "which doesn't say whether zero is black or white (tag 262)", "Save it anew with that tag."
        )
    if imagej_mask:
        raise ambiguous(
            path,
            "a mask with the inverting lookup table of ImageJ, in which 255 is shown black",
            "In ImageJ choose Image > Lookup Tables > Invert LUT, see that what you want is white, and save it again.",
        )
