"""Collapse to background."""

import numpy as np
import pytest

from planted_runs import CONSTANT_LOSS, EPOCHS, FOREGROUND, batches, logged, planted
from unetdyn.analysis.diagnosis.causes import background

COLLAPSED = [("background", "ill", "medium")]


def told(evidence):
    return [(one.code, one.level, one.confidence) for one in background.find(evidence)]


@pytest.mark.parametrize(("by", "expected"), [(-1e-6, COLLAPSED), (1e-6, [])])
def test_share_of_the_answer_is_graded_at_the_end(by, expected):
    record = {"batch": batches(val_above=(background.PART + by) * FOREGROUND)}
    assert told(planted(record)) == expected


@pytest.mark.parametrize(("by", "confidence"), [(-1e-6, "medium"), (1e-6, "low")])
def test_where_nothing_else_was_learned_it_is_a_guess(by, confidence):
    """A network that has not learned where the object is answers background as well."""
    loss = np.full(EPOCHS, (background.LEARNED + by) * CONSTANT_LOSS)
    assert told(planted({"batch": batches(val_above=0.0)}, loss=loss)) == [("background", "ill", confidence)]
    without = {name: values for name, values in batches(val_above=0.0).items() if name != "constant_loss"}
    assert told(planted({"batch": without}, loss=loss)) == [("background", "ill", "low")]


def test_beginning_without_an_answer_is_none():
    above = np.where(np.arange(EPOCHS) < 20, 0.0, FOREGROUND)
    assert told(planted({"batch": batches(val_above=above)})) == []
    (one,) = background.find(planted({"batch": batches(val_above=above[::-1])}))
    assert one.epochs == ((20, EPOCHS - 1),)
    assert f"where {FOREGROUND:.1%} are" in one.seen


def test_training_is_looked_at_where_there_was_no_validation():
    only_training = {name: values for name, values in batches(above=0.0).items() if not name.startswith("val_")}
    assert told(planted({"batch": only_training})) == COLLAPSED


def test_masks_without_foreground_are_no_collapse():
    assert told(planted({"batch": batches(val_above=0.0, val_foreground=0.0)})) == []


def test_last_epoch_that_is_not_known_is_left_out():
    above = np.r_[np.zeros(EPOCHS - 1), np.nan]
    assert told(planted({"batch": batches(val_above=above)})) == COLLAPSED


@pytest.mark.parametrize(
    ("accuracy", "overlap", "expected"),
    [
        (background.ACCURATE + 1e-6, background.PART - 1e-6, [("background", "ill", "low")]),
        (background.ACCURATE - 1e-6, 0.0, []),
        (0.99, background.PART + 1e-6, []),
    ],
)
def test_without_a_record_an_accuracy_tells(accuracy, overlap, expected):
    logs = {"val_jaccard": np.full(8, overlap), "val_binary_accuracy": np.full(8, accuracy)}
    assert told(logged(**logs)) == expected
    assert told(logged({"batch": batches(epochs=8)}, **logs)) == []


def test_regressions_accuracy_says_nothing_of_background():
    assert told(logged(val_accuracy=np.full(8, 0.99))) == []


def test_epochs_are_those_of_the_record():
    (one,) = background.find(planted({"batch": batches(first=10, val_above=0.0)}))
    assert one.epochs == ((10, EPOCHS + 9),)


def test_without_a_metric_nothing_is_told():
    assert told(logged(loss=np.ones(8), accuracy=np.full(8, 0.99), metric=None)) == []
    assert told(logged(loss=np.ones(8))) == []
