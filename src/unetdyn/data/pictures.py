"""PNG, JPEG, GIF and BMP: through Pillow, and through imagecodecs where Pillow would drop half of the bits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from unetdyn.data.palettes import palette_colours, palette_mask
from unetdyn.data.png_chunks import SIGNATURE, PngHeader, read_png_header
from unetdyn.data.refused import ambiguous
from unetdyn.data.smeared import refuse_smeared_indices
from unetdyn.data.transparency import without_alpha

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_ORIENTATION = 274
_GIF_PIXELS_PER_BYTE = 4096  # at most: one code of 12 bits stands for up to 4096 pixels


def read_picture(path: Path, mask: bool) -> list[np.ndarray]:
    """The one page of a PNG, JPEG, GIF or BMP file, of shape `(height, width, channels)`, told by its content.

    - 16 bits stay 16 bits, in colour and beside alpha too. Grey of 2 and 4 bits fills the range of 8 bits in an image,
      and keeps its values in a mask.
    - A palette is replaced by its colours, in a GIF or BMP, which have no other grey, by grey where all are grey;
      `palette_mask` decides for masks. Alpha goes to `without_alpha`.
    - The picture is turned as its EXIF orientation says: so do browsers, annotation tools and OpenCV, and so the mask
      was drawn.
    - Previews and gain maps that cameras put behind a JPEG are left out.

    Args:
        path: The file.
        mask: Whether it is a mask.

    Raises:
        RefusedFile: Where it is an animation, its colours are CMYK, or a mask is ambiguous.
    """
    with path.open("rb") as file:
        start = file.read(8)
    if start == SIGNATURE:
        pixels, orientation = _png(path, mask)
    elif start[:2] == b"\xff\xd8":
        pixels, orientation = _jpeg(path, mask)
    elif start[:4] == b"GIF8":
        pixels, orientation = _gif(path, mask), 1
    elif start[:2] == b"BM":
        pixels, orientation = _bmp(path, mask), 1
    else:
        raise ValueError("it begins neither as a PNG nor as a JPEG, GIF or BMP file")
    return [turned(pixels, orientation)]


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels as the EXIF orientation says that they are to be seen.

    Args:
        pixels: Array of shape `(height, width, channels)`, as stored.
        orientation: 1 for upright, 2 to 8 as the standard numbers the mirrored and turned ones. Other numbers, which
            some programs write, mean nothing.

    Returns:
        Array of shape `(height, width, channels)`, or `(width, height, channels)` where turned by a quarter.

    Example:
        >>> turned(np.array([[[1], [2]]]), 6).ravel().tolist(), turned(np.array([[[1], [2]]]), 6).shape
        ([1, 2], (2, 1, 1))
    """
    if orientation not in range(2, 9):
        return pixels
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    rows, columns = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}[orientation]
    return pixels[::rows, ::columns]


def _png(path: Path, mask: bool) -> tuple[np.ndarray, int]:
    from PIL.PngImagePlugin import PngImageFile

    header = read_png_header(path)
    with PngImageFile(path) as file:
        _refuse_animation(file, path)
        if file.mode == "P":
            without_palette = palette_mask if mask else palette_colours
            return without_palette(np.asarray(file), _table(file), path), _orientation(file)
        return _png_values(file, path, header, mask), _orientation(file)


def _png_values(file: ImageFile, path: Path, header: PngHeader, mask: bool) -> np.ndarray:
    channels = (1 if header.grey else 3) + header.alpha
    pixels = _sixteen_bits(path) if header.bits == 16 else np.asarray(file)
    # A colour that is marked as transparent comes as one more channel from some decoders: it is no alpha.
    pixels = pixels.reshape(*pixels.shape[:2], -1)[..., :channels]
    if mask and header.bits in (2, 4):
        pixels = pixels // (255 // (2**header.bits - 1))
    if header.alpha:
        return without_alpha(pixels[..., :-1], pixels[..., -1], path, mask)
    return pixels


def _sixteen_bits(path: Path) -> np.ndarray:
    from imagecodecs import png_decode

    pixels = png_decode(path.read_bytes())
    if pixels.dtype != np.uint16:
        raise ValueError(f"its 16 bits arrive as {pixels.dtype}")
    return pixels


def _jpeg(path: Path, mask: bool) -> tuple[np.ndarray, int]:
    from PIL.JpegImagePlugin import JpegImageFile

    try:
        file = JpegImageFile(path)
    except SyntaxError as error:
        if "-bit layers" in str(error):
            raise ambiguous(path, "a JPEG of more than 8 bits", "Save it as 16-bit PNG or TIFF.") from error
        raise
    with file:
        if file.mode not in ("L", "RGB"):
            raise ambiguous(path, f"a JPEG whose colours are {file.mode}", "Save it as grey or RGB.")
        pixels = np.asarray(file)
        if mask:
            refuse_smeared_indices(pixels, path)
        return pixels.reshape(*pixels.shape[:2], -1), _orientation(file)


def _gif(path: Path, mask: bool) -> np.ndarray:
    from PIL.GifImagePlugin import GifImageFile

    with GifImageFile(path) as file:
        if file.width * file.height > _GIF_PIXELS_PER_BYTE * path.stat().st_size:
            raise ValueError(f"it claims {file.height}×{file.width} pixels, more than its bytes can hold")
        _refuse_animation(file, path)
        return _values(file, path, mask)


def _bmp(path: Path, mask: bool) -> np.ndarray:
    from PIL.BmpImagePlugin import BmpImageFile

    with BmpImageFile(path) as file:
        if file.mode == "1" and _bmp_bits(path) != 1:  # two colours in more bits, which Pillow unpacks as single bits
            from imagecodecs import bmp_decode

            return bmp_decode(path.read_bytes()).reshape(file.height, file.width, -1)[..., :1]
        return _values(file, path, mask)


def _bmp_bits(path: Path) -> int:
    with path.open("rb") as file:
        return int.from_bytes(file.read(30)[28:], "little")


def _values(file: ImageFile, path: Path, mask: bool) -> np.ndarray:
    """Of a file that has a palette because its format has no other grey."""
    pixels = np.asarray(file)
    if file.mode == "RGBA":
        return without_alpha(pixels[..., :3], pixels[..., 3], path, mask)
    if file.mode != "P":
        return pixels.reshape(*pixels.shape[:2], -1)
    table = _table(file)
    if mask:
        return palette_mask(pixels, table, path, chosen=False)
    colours = palette_colours(pixels, table, path)
    return colours[..., :1] if (table[:, :3] == table[:, :1]).all() else colours


def _table(file: ImageFile) -> np.ndarray:
    """The palette with its transparency, of shape `(entries, 4)`."""
    colours = np.array(file.getpalette("RGB"), np.uint8).reshape(-1, 3)
    opacity = np.full((len(colours), 1), 255, np.uint8)
    transparent = file.info.get("transparency", b"")
    if isinstance(transparent, int):
        opacity[transparent : transparent + 1] = 0
    else:
        opacity[: len(transparent), 0] = list(transparent[: len(colours)])
    return np.concatenate([colours, opacity], axis=1)


def _refuse_animation(file: ImageFile, path: Path) -> None:
    frames = getattr(file, "n_frames", 1)
    if frames > 1:
        raise ambiguous(
            path,
            f"an animation of {frames} frames, which may be parts of the picture only",
            "Save each frame as a file of its own, or all as the pages of a TIFF.",
        )


def _orientation(file: ImageFile) -> int:
    try:
        return file.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged EXIF data say nothing about the orientation, and viewers pass over them
        return 1
