"""The metric at its best and at its end."""

import math

import numpy as np
import pytest

from planted_runs import CALM, EPOCHS, descent, healthy, planted
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.rules import best


def test_healthy_metric_keeps_its_best():
    (found,) = best.find(planted())
    peak = healthy()["val_jaccard"]
    assert (found.code, found.level, found.name) == ("metric.end", "good", "validation Jaccard")
    assert found.seen == f"best {peak.max():.3g} at epoch {peak.argmax() + 1}, {peak[-1]:.3g} at the end"


@pytest.mark.parametrize(
    ("values", "code", "level", "why"),
    [
        (np.full(EPOCHS, math.nan), "metric.nonfinite", "ill", "never was a number"),
        (np.r_[np.full(39, 0.5), math.inf], "metric.nonfinite", "ill", "not finite at the end"),
        (np.zeros(EPOCHS), "metric.zero", "ill", "never was above 0"),
        (np.r_[np.linspace(0.1, 0.8, 39), 0.3], "metric.end", "ill", "ended 62% off its best"),
        (np.linspace(0.8, 0.44, EPOCHS), "metric.end", "ill", "ended 45% off its best"),
        (np.linspace(0.8, 0.7, EPOCHS), "metric.end", "watch", "ended 13% off its best"),
        (0.05 + np.abs(CALM), "metric.flat", "watch", "never got better by more than noise"),
    ],
)
def test_metric_that_learned_nothing_or_lost_it(values, code, level, why):
    (found,) = best.find(planted(val_jaccard=values))
    assert (found.code, found.level) == (code, level)
    assert why in found.why


@pytest.mark.parametrize("part", [best.LOST, best.LOST_MUCH])
def test_thresholds_are_where_the_rule_says(part):
    levels = []
    for lost in (part - 1e-6, part + 1e-6):
        (found,) = best.find(planted(val_jaccard=np.r_[np.linspace(0.1, 0.8, 39), 0.8 * (1 - lost)]))
        levels.append(found.level)
    assert levels == (["good", "watch"] if part == best.LOST else ["watch", "ill"])


def test_lowest_value_of_an_error_is_its_best():
    (found,) = best.find(Evidence.read({"loss": descent(6, 40)["loss"], "mae": descent(6, 40)["loss"]}, "mae"))
    assert (found.level, found.name) == ("good", "mae")
    assert "at epoch 40, 0.0508 at the end" in found.seen


def test_no_metric_no_finding():
    assert list(best.find(Evidence.read({"loss": [1.0, 0.5]}))) == []
