from pathlib import Path

import numpy as np
import pytest

from unetdyn.data.transparency import without_alpha

PATH = Path("a.png")
SHAPE = np.array([[0, 255], [255, 255]], "uint8")
WHITE, COLOURS = np.full((2, 2, 3), 255, "uint8"), np.arange(12, dtype="uint8").reshape(2, 2, 3) + 1


@pytest.mark.parametrize(
    ("colours", "alpha"),
    [
        (COLOURS, np.full_like(SHAPE, 255)),
        (COLOURS, np.full_like(SHAPE, 0)),
        (COLOURS * (SHAPE > 0)[..., None], SHAPE),
        (COLOURS * (SHAPE > 0)[..., None], SHAPE // 2),
        (WHITE, np.full_like(SHAPE, 128)),
    ],
    ids=["opaque", "transparent", "hides black", "half hides black", "one colour"],
)
def test_without_alpha_leaves_out_what_adds_nothing_to_a_mask(colours, alpha):
    np.testing.assert_array_equal(without_alpha(colours, alpha, PATH, mask=True), colours)


@pytest.mark.parametrize("colour", [0, 9, 255])
def test_without_alpha_takes_the_transparency_for_the_mask_where_it_has_one_colour(colour):
    mask = without_alpha(np.full((2, 2, 3), colour, "uint8"), SHAPE, PATH, mask=True)
    np.testing.assert_array_equal(mask[..., 0], SHAPE)


@pytest.mark.parametrize(
    ("colours", "alpha"),
    [(255 - SHAPE[..., None], SHAPE), (COLOURS * (SHAPE > 0)[..., None], SHAPE - SHAPE // 255 * [[0, 1], [2, 3]])],
    ids=["black on transparent white", "smooth edges beside colours"],
)
def test_without_alpha_refuses_a_mask_whose_colours_and_transparency_differ(colours, alpha):
    with pytest.raises(ValueError, match=r"both vary, and differently\. Save the mask without transparency: .*'A'"):
        without_alpha(colours, alpha, PATH, mask=True)


def test_without_alpha_drops_the_transparency_of_an_image_but_not_all_that_is_in_it():
    np.testing.assert_array_equal(without_alpha(COLOURS, SHAPE, PATH, mask=False), COLOURS)
    with pytest.raises(ValueError, match=r"one colour that is drawn in its transparency\. Flatten it onto"):
        without_alpha(WHITE, SHAPE, PATH, mask=False)
