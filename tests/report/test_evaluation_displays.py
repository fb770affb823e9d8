"""The pictures of an evaluation's threshold, calibration and six IoUs."""

from dataclasses import replace

import numpy as np
import pytest

from evaluated import planted_evaluation
from unetdyn.evaluation import six_ious
from unetdyn.report import CalibrationDisplay, SixIousDisplay, ThresholdChoiceDisplay


def test_calibration_has_a_point_for_each_bin_with_pixels():
    calibration = planted_evaluation().found.calibration
    display = CalibrationDisplay.from_evaluation(planted_evaluation().found, "test").plot()
    curve = display.axes_["reliability"].lines[1]
    assert curve.get_xdata() == pytest.approx([0.1, 0.8])
    assert curve.get_ydata() == pytest.approx([s for s in calibration.share if s == s])
    heights = [bar.get_height() for bar in display.axes_["pixels"].patches]
    assert heights == list(calibration.pixels)
    assert "test, n = 4" in display.ax_.get_title("left")


def test_six_ious_stand_below_each_other_with_their_intervals():
    ious = planted_evaluation().found.ious
    ax = SixIousDisplay.from_evaluation(planted_evaluation().found).plot().ax_
    drawn = {line.get_ydata()[0]: list(line.get_xdata()) for line in ax.lines if len(line.get_xdata()) == 2}
    for place, (_, estimate, _) in enumerate(ious.table()):
        assert drawn[place] == [estimate.low, estimate.high]
    assert [text.get_text() for text in ax.texts] == [f"{estimate.value:.3f}" for _, estimate, _ in ious.table()]


def test_an_iou_that_is_not_determined_says_so():
    masks = np.arange(16).reshape(1, 4, 4) % 3 == 0
    ax = SixIousDisplay(six_ious(masks * 0.9, masks)).plot().ax_
    assert [text.get_text() for text in ax.texts][4] == "not determined"


def test_threshold_is_marked_on_the_curve_that_it_was_chosen_on_and_on_the_other():
    found = planted_evaluation()
    display = ThresholdChoiceDisplay.from_evaluation(found).plot()
    validation, test, chosen, used, _ = display.ax_.lines
    np.testing.assert_array_equal(validation.get_ydata(), found.validation.thresholds.jaccard)
    np.testing.assert_array_equal(test.get_ydata(), found.found.thresholds.jaccard)
    on_validation = found.validation.thresholds
    assert (chosen.get_xdata()[0], chosen.get_ydata()[0]) == (on_validation.best_threshold, on_validation.best_jaccard)
    assert used.get_xdata()[0] == 0.3
    assert used.get_ydata()[0] == pytest.approx(found.found.whole["jaccard"].value)


def test_without_validation_there_is_no_choice_to_draw():
    with pytest.raises(
        ValueError, match=r"`evaluation` must have scores on validation .*Received: one of 'test' alone"
    ):
        ThresholdChoiceDisplay.from_evaluation(planted_evaluation(chosen=False))


def test_validation_without_an_object_has_no_best_threshold():
    curve = planted_evaluation().found.thresholds
    none = replace(curve, best_threshold=np.nan, best_threshold_interval=(np.nan, np.nan), best_jaccard=np.nan)
    assert "no object" in ThresholdChoiceDisplay(none, curve, "test").plot().ax_.get_title("left")
