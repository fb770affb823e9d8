import struct
import zlib

import imagecodecs
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image, ImageOps

from unetdyn.data import read_image
from unetdyn.data.files import read_pages
from unetdyn.data.pictures import turned

GREY = np.arange(64, dtype="uint8").reshape(8, 8) * 4
RGB = np.stack([GREY, GREY // 2, GREY // 3], axis=-1)
DARK16 = np.random.default_rng(0).integers(0, 250, (6, 7, 4)).astype("uint16")


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_by_hand(path, bits, colour, rows, extra=b""):
    """A PNG file of the packed `rows`, without any encoder."""
    width = 8 * len(rows[0]) // (bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour])
    header = struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    chunks = chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def rows16(pixels):
    return [row.astype(">u2").tobytes() for row in pixels]


@pytest.mark.parametrize(("colour", "channels", "kept"), [(0, 1, 1), (4, 2, 1), (2, 3, 3), (6, 4, 3)])
def test_read_image_keeps_16_bits_in_every_kind_of_png(tmp_path, colour, channels, kept):
    pixels = DARK16[..., :channels]
    png_by_hand(tmp_path / "a.png", 16, colour, rows16(pixels))
    image = read_image(tmp_path / "a.png")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image, pixels[..., :kept])
    shown = plt.imread(tmp_path / "a.png")
    if colour == 0:  # matplotlib has 16 bits for this one only
        np.testing.assert_allclose(image[..., 0] / 65535, shown, atol=1e-6)


def test_read_pages_finds_a_16_bit_colour_mask_of_ones(tmp_path):
    mask = np.eye(5, dtype="uint16")[..., None].repeat(3, -1)
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(mask))
    np.testing.assert_array_equal(read_pages(tmp_path / "a.png", mask=True)[0], mask)


@pytest.mark.parametrize("bits", [2, 4])
def test_read_pages_stretches_few_bits_in_an_image_and_keeps_them_in_a_mask(tmp_path, bits):
    levels = np.arange(32, dtype="uint8").reshape(4, 8) % 2**bits
    packed = sum(levels[:, part :: 8 // bits] << (8 - bits - bits * part) for part in range(8 // bits)).astype("uint8")
    png_by_hand(tmp_path / "a.png", bits, 0, [row.tobytes() for row in packed])
    np.testing.assert_array_equal(read_image(tmp_path / "a.png")[..., 0], np.asarray(Image.open(tmp_path / "a.png")))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").max(), 255)
    np.testing.assert_array_equal(read_pages(tmp_path / "a.png", mask=True)[0][..., 0], levels)


def test_read_image_takes_no_colour_marked_as_transparent_for_alpha(tmp_path):
    transparent = chunk(b"tRNS", struct.pack(">HHH", *DARK16[0, 0, :3].tolist()))
    png_by_hand(tmp_path / "a.png", 16, 2, rows16(DARK16[..., :3]), transparent)
    Image.fromarray(GREY).save(tmp_path / "b.png", transparency=4)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), DARK16[..., :3])
    np.testing.assert_array_equal(read_image(tmp_path / "b.png")[..., 0], GREY)


def test_read_pages_takes_the_shape_of_a_mask_from_its_alpha(tmp_path):
    shape = np.where(GREY > 100, 255, 0).astype("uint8")
    Image.fromarray(np.dstack([np.full_like(RGB, 255), shape])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_pages(tmp_path / "a.png", mask=True)[0][..., 0], shape)


def test_read_pages_takes_the_shape_of_a_mask_from_the_transparency_of_its_palette(tmp_path):
    image = Image.fromarray((GREY > 100).astype("uint8")).convert("P")
    image.putpalette([255, 255, 255] * 2)
    image.save(tmp_path / "a.png", transparency=bytes([0, 255]))
    np.testing.assert_array_equal(read_pages(tmp_path / "a.png", mask=True)[0][..., 0], np.where(GREY > 100, 255, 0))


@pytest.mark.parametrize("name", ["a.png", "a.gif", "a.bmp"])
def test_read_pages_reads_a_mask_quantised_to_a_palette_as_it_looks(tmp_path, name):
    mask = np.where(np.arange(64).reshape(8, 8) < 48, 255, 0).astype("uint8")  # white is more frequent: index 0
    Image.fromarray(mask).convert("RGB").quantize(2).save(tmp_path / name)
    np.testing.assert_array_equal(read_pages(tmp_path / name, mask=True)[0][..., 0], mask)
    np.testing.assert_array_equal(read_image(tmp_path / name)[..., 0], mask)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_shows_pixels_as_pillow_does(orientation):
    image = Image.fromarray(RGB[:5])
    image.getexif()[274] = orientation
    np.testing.assert_array_equal(turned(RGB[:5], orientation), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_read_pages_turns_image_and_mask_as_the_exif_orientation_says(tmp_path, name, mask):
    large, exif = GREY[4:].repeat(8, 0).repeat(8, 1), Image.Exif()
    exif[274] = 6
    Image.fromarray(large).save(tmp_path / name, exif=exif)
    with Image.open(tmp_path / name) as file:
        shown = np.asarray(ImageOps.exif_transpose(file))
    assert shown.shape == (64, 32)
    np.testing.assert_array_equal(read_pages(tmp_path / name, mask)[0][..., 0], shown)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_read_image_passes_over_damaged_exif_data(tmp_path, name):
    Image.fromarray(GREY).save(tmp_path / name, exif=b"Exif\0\0rubbish!")
    assert read_image(tmp_path / name).shape == (8, 8, 1)


def test_read_image_leaves_out_the_preview_behind_a_jpeg(tmp_path):
    preview = Image.fromarray(RGB)
    Image.fromarray(RGB.repeat(8, 0)).save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[preview])
    assert read_image(tmp_path / "a.jpg").shape == (64, 8, 3)


