"""How far the metric jumps."""

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from planted_runs import EPOCHS, descent, healthy, jumping, planted
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.rules import jumps


def test_jumps_are_the_median_change_about_the_rise():
    (found,) = jumps.find(planted())
    values = healthy()["val_jaccard"]
    around = values[-11:] - IsotonicRegression().fit_transform(np.arange(11), values[-11:])
    assert (found.code, found.level) == ("metric.jumps", "good")
    assert f"by {np.median(np.abs(np.diff(around))) / values.max():.1%} of the best" in found.seen


@pytest.mark.parametrize(("scale", "level", "why"), [(0.07, "watch", "jumps by 7%"), (0.20, "ill", "jumps by 18%")])
def test_jumps_are_graded(scale, level, why):
    (found,) = jumps.find(planted(val_jaccard=jumping(scale)))
    assert found.level == level
    assert why in found.why


@pytest.mark.parametrize("epochs", [10, 12, 15, 20, 40])
@pytest.mark.parametrize("tau", [1, 4, 16])
def test_smooth_rise_has_no_jumps(tau, epochs):
    (found,) = jumps.find(Evidence.read(descent(tau, epochs)))
    assert found.level == "good"
    assert found.seen.startswith("by 0.0% of the best")


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        (np.zeros(EPOCHS), "its best is 0, of which nothing is a part"),
        (np.full(EPOCHS, np.nan), "0 of the 10 changes that it needs"),
        (np.full(5, 0.5), "4 of the 10 changes that it needs"),
    ],
)
def test_what_has_no_jumps_to_tell(values, seen):
    (found,) = jumps.find(Evidence.read({"val_jaccard": values}))
    assert (found.level, found.seen) == ("unknown", seen)
