"""The picture of sections: a contact sheet, and those that score worst."""

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from evaluated import planted_evaluation
from unetdyn._plotting import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE
from unetdyn.report import SectionsDisplay

IMAGE = np.zeros((1, 2, 2, 1), np.uint8)


def test_errors_have_their_colours_and_pixels_without_a_label_none():
    p = np.array([[[0.31, 0.31], [0.3, 0.9]]])
    mask = np.array([[[1, 0], [1, 255]]])
    display = SectionsDisplay(IMAGE, p, ["a"], 0.3, mask).plot()
    shown = display.axes_["0 errors"].images[0].get_array()
    expected = [[TRUE_POSITIVE, FALSE_POSITIVE], [FALSE_NEGATIVE, "white"]]
    np.testing.assert_allclose(shown, [[to_rgb(colour) for colour in row] for row in expected])


def test_long_names_of_files_are_abbreviated():
    display = SectionsDisplay(IMAGE, np.zeros((1, 2, 2)), ["a" * 40 + ".png\nJaccard 0.50"], 0.5).plot()
    assert display.ax_.get_ylabel() == "aaaaaaaaaaaa…aaaaaaaaa.png\nJaccard 0.50"


def test_without_masks_there_is_no_column_of_errors():
    display = SectionsDisplay(IMAGE, np.array([[[0.9, 0.1], [0.1, 0.1]]]), ["$a_1$"], 0.5).plot()
    assert list(display.axes_) == ["0 image", "0 probability"]
    assert len(display.axes_["0 image"].collections) == 1
    assert display.ax_.get_ylabel() == r"\$a_1\$"
    texts = [text.get_text() for text in display.figure_.legends[0].get_texts()]
    assert texts == ["predicted, above 0.5"]


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_nothing_and_everything_have_no_outline(p):
    assert not SectionsDisplay(IMAGE, np.full((1, 2, 2), p), ["a"], 0.5).plot().ax_.collections


def test_worst_sections_are_named_with_their_score():
    found = planted_evaluation()
    display = SectionsDisplay.from_pictures(found.pictures, found.found.threshold).plot()
    worst = found.found.worst(1)[0]
    assert display.axes_["0 image"].get_ylabel() == f"{worst.name}\nJaccard {worst.pixels.jaccard:.2f}"
