import numpy as np
import pytest
from PIL import Image

from unetdyn.data import read_image
from unetdyn.data.png_chunks import PngHeader, read_png_header

GREY = np.arange(64, dtype="uint8").reshape(8, 8) * 4
RGBA = np.dstack([GREY, GREY // 2, GREY // 3, GREY])


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (GREY > 9, PngHeader(bits=1, grey=True, alpha=False)),
        (GREY.astype("uint16"), PngHeader(bits=16, grey=True, alpha=False)),
        (RGBA[..., 2:], PngHeader(bits=8, grey=True, alpha=True)),
        (RGBA[..., :3], PngHeader(bits=8, grey=False, alpha=False)),
        (RGBA, PngHeader(bits=8, grey=False, alpha=True)),
    ],
)
def test_read_png_header_tells_depth_and_channels(tmp_path, pixels, expected):
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert read_png_header(tmp_path / "a.png") == expected


def test_read_image_refuses_a_png_with_one_bit_flipped(tmp_path):
    Image.fromarray(RGBA).save(tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    start = whole.index(b"IDAT") + 12
    for position in range(start, len(whole) - 20, 7):
        damaged = bytearray(whole)
        damaged[position] ^= 4
        (tmp_path / "a.png").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"checksum of chunk IDAT in the PNG file is wrong"):
            read_image(tmp_path / "a.png")


def test_read_image_refuses_a_png_without_its_last_chunk(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes((tmp_path / "a.png").read_bytes()[:-12])
    with pytest.raises(ValueError, match=r"ends before its last chunk"):
        read_image(tmp_path / "a.png")
