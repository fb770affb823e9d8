"""The picture of the scores of single sections."""

import numpy as np
import pytest

from evaluated import planted_evaluation
from unetdyn.evaluation import evaluate_sections
from unetdyn.report import SectionScoresDisplay


def test_each_section_is_a_point_and_all_together_a_line_in_their_interval():
    found = planted_evaluation(tolerance=1.0, objects=True).found
    display = SectionScoresDisplay.from_evaluation(found).plot()
    assert list(display.axes_) == ["jaccard", "hd95", "assd", "nsd", "pq"]
    for name, ax in display.axes_.items():
        whole, points = ax.lines
        np.testing.assert_allclose(points.get_ydata(), [row[name] for row in found.table()])
        assert points.get_xdata().tolist() == [1, 2, 3, 4]
        assert whole.get_ydata() == pytest.approx([found.whole[name].value] * 2)
        low, high = ax.get_ylim()
        assert low < min(points.get_ydata()) <= max(points.get_ydata()) < high or name != "jaccard"
    assert "n = 4" in display.axes_["nsd"].get_title("left")
    assert "NSD within 1 pixel" in display.axes_["nsd"].get_title("left")


def test_missed_objects_are_crosses_and_sections_without_a_score_gaps():
    masks = np.zeros((3, 4, 4))
    masks[:2, 1, 1] = 1
    p = masks.copy()
    p[1] = 0
    display = SectionScoresDisplay.from_evaluation(evaluate_sections(p, masks, empty="skip", resamples=100)).plot()
    points, crosses = display.axes_["hd95"].lines
    assert np.isnan(points.get_ydata()).tolist() == [False, True, True]
    assert crosses.get_xdata().tolist() == [2]


def test_unknown_scores_are_refused():
    found = planted_evaluation().found
    assert list(SectionScoresDisplay(found, ["dice"]).plot().axes_) == ["dice"]
    with pytest.raises(ValueError, match=r"`scores` must be of jaccard, .*Received: 'nsd'\."):
        SectionScoresDisplay(found, ["nsd"]).plot()
