"""A validation that flatters."""

import numpy as np
import pytest

from planted_runs import EPOCHS, descent, healthy, logged, planted
from unetdyn.analysis.diagnosis.causes import leakage
from unetdyn.analysis.diagnosis.change import ending

END = ending(healthy()["val_jaccard"])


def told(evidence):
    return [(one.code, one.level) for one in leakage.find(evidence)]


@pytest.mark.parametrize(("by", "expected"), [(1e-6, [("leakage", "watch")]), (-1e-6, [])])
def test_test_far_below_the_best_validation(by, expected):
    assert told(planted(tested={"jaccard": (1 - leakage.BELOW - by) * END})) == expected


def test_lucky_epoch_of_the_validation_is_no_leakage():
    """The weights of the end were tested, and they are as good on both sets."""
    values = healthy()["val_jaccard"]
    values[30] = 1.0
    assert told(planted(val_jaccard=values, tested={"jaccard": END})) == []


def test_tests_other_metrics_say_nothing():
    assert told(planted(tested={"dice": 0.1, "loss": 3.0})) == []


def better_in(count):
    validated = healthy()["val_jaccard"]
    return planted(jaccard=validated + np.where(np.arange(EPOCHS) < count, -0.1, 0.1))


def test_validation_above_training_is_an_observation():
    often = int(np.ceil(leakage.BETTER * EPOCHS))
    assert told(better_in(often)) == [("leakage.possible", "info")]
    assert told(better_in(often - 1)) == []


@pytest.mark.parametrize(
    "evidence",
    [
        planted(),
        logged(jaccard=[0.1, 0.2], val_jaccard=[0.3, 0.4]),
        logged(val_jaccard=np.zeros(8), tested={"jaccard": 0.0}),
        logged(mae=descent(6, 40)["loss"], val_mae=descent(6, 40)["loss"], metric="mae", tested={"mae": 9.0}),
        logged(jaccard=healthy()["val_jaccard"], tested={"jaccard": 0.1}),
    ],
    ids=["nothing known", "short", "no validation", "an error", "never validated"],
)
def test_nothing_to_say(evidence):
    assert told(evidence) == []


def test_share_of_the_epochs_is_told():
    (one,) = leakage.find(better_in(36))
    assert one.seen == "validation Jaccard is above the training's in 90% of the epochs"
