"""The class of the loss's stability."""

import math

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from planted_runs import descent, jumping, planted
from unetdyn.analysis import STABILITY_CLASSES
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.rules import stability


def test_every_class_has_a_level():
    assert list(stability.LEVEL_OF) == [row.label for row in STABILITY_CLASSES]


@pytest.mark.parametrize(
    ("values", "level", "why"),
    [
        (0.5 + jumping(0.2), "watch", "the stability of its validation loss is moderate"),
        (0.5 + jumping(1.0), "ill", "the stability of its validation loss is poor"),
        (np.r_[np.full(39, 0.5), math.nan], "ill", "the stability of its validation loss is very poor"),
    ],
)
def test_scatter_is_graded_by_its_class(values, level, why):
    (found,) = stability.find(planted(val_loss=values))
    assert (found.code, found.level, found.why) == ("stability", level, why)
    assert "a lower learning rate" in found.advice


@pytest.mark.parametrize("epochs", [10, 20, 40])
@pytest.mark.parametrize("tau", [1, 2, 4, 8, 16])
def test_smooth_descent_is_good_or_open(tau, epochs):
    (found,) = stability.find(Evidence.read(descent(tau, epochs)))
    sigma = np.std(descent(tau, epochs)["val_loss"][-10:], ddof=1)
    assert found.level == ("unknown" if sigma >= 0.05 else "good")
    assert ("about its descent: still improving" in found.seen) == (sigma >= 0.05)


def test_scatter_about_a_descent_is_called_by_its_own_class():
    """σ 0.1 in all, of which the zigzag of ±0.07 makes 0.07: moderate."""
    values = np.linspace(0.9, 0.6, 10) + np.tile([0.07, -0.07], 5)
    (found,) = stability.find(Evidence.read({"loss": values}))
    around = values - IsotonicRegression(increasing=False).fit_transform(np.arange(10), values)
    assert found.seen.endswith(f"Moderate, {np.std(around, ddof=1):.3g}, about its descent")
    assert found.why == "the stability of its loss is moderate"


def test_window_and_ddof_are_those_of_the_evidence():
    losses = [0.5, 0.2, 0.3, 0.4]
    (found,) = stability.find(Evidence.read({"val_loss": losses}, window=3, ddof=0))
    assert f"σ of the validation loss {np.std(losses[1:]):.3g}, " in found.seen


@pytest.mark.parametrize(
    ("logs", "seen"),
    [
        ({"loss": [1.0]}, "σ not defined: 1 of the 10 epochs that it needs"),
        ({"val_jaccard": [0.1] * 12}, "no loss was logged"),
    ],
)
def test_little_is_no_error(logs, seen):
    (found,) = stability.find(Evidence.read(logs))
    assert (found.level, found.seen) == ("unknown", seen)
