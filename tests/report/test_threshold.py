"""ThresholdDisplay: the scores at their thresholds, the best one and its interval."""

import numpy as np
import pytest

from unetdyn.analysis import threshold_curve
from unetdyn.report import ThresholdDisplay


@pytest.fixture(scope="module")
def curve():
    rng = np.random.default_rng(0)
    y_true = rng.random((12, 16, 16)) < 0.3
    p = np.where(y_true, rng.beta(3, 2, y_true.shape), rng.beta(1, 6, y_true.shape))
    return threshold_curve(y_true, p, epsilon=0.1)


def lines(display):
    return {line.get_label(): line for line in display.ax_.get_lines()}


def test_display_draws_every_score_over_its_thresholds(curve):
    drawn = lines(ThresholdDisplay(curve).plot())
    for label, values in (
        ("Jaccard", curve.jaccard),
        ("Dice", curve.dice),
        ("Precision", curve.precision),
        ("Recall", curve.recall),
    ):
        np.testing.assert_array_equal(drawn[label].get_xdata(), curve.thresholds)
        np.testing.assert_array_equal(drawn[label].get_ydata(), values)


def test_display_marks_the_best_its_interval_and_the_one_in_use(curve):
    display = ThresholdDisplay(curve).plot()
    drawn = lines(display)
    best = drawn[f"best Jaccard, at {curve.best_threshold:.2f}"]
    assert (best.get_xdata()[0], best.get_ydata()[0]) == (curve.best_threshold, curve.jaccard.max())
    assert list(drawn["in use, 0.5"].get_xdata()) == [0.5, 0.5]
    (band,) = display.ax_.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx(curve.best_threshold_interval)


def test_title_says_the_price_of_half_and_how_many_pixels_are_near(curve):
    title = ThresholdDisplay(curve).plot().ax_.get_title("left").replace("\n", " ")
    assert f"best Jaccard {curve.best_jaccard:.3g} at {curve.best_threshold:.2f}" in title
    assert f"{curve.jaccard_at_half:.3g} at 0.5" in title
    assert f"{curve.share_near:.2%} of the pixels lie within ±0.1 of the threshold 0.5" in title


def test_one_image_has_no_interval_and_empty_masks_no_best():
    y_true, p = np.array([[0, 0, 1, 1]]), np.array([[0.1, 0.4, 0.35, 0.8]])
    one = ThresholdDisplay.from_predictions(y_true, p).plot()
    assert not one.ax_.patches
    empty = ThresholdDisplay.from_predictions(np.zeros((2, 4, 4, 1)), np.full((2, 4, 4, 1), 0.2)).plot()
    assert not any(label.startswith("best") for label in lines(empty))
    assert empty.ax_.get_title("left").startswith("no object in the masks")
    assert empty._repr_png_().startswith(b"\x89PNG")
