"""The chunks of a PNG file: its own depth, and whether it is whole."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _ALPHA_BIT = 0, 4


@dataclass(frozen=True)
class PngHeader:
    """What the IHDR chunk says of the pixels.

    Attributes:
        bits: 1, 2, 4, 8 or 16 for each sample.
        grey: Whether it is grey, with or without alpha.
        alpha: Whether it has an alpha channel.
    """

    bits: int
    grey: bool
    alpha: bool


def read_png_header(path: Path) -> PngHeader:
    """The header of a PNG file, every chunk of which has the checksum that it was written with.

    Decoders skip over a wrong checksum, and fill what they cannot decode.

    Args:
        path: A file that begins with `SIGNATURE`.

    Returns:
        The header.

    Raises:
        ValueError: Where a chunk is damaged or the last one is missing.
    """
    header = None
    with path.open("rb") as file:
        file.seek(len(SIGNATURE))
        while True:
            start = file.read(8)
            if len(start) < 8:
                raise ValueError("the PNG file ends before its last chunk")
            length, kind = struct.unpack(">I4s", start)
            data, checksum = file.read(length), file.read(4)
            if checksum != struct.pack(">I", zlib.crc32(kind + data)):
                raise ValueError(f"the checksum of chunk {kind.decode('latin-1')} in the PNG file is wrong")
            if kind == b"IHDR":
                bits, colour = struct.unpack(">8xBB", data[:10])
                header = PngHeader(bits, colour in (_GREY, _GREY | _ALPHA_BIT), bool(colour & _ALPHA_BIT))
            if kind == b"IEND":
                break
    if header is None:
        raise ValueError("the PNG file has no header chunk")
    return header
