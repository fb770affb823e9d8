from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from unetdyn.data.files import read_pages
from unetdyn.data.palettes import palette_colours, palette_mask
from unetdyn.data.refused import RefusedFile

PATH = Path("a.png")
SIX = np.array([[0, 1, 2], [2, 1, 0]], "uint8")
BLACK, WHITE, RED, GREEN, BLUE = (0, 0, 0), (255, 255, 255), (200, 0, 0), (0, 200, 0), (0, 0, 200)


def table(*colours):
    return np.array([[*colour, 255][:4] if len(colour) == 3 else colour for colour in colours], "uint8")


def grey(*values):
    return table(*[(value,) * 3 for value in values])


def pascal_voc(entries=256):
    """The colour map of PASCAL VOC, as its development kit makes it: the bits of the index, three for each channel."""
    colours = np.zeros((entries, 3), int)
    for index in range(entries):
        for bit in range(8):
            for channel in range(3):
                colours[index, channel] |= ((index >> (3 * bit + channel)) & 1) << (7 - bit)
    return table(*colours.tolist())


@pytest.mark.parametrize(
    ("indices", "colours"),
    [
        (np.arange(256).reshape(16, 16), pascal_voc()),
        (np.array([[0, 5, 255]]), pascal_voc()),
        (SIX, table(RED, GREEN, BLUE)),
        (SIX, table((0, 0, 100), RED, GREEN, BLUE)),
        (SIX % 2, table((0, 0, 100), RED, GREEN)),
        (SIX, table(BLACK, WHITE, RED)),
        (SIX, table((0, 0, 0, 0), RED, GREEN)),
        (np.array([[0, 1, 255]]), table(RED, GREEN, *[BLUE] * 253, BLACK)),
        (SIX, grey(0, 1, 2)),
        (SIX, grey(0, 127, 255)),
        (np.arange(256).reshape(16, 16), grey(*range(256))),
        (np.array([[0, 1]]), table(BLACK, RED)),
        (np.array([[0, 1]]), table(WHITE, RED)),
        (np.array([[0, 0]]), table(WHITE, RED)),
        (np.array([[0, 2]]), table(WHITE, RED, (90, 90, 90))),
        (np.array([[0, 1]]), table(BLACK, WHITE, RED)),
        (np.array([[0, 255]]), table(BLUE, *[(level, level, level) for level in range(1, 255)], RED)),
    ],
    ids=[
        "VOC, all", "VOC with void", "no black", "dark blue is 0", "two of three", "white is 1", "0 is transparent",
        "void is black", "index = grey", "an even ramp", "256 greys", "red on black", "QuPath", "QuPath, nothing",
        "QuPath, grey class", "white class", "a lookup table with coloured ends",
    ],
)  # fmt: skip
def test_palette_mask_takes_indices_where_the_palette_does_not_contradict_them(indices, colours):
    np.testing.assert_array_equal(palette_mask(indices, colours, PATH)[..., 0], indices)


@pytest.mark.parametrize(
    ("indices", "colours", "expected"),
    [
        ([[0, 0, 0, 1]], grey(255, 0), [[255, 255, 255, 0]]),
        ([[0, 1]], grey(0, 255), [[0, 255]]),
        ([[0, 0]], grey(255, 0), [[255, 255]]),
        ([[10, 225]], grey(*[0] * 225, 255), [[0, 255]]),
        ([[0, 1, 2, 3]], grey(255, 0, 81, 160), [[255, 0, 81, 160]]),
        ([[0, 1, 2, 3]], grey(0, 30, 160, 255), [[0, 30, 160, 255]]),
        ([[0, 0, 1]], table(RED, BLACK), [[255, 255, 0]]),
        ([[3, 7]], table(*[WHITE] * 7, BLACK), [[255, 0]]),
        ([[1, 1]], table(RED, BLACK), [[0, 0]]),
        ([[0, 1, 2]], table((9, 9, 9, 0), (9, 9, 9, 90), (9, 9, 9, 255)), [[0, 90, 255]]),
    ],
    ids=[
        "white 0",
        "black 0",
        "white alone",
        "web",
        "smooth",
        "smooth, sorted",
        "red 0",
        "white 3",
        "black alone",
        "alpha",
    ],
)
def test_palette_mask_takes_colours_where_they_are_meant(indices, colours, expected):
    np.testing.assert_array_equal(palette_mask(np.array(indices), colours, PATH)[..., 0], expected)


def test_palette_mask_takes_the_greys_of_an_even_ramp_in_a_gif():
    np.testing.assert_array_equal(palette_mask(SIX, grey(0, 127, 255), PATH, chosen=False)[..., 0], SIX * 127.5 // 1)


@pytest.mark.parametrize(
    ("indices", "colours", "why"),
    [
        (SIX, table(RED, BLACK, GREEN), r"whose index 1 is black, and 0 is not"),
        ([[0, 1]], table(WHITE, BLACK, RED), r"whose index 1 is black, and 0 is not"),
        (SIX, table(RED, (4, 2, 1), GREEN), r"whose index 1 is black, and 0 is not"),
        (SIX, table(BLACK, RED, RED), r"two indices have one colour"),
        (SIX, grey(0, 0, 0), r"3 indices have one colour"),
        ([[0, 1]], table((255, 255, 255, 0), BLACK), r"2 indices have one colour \(transparent counts as black\)"),
        ([[0, 0]], table(RED, BLACK), r"without black, whose index 0 has the colour \(200, 0, 0\)"),
        ([[0, 1]], table(RED, BLUE), r"without black, whose index 0 has the colour \(200, 0, 0\)"),
        ([[0, 255]], grey(*range(255, -1, -1)), r"inverting palette of ImageJ.*Invert LUT"),
        ([[0, 3]], grey(0, 255), r"palette has 2 colours, but an index is 3"),
    ],
)
def test_palette_mask_refuses_what_can_be_read_in_two_ways(indices, colours, why):
    with pytest.raises(ValueError, match=rf"one way only\. Received: path='a\.png', .*{why}.*(Save|save)"):
        palette_mask(np.array(indices), colours, PATH)


def test_palette_colours_are_those_of_the_table():
    np.testing.assert_array_equal(palette_colours(SIX, table(RED, GREEN, BLUE), PATH), np.eye(3)[SIX] * 200)
    with pytest.raises(ValueError, match=r"an image of one colour that is drawn in its transparency"):
        palette_colours(SIX % 2, table((0, 0, 0, 0), BLACK), PATH)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 999),
    frequency=st.sampled_from([0, 0.1, 0.5, 0.75, 1]),
    colour=st.sampled_from([(255, 255, 255), (128, 128, 128), (255, 0, 0), (0, 128, 0)]),
    colours=st.sampled_from([2, 3, 8, 256, "web"]),
    name=st.sampled_from(["a.png", "a.gif", "a.bmp", "a.tif"]),
)
def test_no_mask_on_black_is_read_in_another_shape_than_a_viewer_shows(
    tmp_path_factory, seed, frequency, colour, colours, name
):
    shape = np.random.default_rng(seed).random((6, 9)) < frequency
    image = Image.fromarray((shape[..., None] * np.array(colour)).astype("uint8"))
    path = tmp_path_factory.getbasetemp() / name
    (image.convert("P") if colours == "web" else image.quantize(colours)).save(path)
    try:
        mask = read_pages(path, mask=True)[0]
    except RefusedFile:
        assert shape.all()  # one colour fills the image: nothing tells whether it is the foreground
        assert colour[0] != colour[1]
    else:
        np.testing.assert_array_equal(mask[..., 0] != 0, shape)
