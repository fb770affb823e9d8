"""StabilityDisplay: the curve of σ, the bands of the classes, and what has no height."""

import math

import numpy as np
import pytest

from unetdyn.analysis import STABILITY_CLASSES
from unetdyn.report import StabilityDisplay
from unetdyn.runs import RunWriter

VALUES = [0.9, 0.5, 0.4, 0.44, 0.41]


def line(display, label="σ"):
    return next(line for line in display.ax_.get_lines() if line.get_label() == label)


def bands(display):
    """Name → (low, high) of each band with a name."""
    boxes = [patch.get_bbox() for patch in display.ax_.patches]
    texts = {text.get_text(): text.get_position()[1] for text in display.ax_.texts}
    return {name: next((b.y0, b.y1) for b in boxes if b.y0 < height < b.y1) for name, height in texts.items()}


def test_curve_is_the_standard_deviation_of_the_last_values():
    display = StabilityDisplay.from_values(VALUES, window=3).plot()
    expected = [math.nan, math.nan, *(np.std(VALUES[i : i + 3], ddof=1) for i in range(3))]
    np.testing.assert_allclose(line(display).get_ydata(), expected)
    np.testing.assert_array_equal(line(display).get_xdata(), [1, 2, 3, 4, 5])
    assert display.ax_.get_title("left") == "at the end: σ = 0.0208, Good; 5.0 % of the mean: Good"
    assert display.ax_.get_ylabel() == "σ of the validation loss\n(last 3 values)"


def test_bands_are_those_of_the_classes_as_far_as_they_are_in_view():
    display = StabilityDisplay.from_values(VALUES, window=3).plot()
    bottom, top = display.ax_.get_ylim()
    assert bottom < np.std(VALUES[-3:], ddof=1) < np.std(VALUES[:3], ddof=1) < top
    shown = bands(display)
    assert list(shown) == ["Good", "Moderate", "Poor", "Very poor"]
    for row in STABILITY_CLASSES:
        if row.label in shown:
            assert shown[row.label] == (max(row.lower, bottom), min(row.upper, top))


def test_calm_training_shows_a_border_to_compare_with():
    display = StabilityDisplay.from_values(1e-4 * np.arange(12.0) % 3, window=10).plot()
    assert display.ax_.get_ylim()[1] > 0.01


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ([0.5, 0.4], "σ not defined: 2 of the 3 values that it needs"),
        ([], "σ not defined: 0 of the 3 values that it needs"),
        ([0.5, 0.4, math.nan], "at the end: σ not finite, Very poor"),
        ([0.5, 0.5, 0.5], "at the end: σ = 0, Excellent; 0.0 % of the mean: Excellent"),
        ([-1.0, 0.0, 1.0], "at the end: σ = 1, Very poor"),
    ],
)
def test_title_says_what_can_be_told(values, title):
    display = StabilityDisplay.from_values(values, window=3).plot()
    assert display.ax_.get_title("left") == title
    assert display._repr_png_().startswith(b"\x89PNG")


def test_what_has_no_height_is_marked():
    values = [0.5, 0.5, 0.5, math.nan, 0.5, 0.5, 0.5]
    display = StabilityDisplay.from_values(values, window=3).plot()
    np.testing.assert_array_equal(line(display, "not finite in the window").get_xdata(), [4, 5, 6])
    np.testing.assert_array_equal(line(display, "σ = 0").get_xdata(), [3, 7])


def test_rare_validations_stand_where_they_were():
    history = {"loss": [1.0] * 6, "val_loss": [0.9, 0.5, 0.4]}
    display = StabilityDisplay.from_history(history, validation_freq=2, window=2).plot()
    np.testing.assert_array_equal(line(display).get_xdata(), [2, 4, 6])


def test_display_takes_the_training_where_there_is_no_validation_and_any_metric(tmp_path):
    assert StabilityDisplay.from_history({"loss": VALUES}).name == "loss"
    writer = RunWriter(tmp_path / "run")
    for epoch, value in enumerate(VALUES):
        writer.log_epoch(epoch, {"loss": value, "val_jaccard": 1 - value})
    display = StabilityDisplay.from_run(tmp_path / "run", "val_jaccard", window=2)
    assert display.name == "validation Jaccard"
    np.testing.assert_allclose(display.stability.values, 1 - np.array(VALUES[-2:]))
    np.testing.assert_allclose(display.sigma[1:], np.abs(np.diff(VALUES)) / math.sqrt(2))
    with pytest.raises(ValueError, match=r"'dice' was not logged in run, which has"):
        StabilityDisplay.from_run(tmp_path / "run", "dice")


def test_display_refuses_epochs_of_another_length():
    with pytest.raises(ValueError, match=r"`epochs` must have one element for each of `values`\. Received: \(1,\)"):
        StabilityDisplay.from_values(VALUES, epochs=[0])
