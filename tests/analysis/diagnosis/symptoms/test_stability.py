"""The class of the loss's stability."""

import math

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from planted_runs import EPOCHS, descent, planted
from unetdyn.analysis import STABILITY_CLASSES
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.symptoms import stability

CALM, MODERATE, POOR, VERY_POOR = 0.001, 0.07, 0.3, 5.0  # σ, well within their classes


def zigzag(mean, sigma):
    """A loss that rises and falls from epoch to epoch, about no descent, with this σ over the last ten epochs."""
    return mean + sigma * math.sqrt(9 / 10) * np.tile([-1.0, 1.0], EPOCHS // 2)


def around(values):
    return values[-10:] - IsotonicRegression(increasing=False).fit_transform(np.arange(10), values[-10:])


def test_every_class_has_a_level():
    assert list(stability.LEVEL_OF) == [row.label for row in STABILITY_CLASSES]


@pytest.mark.parametrize("sigma", [CALM, MODERATE, POOR, VERY_POOR])
@pytest.mark.parametrize("part", [stability.SCATTER * 0.8, stability.SCATTER * 1.3, stability.SCATTER_FAR * 1.3])
def test_both_the_class_and_the_mean_must_speak_against_it(sigma, part):
    """Of a large loss a large σ is little; of a small loss a small σ is no trouble by its class."""
    by_class = {CALM: "good", MODERATE: "watch", POOR: "ill", VERY_POOR: "ill"}[sigma]
    by_mean = "ill" if part > stability.SCATTER_FAR else "watch" if part > stability.SCATTER else "info"
    values = zigzag(1.0, 1.0)
    values *= sigma / np.std(around(values), ddof=1)
    (found,) = stability.find(Evidence.read({"val_loss": values + sigma / part - values[-10:].mean()}))
    assert (found.code, found.level) == (
        "stability",
        min(by_class, by_mean, key=("good", "info", "watch", "ill").index),
    )


@pytest.mark.parametrize(
    ("part", "levels"), [(stability.SCATTER, ("info", "watch")), (stability.SCATTER_FAR, ("watch", "ill"))]
)
def test_part_of_the_mean_is_graded_where_the_rule_says(part, levels):
    swing = np.tile([-1.0, 1.0], EPOCHS // 2)
    sigma = np.std(around(swing), ddof=1)
    for by, level in zip((-1e-6, 1e-6), levels, strict=True):
        values = swing + sigma / (part + by)
        (found,) = stability.find(Evidence.read({"val_loss": values}))
        assert found.level == level


def test_focal_loss_is_small_and_so_is_its_scatter():
    """σ 0.002 of a mean of 0.004: half of the loss, and Excellent by the class."""
    (found,) = stability.find(planted(val_loss=zigzag(0.004, 0.002)))
    assert found.level == "good"


def test_loss_that_is_no_number_is_ill():
    (found,) = stability.find(planted(val_loss=np.r_[np.full(39, 0.5), math.nan]))
    assert (found.level, found.why) == ("ill", "the stability of its validation loss is very poor")
    assert "a lower learning rate" in found.advice


@pytest.mark.parametrize("epochs", [10, 20, 40])
@pytest.mark.parametrize("tau", [1, 2, 4, 8, 16])
def test_smooth_descent_is_good_or_open(tau, epochs):
    (found,) = stability.find(Evidence.read(descent(tau, epochs)))
    sigma = np.std(descent(tau, epochs)["val_loss"][-10:], ddof=1)
    assert found.level == ("unknown" if sigma >= 0.05 else "good")
    assert ("about its descent: still improving" in found.seen) == (sigma >= 0.05)


def test_scatter_about_a_descent_is_called_by_its_own_class():
    """σ 0.1 in all, of which the zigzag of ±0.07 makes 0.07: moderate, but a tenth of the mean."""
    values = np.linspace(0.9, 0.6, 10) + np.tile([0.07, -0.07], 5)
    (found,) = stability.find(Evidence.read({"loss": values}))
    part = np.std(around(values), ddof=1) / values.mean()
    assert found.level == "info"
    assert found.seen.endswith(f"that is {part:.0%} of its mean about its descent")
    (found,) = stability.find(Evidence.read({"loss": values - 0.68}))
    assert found.level == "watch"
    assert found.seen.endswith(f"Moderate, {np.std(around(values), ddof=1):.3g}, about its descent")
    assert found.why == "the stability of its loss is moderate"


def test_window_and_ddof_are_those_of_the_evidence():
    losses = [0.5, 0.2, 0.3, 0.4]
    (found,) = stability.find(Evidence.read({"val_loss": losses}, window=3, ddof=0))
    assert f"σ of the validation loss {np.std(losses[1:]):.3g}; " in found.seen


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


def test_limits_name_the_classes():
    assert stability.LIMIT.watch.startswith("is Moderate or worse")
    assert stability.LIMIT.ill.startswith("is Poor or Very poor")
