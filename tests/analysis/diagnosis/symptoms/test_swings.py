"""Sudden falls of the metric."""

import math

import numpy as np
import pytest

from planted_runs import EPOCHS, healthy, planted
from unetdyn.analysis.diagnosis.rules import collapses


def falling(*at, back=True):
    values = healthy()["val_jaccard"]
    for epoch in at:
        values[epoch if back else slice(epoch, None)] = 0.02
    return values


@pytest.mark.parametrize(
    ("values", "level", "times"),
    [
        (falling(25), "watch", "once"),
        (falling(25, back=False), "ill", "once"),
        (falling(20, 30), "ill", "2 times"),
    ],
)
def test_collapses_are_counted_and_graded(values, level, times):
    (found,) = collapses.find(planted(val_jaccard=values))
    assert (found.code, found.level) == ("metric.collapses", level)
    assert found.why == f"its validation Jaccard collapsed {times}"
    assert found.seen.startswith(f"{times}; the deepest: epoch ")


def test_healthy_metric_has_none():
    (found,) = collapses.find(planted())
    assert (found.level, found.seen) == ("good", "none in 40 values")


def test_fall_among_almost_nothing_that_was_made_good_says_nothing():
    values = healthy()["val_jaccard"]
    values[:6] = 0.04, 0.04, 0.001, 0.001, 0.04, 0.2
    (found,) = collapses.find(planted(val_jaccard=values))
    assert found.level == "good"
    assert found.seen == f"none but once in the beginning, below {collapses.BEGINNING * values.max():.3g}"


def test_metric_that_never_was_a_number_has_no_word_on_collapses():
    (found,) = collapses.find(planted(val_jaccard=np.full(EPOCHS, math.nan)))
    assert (found.level, found.seen) == ("unknown", "fewer than the 2 finite values that it needs")
