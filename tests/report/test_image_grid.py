"""Panels that are placed in inches."""

import io

import numpy as np
import pytest
from matplotlib.text import Text

from unetdyn.report import PredictionDisplay, SectionsDisplay
from unetdyn.report.image_grid import ImageGrid
from unetdyn.report.page.svg import WIDTH

IMAGE, MASK = np.zeros((2, 12, 12, 1), np.uint8), np.hypot(*np.mgrid[-6:6, -6:6]) < np.array([2, 3])[:, None, None]
NAMES = ["section_000.png\nJaccard 0.50", "section_001.png\nJaccard 0.70"]
EPOCHS = np.stack([0.6 * MASK, 0.9 * MASK])


def test_panels_have_the_shape_of_an_image():
    grid = ImageGrid(3, 2, (32, 64), above=0.3, between=0.2, below=0.5)
    axes = grid.axes()
    figure = axes[0].figure
    height, width = grid.panel
    assert height == pytest.approx(width / 2)
    for ax in axes:
        box = ax.get_position()
        sides = box.height * figure.get_figheight(), box.width * figure.get_figwidth()
        assert sides == pytest.approx((height, width))
    assert axes[4].get_position().y0 * figure.get_figheight() == pytest.approx(0.5)


@pytest.mark.parametrize(
    "display",
    [
        SectionsDisplay(IMAGE, EPOCHS[1], NAMES, 0.5, MASK),
        SectionsDisplay(IMAGE[:1], EPOCHS[1, :1], NAMES, 0.5),
        PredictionDisplay(IMAGE, MASK, EPOCHS, [0, 9], ["random", "hardest"]),
        PredictionDisplay(IMAGE, MASK, EPOCHS, [0, 9], ["random", "hardest"], view="epochs"),
    ],
    ids=["sections", "sheet", "tiles", "epochs"],
)
def test_no_text_is_cut_off_or_under_another_one_in_a_report(display):
    figure = display.plot().figure_
    before, height = figure.get_size_inches()
    figure.set_size_inches(WIDTH, height * WIDTH / before)  # as `inline_svg` does
    figure.savefig(io.BytesIO(), format="png")
    boxes = [text.get_window_extent() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]
    whole = figure.bbox
    for box in boxes:
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1 + 4  # half of the scale's last digit stands over the margin
        assert whole.y0 <= box.y0
        assert box.y1 <= whole.y1
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
