import numpy as np
import pytest
import tifffile
from PIL import Image

from unetdyn.data import read_image, read_stack

GREY = np.arange(12, dtype="uint8").reshape(3, 4) * 20
RGB = np.stack([GREY, GREY + 1, GREY + 2], axis=-1)


def png(path, array, mode=None):
    image = Image.fromarray(array)
    (image if mode is None else image.convert(mode)).save(path)


@pytest.mark.parametrize(
    ("name", "array", "expected"),
    [
        ("grey8.png", GREY, GREY[..., None]),
        ("grey16.png", GREY.astype("uint16") * 257, GREY[..., None].astype("uint16") * 257),
        ("one_bit.png", GREY > 100, (GREY > 100)[..., None].astype("uint8")),
        ("rgb.png", RGB, RGB),
        ("rgba.png", np.dstack([RGB, GREY]), RGB),
        ("grey8.tif", GREY, GREY[..., None]),
    ],
)
def test_read_image_keeps_the_depth_of_a_pillow_file(tmp_path, name, array, expected):
    png(tmp_path / name, array)
    image = read_image(tmp_path / name)
    assert image.dtype == expected.dtype
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize(
    ("array", "options", "expected"),
    [
        (GREY.astype("uint16") * 257, {}, GREY.astype("uint16")[..., None] * 257),
        (GREY.astype("float64") / 7, {}, (GREY[..., None] / 7).astype("float32")),
        (GREY.astype("int16") - 100, {}, GREY[..., None].astype("float32") - 100),
        (GREY > 100, {"photometric": "minisblack"}, (GREY > 100)[..., None].astype("uint8")),
        (GREY > 100, {"photometric": "miniswhite"}, (GREY <= 100)[..., None].astype("uint8")),
        (GREY, {"photometric": "miniswhite"}, 255 - GREY[..., None]),
        (RGB, {"photometric": "rgb"}, RGB),
        (RGB.astype("uint16") * 257, {"photometric": "rgb"}, RGB.astype("uint16") * 257),
        (np.moveaxis(RGB, -1, 0), {"photometric": "rgb", "planarconfig": "separate"}, RGB),
        (np.dstack([RGB, GREY]), {"photometric": "rgb", "extrasamples": ["unassalpha"]}, RGB),
        (GREY, {"compression": "zlib"}, GREY[..., None]),
    ],
)
def test_read_image_understands_tiff(tmp_path, array, options, expected):
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    image = read_image(tmp_path / "a.tif")
    assert image.dtype == expected.dtype
    np.testing.assert_array_equal(image, expected)


@pytest.mark.parametrize("compression", ["tiff_lzw", "group4", "packbits"])
def test_read_image_understands_compressed_one_bit_tiff(tmp_path, compression):
    Image.fromarray(GREY > 100).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], GREY > 100)


def test_read_image_replaces_a_palette_by_its_colours(tmp_path):
    image = Image.fromarray(GREY // 20 % 3).convert("P")
    image.putpalette([0, 0, 0, 10, 20, 30, 40, 50, 60])
    image.save(tmp_path / "a.png")
    colours = np.array([[0, 0, 0], [10, 20, 30], [40, 50, 60]], "uint8")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), colours[GREY // 20 % 3])


def test_read_image_replaces_a_tiff_palette_by_its_colours(tmp_path):
    colormap = np.zeros((3, 256), "uint16")
    colormap[:, 1] = [256 * 10, 256 * 20, 256 * 30]
    indices = (GREY > 100).astype("uint8")
    tifffile.imwrite(tmp_path / "a.tif", indices, photometric="palette", colormap=colormap)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), indices[..., None] * np.array([10, 20, 30], "uint8"))


def test_read_image_reads_jpeg(tmp_path):
    png(tmp_path / "a.jpg", np.full((8, 8), 100, "uint8"))
    assert read_image(tmp_path / "a.jpg").shape == (8, 8, 1)


def test_read_stack_sorts_naturally_and_passes_over_what_is_no_image(tmp_path):
    for name in ("s10.png", "s9.png", "S1.png"):
        png(tmp_path / name, GREY)
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.bmp").write_text("x")
    (tmp_path / "folder").mkdir()
    images, names = read_stack(tmp_path)
    assert names == ("S1", "s9", "s10")
    assert images.shape == (3, 3, 4, 1)


