"""Threshold flips."""

import numpy as np
import pytest

from planted_runs import EPOCHS, flips, planted
from unetdyn.analysis.diagnosis.causes import threshold_flips

JUMPS = 0.6 + 0.1 * (-1.0) ** np.arange(EPOCHS)


def told(**values):
    found = threshold_flips.find(planted({"flips": flips(**values)}))
    return [(one.code, one.level, one.confidence) for one in found]


CROWD = [("threshold.flips", "ill", "medium")]
WRONG_THRESHOLD = [("threshold.flips", "ill", "low")]


def test_outputs_far_from_the_threshold_are_well():
    assert told() == told(jaccard=JUMPS, best_jaccard=JUMPS) == []


@pytest.mark.parametrize(("by", "expected"), [(1e-6, CROWD), (-1e-6, [])])
def test_outputs_crowd_and_only_the_best_threshold_is_calm(by, expected):
    assert told(near=threshold_flips.NEAR + by, jaccard=JUMPS, best_jaccard=0.72) == expected


def test_crowd_whose_best_threshold_jumps_as_far_is_no_matter_of_the_threshold():
    assert told(near=0.5, jaccard=JUMPS, best_jaccard=JUMPS + 0.02) == []


def test_crowd_in_half_of_the_epochs_or_less_is_none():
    near = np.where(np.arange(EPOCHS) < EPOCHS // 2, 0.5, 0.0)
    assert told(near=near, jaccard=JUMPS, best_jaccard=0.72) == []


@pytest.mark.parametrize(("by", "expected"), [(1e-6, WRONG_THRESHOLD), (-1e-6, [])])
def test_another_threshold_is_far_better(by, expected):
    assert told(jaccard=0.5, best_jaccard=0.5 + threshold_flips.BETTER + by) == expected


def test_epochs_that_are_not_known_are_left_out():
    near = np.full(EPOCHS, 0.5)
    near[[0, 7]] = np.nan
    (one,) = threshold_flips.find(planted({"flips": flips(near=near, jaccard=JUMPS, best_jaccard=0.72)}))
    assert one.epochs == ((1, 6), (8, EPOCHS - 1))


def test_nothing_recorded():
    assert list(threshold_flips.find(planted())) == told(near=np.nan) == []


def test_epochs_are_those_in_which_outputs_crowd_or_another_threshold_is_better():
    best = np.where(np.arange(EPOCHS) < 30, 0.8, 0.5)
    (one,) = threshold_flips.find(planted({"flips": flips(jaccard=0.5, best_jaccard=best)}))
    assert one.epochs == ((0, 29),)
