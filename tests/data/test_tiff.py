import io
import struct

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unetdyn.data import read_image, read_stack
from unetdyn.data.files import read_pages

GREY = np.arange(64, dtype="uint8").reshape(8, 8) * 3
RGB = np.stack([GREY, GREY // 2, 255 - GREY], axis=-1)
NOISE = np.random.default_rng(0).integers(0, 256, (64, 64)).astype("uint8")
PLAIN = {"photometric": "minisblack", "metadata": None}


def write_pages(path, *pages):
    with tifffile.TiffWriter(path) as file:
        for array, options in pages:
            file.write(array, **{**PLAIN, **options})


DTYPES = ["uint8", "uint16", "int8", "int16", "int32", "uint32", "float16", "float32", "float64"]
COMPRESSIONS = [None, "lzw", "zlib", "zstd", "packbits", "lzma", "lerc", "png"]


@st.composite
def written_tiffs(draw):
    """An array, the options it is written with, and what has to come back by the meaning of the tags."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    colour = draw(st.sampled_from(["minisblack", "miniswhite", "rgb", "rgb separate", "rgb and more"]))
    compression = draw(st.sampled_from(COMPRESSIONS))
    if compression == "png" and (
        dtype not in (np.uint8, np.uint16) or colour not in ("minisblack", "miniswhite", "rgb")
    ):
        compression = "zlib"
    if compression == "lerc" and (dtype in (np.int8, np.float16) or "rgb" in colour):
        compression = "lzw"
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    channels = {"rgb": 3, "rgb separate": 3, "rgb and more": 4}.get(colour, 1)
    values = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 101, (*shape, channels)).astype(dtype)
    options = {"photometric": colour.split()[0], "compression": compression, "byteorder": draw(st.sampled_from("<>"))}
    options["predictor"] = compression in ("lzw", "zlib", "zstd") and dtype.kind in "ui"
    if draw(st.booleans()):
        options["tile"] = (16, 16)
    else:
        options["rowsperstrip"] = draw(st.integers(1, 40))
    expected = values.astype(dtype if dtype in (np.uint8, np.uint16) else "float32")
    if colour == "miniswhite" and dtype in (np.uint8, np.uint16):
        expected = (np.iinfo(dtype).max - values).astype(expected.dtype)
    if colour == "rgb separate":
        values, options["planarconfig"] = np.moveaxis(values, -1, 0), "separate"
    elif colour == "rgb and more":
        options["extrasamples"] = ["unspecified"]
    return values[..., 0] if channels == 1 else values, options, expected


@settings(max_examples=80, deadline=None, derandomize=True)
@given(written_tiffs())
def test_read_image_returns_what_any_tiff_was_written_from(tmp_path_factory, written):
    values, options, expected = written
    path = tmp_path_factory.getbasetemp() / "written.tif"
    tifffile.imwrite(path, values, **options)
    image = read_image(path)
    assert image.dtype == expected.dtype
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_read_image_turns_white_at_zero_round_whatever_the_compression(tmp_path, compression):
    for name, array in (("8", GREY), ("16", GREY.astype("uint16") * 257)):
        tifffile.imwrite(tmp_path / f"{name}.tif", array, photometric="miniswhite", compression=compression)
    np.testing.assert_array_equal(read_image(tmp_path / "8.tif")[..., 0], np.asarray(Image.open(tmp_path / "8.tif")))
    np.testing.assert_array_equal(read_image(tmp_path / "16.tif")[..., 0], 65535 - GREY.astype("uint16") * 257)


@pytest.mark.parametrize(("bits", "most"), [(2, 3), (4, 15)])
def test_read_pages_stretches_few_bits_in_an_image_and_keeps_them_in_a_mask(tmp_path, bits, most):
    levels = (np.arange(64, dtype="uint8") % (most + 1)).reshape(8, 8)
    tifffile.imwrite(tmp_path / "a.tif", levels, bitspersample=bits, photometric="minisblack")
    tifffile.imwrite(tmp_path / "w.tif", levels, bitspersample=bits, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], np.asarray(Image.open(tmp_path / "a.tif")))
    np.testing.assert_array_equal(read_pages(tmp_path / "a.tif", mask=True)[0][..., 0], levels)
    np.testing.assert_array_equal(read_image(tmp_path / "w.tif")[..., 0], 255 - levels * (255 // most))


@pytest.mark.parametrize(("photometric", "first"), [("minisblack", 0), ("miniswhite", 4095)])
def test_read_image_keeps_the_values_of_12_bits(tmp_path, photometric, first):
    values = np.arange(64, dtype="uint16").reshape(8, 8) * 65
    tifffile.imwrite(tmp_path / "a.tif", values, bitspersample=12, photometric=photometric)
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == np.uint16
    np.testing.assert_array_equal(image[..., 0], abs(first - values.astype(int)))


@pytest.mark.parametrize("compression", [None, "lzw"])
def test_read_stack_follows_the_axes_of_a_hyperstack_whatever_the_compression(tmp_path, compression):
    stack = np.arange(3 * 2 * 4 * 5, dtype="uint8").reshape(3, 2, 4, 5)
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata={"axes": "ZCYX"}, compression=compression)
    with tifffile.TiffWriter(tmp_path / "ij.tif", imagej=True) as file:
        file.write(stack, metadata={"axes": "ZCYX"}, compression=compression)
    for name in ("a.ome.tif", "ij.tif"):
        np.testing.assert_array_equal(read_stack(tmp_path / name)[0], np.moveaxis(stack, 1, -1))


@pytest.mark.parametrize(
    "pages",
    [
        [(NOISE, {"subifds": 1, "tile": (16, 16)}), (NOISE[::2, ::2], {"subfiletype": 1, "tile": (16, 16)})],
        [(NOISE, {"tile": (16, 16)}), (NOISE[::2, ::2], {"subfiletype": 1, "tile": (16, 16)})],
        [(NOISE[::4, ::4], {"subfiletype": 1}), (NOISE, {})],
        [(NOISE, {}), (NOISE > 9, {"subfiletype": 4, "photometric": 4})],
    ],
    ids=["levels inside", "levels behind", "a thumbnail before", "a transparency mask behind"],
)
def test_read_image_takes_no_copy_of_a_page_for_a_page(tmp_path, pages):
    write_pages(tmp_path / "a.tif", *pages)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], NOISE)


def test_read_pages_refuses_pages_of_different_sizes(tmp_path):
    write_pages(tmp_path / "a.tif", (NOISE, {}), (NOISE[::4, ::4], {}))
    with pytest.raises(ValueError, match=r"pages differ in size: 64×64, 16×16 pixels\. Save the pages"):
        read_pages(tmp_path / "a.tif")


def test_read_pages_refuses_two_images_in_one_page(tmp_path):
    write_pages(tmp_path / "a.tif", (NOISE, {"subifds": 1}), (255 - NOISE, {}))
    with pytest.raises(ValueError, match=r"another image of its size \(SubIFD\)\. Save them as two files"):
        read_pages(tmp_path / "a.tif")


def test_read_pages_refuses_a_file_of_reduced_copies_alone(tmp_path):
    write_pages(tmp_path / "a.tif", (NOISE, {"subfiletype": 1}))
    with pytest.raises(ValueError, match=r"every page is marked as a reduced copy"):
        read_pages(tmp_path / "a.tif")


def test_read_stack_takes_each_page_by_its_own_tags(tmp_path):
    white, black = (255 - GREY, {"photometric": "miniswhite"}), (GREY, {})
    write_pages(tmp_path / "a.tif", black, white, black, white)
    np.testing.assert_array_equal(read_stack(tmp_path / "a.tif")[0][..., 0], np.stack([GREY] * 4))
    palettes = [np.zeros((3, 256), "uint16") for _ in range(2)]
    palettes[0][:, 1], palettes[1][:, 1] = 50 * 256, 100 * 256
    indices = (GREY > 90).astype("uint8")
    write_pages(tmp_path / "p.tif", *[(indices, {"photometric": "palette", "colormap": table}) for table in palettes])
    assert read_stack(tmp_path / "p.tif")[0].max(axis=(1, 2, 3)).tolist() == [50, 100]


def test_read_image_reads_a_table_of_8_bit_colours(tmp_path):
    table = np.zeros((3, 256), "uint16")
    table[:, 1] = [10, 20, 30]
    tifffile.imwrite(tmp_path / "a.tif", (GREY > 90).astype("uint8"), photometric="palette", colormap=table)
    np.testing.assert_array_equal(np.unique(read_image(tmp_path / "a.tif")), [0, 10, 20, 30])


def test_read_pages_reads_a_palette_whose_index_0_is_white_by_its_colours(tmp_path):
    table = np.zeros((3, 256), "uint16")
    table[:, 0] = 65535
    tifffile.imwrite(tmp_path / "a.tif", (GREY > 90).astype("uint8"), photometric="palette", colormap=table)
    np.testing.assert_array_equal(read_pages(tmp_path / "a.tif", mask=True)[0][..., 0], np.where(GREY > 90, 0, 255))


def test_read_image_decodes_jpeg_inside_tiff(tmp_path):
    large = RGB.repeat(8, 0).repeat(8, 1)
    tifffile.imwrite(tmp_path / "a.tif", large, photometric="rgb", compression="jpeg", compressionargs={"level": 95})
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image, np.asarray(Image.open(tmp_path / "a.tif").convert("RGB")))
    assert abs(image.astype(int) - large).max() < 20


def test_read_image_decodes_old_style_jpeg(tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(RGB.repeat(8, 0).repeat(8, 1)).save(buffer, "JPEG", quality=95, subsampling=0)
    jpeg = buffer.getvalue() + b"\0" * (len(buffer.getvalue()) % 2)
    tags = [(256, 64), (257, 64), (258, 8), (259, 6), (262, 6), (273, 8), (277, 3), (278, 64), (279, len(jpeg))]
    tags += [(513, 8), (514, len(jpeg))]  # where the JPEG file lies inside the TIFF file
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + b"\0" * 4
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 8 + len(jpeg)) + jpeg + directory)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), np.asarray(Image.open(buffer)))


def test_read_image_drops_the_sample_that_is_alpha(tmp_path):
    samples = np.dstack([RGB, GREY + 1, GREY + 2])
    kinds = ["unassalpha", "unspecified"]
    tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=kinds, compression="lzw")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), samples[..., [0, 1, 2, 4]])


@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("orientation", [2, 6, 8])
def test_read_image_refuses_a_turned_tiff(tmp_path, orientation, compression):
    tag = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(tmp_path / "a.tif", GREY, compression=compression, extratags=tag)
    with pytest.raises(ValueError, match=rf"orientation tag is {orientation}: some viewers.*without the tag"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_read_image_passes_over_an_orientation_that_turns_nothing(tmp_path, orientation):
    tifffile.imwrite(tmp_path / "a.tif", GREY, extratags=[(274, "H", 1, orientation, True)])
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], GREY)


@pytest.mark.parametrize(("mode", "colours"), [("CMYK", "CMYK"), ("LAB", "CIELab"), ("YCbCr", "YCbCr")])
def test_read_image_refuses_colours_that_are_no_rgb(tmp_path, mode, colours):
    Image.fromarray(RGB).convert(mode).save(tmp_path / "a.tif")
    with pytest.raises(ValueError, match=rf"whose colours are {colours}\. Save it as grey or RGB"):
        read_image(tmp_path / "a.tif")


def test_read_image_refuses_a_tiff_that_does_not_say_what_zero_means(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, **PLAIN)
    entry = struct.pack("<H", 262)
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes().replace(entry, struct.pack("<H", 65000), 1))
    with pytest.raises(ValueError, match=r"whether zero is black or white \(tag 262\)"):
        read_image(tmp_path / "a.tif")


def test_read_pages_refuses_a_mask_with_the_inverting_table_of_imagej(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, imagej=True, photometric="miniswhite")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], 255 - GREY)
    with pytest.raises(ValueError, match=r"255 is shown black\. In ImageJ choose"):
        read_pages(tmp_path / "a.tif", mask=True)
