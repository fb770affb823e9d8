"""Whether it overfits."""

import numpy as np
import pytest

from planted_runs import EPOCHS, healthy, planted
from unetdyn.analysis import overfitting as measured
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.causes import overfitting
from unetdyn.analysis.diagnosis.symptoms.gap import FAR


def test_rising_validation_loss_is_overfitting():
    evidence = planted(val_loss=0.12 + 0.02 * np.abs(np.arange(EPOCHS) - 15))
    (found,) = overfitting.find(evidence)
    onset = measured(evidence.curves).onset
    assert (found.code, found.level, found.confidence) == ("overfitting", "ill", "medium")
    assert found.why == f"it overfits from epoch {onset + 1}"
    assert (found.epochs, found.curves) == (((onset, EPOCHS - 1),), ("loss", "val_loss"))
    assert "; validation − training loss 0." in found.seen


@pytest.mark.parametrize(("by", "level"), [(1e-6, "ill"), (-1e-6, "good")])
def test_training_that_is_known_by_heart(by, level):
    trained = np.linspace(0.1, overfitting.KNOWN_BY_HEART + by, EPOCHS)
    (found,) = overfitting.find(planted(jaccard=trained, val_jaccard=0.5 * trained))
    assert (found.level, found.confidence) == (level, "medium" if level == "ill" else "")


@pytest.mark.parametrize(("by", "level"), [(-1e-3, "ill"), (1e-3, "good")])
def test_validation_that_was_behind_and_came_up_has_another_cause(by, level):
    trained = np.linspace(0.1, 0.95, EPOCHS)
    validated = np.where(np.arange(EPOCHS) < EPOCHS // 2, 0.05, (1 - FAR + by) * trained)
    (found,) = overfitting.find(planted(jaccard=trained, val_jaccard=validated))
    assert found.level == level


def test_validation_loss_below_the_trainings_is_not_known_by_heart():
    (found,) = overfitting.find(planted(jaccard=np.linspace(0.1, 0.95, EPOCHS), val_loss=0.5 * healthy()["loss"]))
    assert found.level == "good"


@pytest.mark.parametrize(
    ("logs", "level", "seen"),
    [
        ({}, "good", "no onset found; validation − training loss"),
        ({"val_loss": np.full(3, 0.5), "loss": np.full(3, 0.5)}, "unknown", "3 of the 20 epochs"),
    ],
)
def test_no_onset(logs, level, seen):
    (found,) = overfitting.find(planted() if not logs else Evidence.read(logs))
    assert found.level == level
    assert found.seen.startswith(seen)


def test_without_a_loss_there_is_nothing_to_say():
    assert list(overfitting.find(Evidence.read({"val_jaccard": [0.1, 0.2]}))) == []