def test_read_image_has_no_bound_on_the_number_of_pixels(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for name in ("a.png", "a.jpg", "a.gif", "a.bmp"):
        Image.fromarray(GREY).save(tmp_path / name)
        assert read_image(tmp_path / name).shape == (8, 8, 1)


def test_read_image_reads_a_gif_in_grey_or_colour(tmp_path):
    for name, grey in (("full.gif", np.arange(256, dtype="uint8").reshape(16, 16)), ("few.gif", GREY)):
        Image.fromarray(grey).save(tmp_path / name)
        np.testing.assert_array_equal(read_image(tmp_path / name)[..., 0], grey)
    Image.fromarray(RGB).quantize(64).save(tmp_path / "rgb.gif")
    with Image.open(tmp_path / "rgb.gif") as file:
        np.testing.assert_array_equal(read_image(tmp_path / "rgb.gif"), np.asarray(file.convert("RGB")))


@pytest.mark.parametrize(
    "pixels", [GREY, GREY > 90, RGB, np.dstack([RGB, GREY])], ids=["8 bits", "1 bit", "RGB", "RGBA"]
)
def test_read_image_reads_bmp(tmp_path, pixels):
    Image.fromarray(pixels).save(tmp_path / "a.bmp")
    expected = pixels[..., :3] if pixels.ndim == 3 else pixels[..., None]
    np.testing.assert_array_equal(read_image(tmp_path / "a.bmp"), expected)


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("black", [0, 1])
def test_read_pages_reads_a_bmp_of_two_colours_in_8_bits(tmp_path, mask, black):
    indices = (np.arange(40).reshape(5, 8) % 3 > 0).astype("uint8")
    image = Image.fromarray(indices).convert("P")
    image.putpalette([255 * black] * 3 + [255 - 255 * black] * 3)
    image.save(tmp_path / "a.bmp")
    np.testing.assert_array_equal(read_pages(tmp_path / "a.bmp", mask)[0][..., 0], 255 * (indices != black))


def test_read_pages_takes_the_shape_of_a_mask_from_the_alpha_of_a_bmp(tmp_path):
    shape = np.where(GREY > 100, 255, 0).astype("uint8")
    bits = struct.pack("<IiiHHIIiiII", 108, 8, -8, 1, 32, 3, 0, 0, 0, 0, 0)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
    pixels = np.dstack([np.full_like(RGB, 9), shape]).tobytes()
    (tmp_path / "a.bmp").write_bytes(struct.pack("<2sIII", b"BM", 378, 0, 122) + bits + masks + pixels)
    np.testing.assert_array_equal(read_pages(tmp_path / "a.bmp", mask=True)[0][..., 0], shape)


def test_read_image_refuses_a_gif_that_claims_more_pixels_than_it_holds(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.gif")
    data = (tmp_path / "a.gif").read_bytes()
    (tmp_path / "a.gif").write_bytes(data[:6] + struct.pack("<HH", 65535, 65535) + data[10:])
    with pytest.raises(ValueError, match=r"claims 65535×65535 pixels, more than its bytes can hold"):
        read_image(tmp_path / "a.gif")


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_read_image_refuses_an_animation(tmp_path, name):
    Image.fromarray(GREY).save(tmp_path / name, save_all=True, append_images=[Image.fromarray(255 - GREY)])
    with pytest.raises(ValueError, match=r"an animation of 2 frames.*Save each frame as a file of its own"):
        read_image(tmp_path / name)


def test_read_image_refuses_a_cmyk_jpeg(tmp_path):
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(ValueError, match=r"a JPEG whose colours are CMYK\. Save it as grey or RGB"):
        read_image(tmp_path / "a.jpg")


def test_read_image_refuses_a_jpeg_of_12_bits(tmp_path):
    (tmp_path / "a.jpg").write_bytes(imagecodecs.jpeg_encode(GREY.astype("uint16") * 16, bitspersample=12))
    with pytest.raises(ValueError, match=r"a JPEG of more than 8 bits\. Save it as 16-bit PNG or TIFF"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.parametrize("content", ["jpeg", "tiff"])
def test_read_image_goes_by_the_content_of_a_picture(tmp_path, content):
    Image.fromarray(GREY).save(tmp_path / "a.png", content)
    if content == "jpeg":
        np.testing.assert_array_equal(
            read_image(tmp_path / "a.png")[..., 0], np.asarray(Image.open(tmp_path / "a.png"))
        )
    else:
        with pytest.raises(ValueError, match=r"begins neither as a PNG.*another format than its extension says"):
            read_image(tmp_path / "a.png")