@pytest.mark.parametrize("options", [{}, {"imagej": True, "metadata": {"axes": "ZYX"}}, {"bigtiff": True}])
def test_read_stack_reads_the_pages_of_a_tiff(tmp_path, options):
    pages = np.random.default_rng(0).integers(0, 255, (5, 6, 7)).astype("uint8")
    tifffile.imwrite(tmp_path / "stack.tif", pages, **options)
    images, names = read_stack(tmp_path / "stack.tif")
    np.testing.assert_array_equal(images[..., 0], pages)
    assert names[4] == "stack[4]"


def test_read_stack_reads_the_pages_of_an_lzw_tiff(tmp_path):
    pages = [Image.fromarray(GREY + page) for page in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    images, _ = read_stack(tmp_path / "stack.tif")
    np.testing.assert_array_equal(images[..., 0], np.stack([GREY, GREY + 1, GREY + 2]))


def test_read_stack_reads_pages_of_colour_and_hyperstacks_of_channels(tmp_path):
    tifffile.imwrite(tmp_path / "rgb.tif", np.stack([RGB, RGB + 1]), photometric="rgb")
    tifffile.imwrite(tmp_path / "zc.tif", np.zeros((3, 2, 4, 5), "uint8"), imagej=True, metadata={"axes": "ZCYX"})
    np.testing.assert_array_equal(read_stack(tmp_path / "rgb.tif")[0], np.stack([RGB, RGB + 1]))
    assert read_stack(tmp_path / "zc.tif")[0].shape == (3, 4, 5, 2)


def test_read_image_refuses_several_pages(tmp_path):
    tifffile.imwrite(tmp_path / "stack.tif", np.zeros((2, 8, 8), "uint8"), photometric="minisblack")
    with pytest.raises(ValueError, match=r"holds 2.*`read_stack`"):
        read_image(tmp_path / "stack.tif")


def test_read_stack_says_what_a_wrong_path_has_beside_it(tmp_path):
    (tmp_path / "images").mkdir()
    with pytest.raises(FileNotFoundError, match=r"image'.*does not exist; the folder .* holds 'images'\."):
        read_stack(tmp_path / "image")
    with pytest.raises(FileNotFoundError, match=r"is not one; the folder"):
        read_image(tmp_path / "images")


def test_read_stack_refuses_an_empty_folder(tmp_path):
    (tmp_path / "readme.txt").write_text("x")
    with pytest.raises(ValueError, match=r"must hold at least one image.*\.png, \.tif, \.tiff, \.jpg, \.jpeg"):
        read_stack(tmp_path)


def test_read_stack_refuses_a_format_it_does_not_read(tmp_path):
    png(tmp_path / "a.png", GREY)
    png(tmp_path / "b.tga", GREY)
    with pytest.raises(ValueError, match=r"Received: '.*b\.tga'\. Convert that file"):
        read_stack(tmp_path)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("content", [b"no image", b""])
def test_read_image_refuses_a_broken_file(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=r"must be a whole image file, but '.*' cannot be read"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_read_image_refuses_a_file_that_is_cut_short(tmp_path, name):
    noise = np.random.default_rng(0).integers(0, 255, (64, 64)).astype("uint8")
    png(tmp_path / name, noise)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"cut short"):
        read_image(tmp_path / name)


def test_read_stack_refuses_images_that_differ(tmp_path):
    png(tmp_path / "a.png", GREY)
    png(tmp_path / "b.png", RGB)
    with pytest.raises(ValueError, match=r"'a' of 3×4 pixels, 1 channel, uint8, but 'b' of 3×4 pixels, 3 channels"):
        read_stack(tmp_path)


def test_read_stack_refuses_two_files_of_one_name(tmp_path):
    png(tmp_path / "a.png", GREY)
    png(tmp_path / "a.tif", GREY)
    with pytest.raises(ValueError, match=r"two images of the name 'a'"):
        read_stack(tmp_path)


def test_read_stack_gives_one_bit_the_range_of_the_grey_images_beside_it(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    Image.fromarray(np.ones_like(GREY, bool)).save(tmp_path / "b.png")  # a white section, made smaller without loss
    assert read_stack(tmp_path)[0].max(axis=(1, 2, 3)).tolist() == [220, 255]
    (tmp_path / "a.png").unlink()
    assert read_stack(tmp_path)[0].max() == 1
