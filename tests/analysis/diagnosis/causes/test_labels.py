"""Masks that are no masks."""

import numpy as np
import pytest

from planted_runs import EPOCHS, batches, logged, planted, set_up
from unetdyn.analysis.diagnosis.causes import labels


def told(setup=None, events=(), **values):
    evidence = planted({"batch": batches(**values)} if values else {}, setup=setup, events=events)
    return [(one.code, one.level, one.confidence) for one in labels.find(evidence)]


SCALE = ("labels.scale", "ill", "high")
SOFT = ("labels.fractional", "watch", "low")
EMPTY = ("labels.empty", "ill", "high")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"near": 0.0}, []),
        ({"target_max": 255.0}, [SCALE]),
        ({"target_min": 1.0, "target_max": 2.0}, [SCALE]),
        ({"target_min": -1.0}, [SCALE]),
        ({"val_target_max": 255.0}, [SCALE]),
        ({"target_max": 255.0, "val_target_max": 255.0}, [SCALE, SCALE]),
        ({"target_fractional": labels.SOFT + 1e-6}, [SOFT]),
        ({"target_fractional": labels.SOFT - 1e-6}, []),
        ({"foreground": 0.0, "target_max": 0.0}, [EMPTY]),
        ({"val_foreground": 0.0, "val_target_max": 0.0}, [EMPTY]),
        ({"val_foreground": 1e-6}, []),
    ],
)
def test_each_set_is_looked_at(values, expected):
    assert told(**values) == expected


def test_set_is_named():
    (one,) = labels.find(planted({"batch": batches(val_target_max=255.0)}))
    assert one.why == "its validation masks reach 255 instead of 1"
    assert one.seen == "the validation masks hold values from 0 to 255"


def test_class_indices_are_no_scale():
    setup = set_up(loss={"name": "sparse_categorical_crossentropy", "config": {}})
    assert told(setup, target_max=3.0, val_target_max=3.0) == []


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        ("mean_squared_error", []),
        ("huber", []),
        (None, []),
        ("binary_crossentropy", [SCALE]),
        ("soft_jaccard_loss", [SCALE]),
    ],
)
def test_targets_of_a_regression_are_no_masks(loss, expected):
    evidence = logged(
        {"batch": batches(target_min=-3.0, target_max=9.0)},
        setup=set_up(loss={"name": loss, "config": {}}),
        loss=np.linspace(1.0, 0.1, EPOCHS),
        val_mae=np.linspace(1.0, 0.1, EPOCHS),
    )
    assert [(one.code, one.level, one.confidence) for one in labels.find(evidence)] == expected


def test_empty_masks_in_some_epochs_only_are_none():
    """A batch of one, of which some epoch had none with an object."""
    assert told(foreground=[0.0] * 39 + [0.1]) == []


def warned(code, **more):
    return [{"kind": "warning", "code": code, "message": "The target holds 255.", **more}]


@pytest.mark.parametrize(
    ("code", "expected"), [("labels.scale", SCALE), ("labels.fractional", ("labels.fractional", "watch", "high"))]
)
def test_without_a_record_a_metrics_warning_tells(code, expected):
    assert told(events=warned(code)) == [expected]
    assert told(events=warned(code) * 3) == [expected]


def test_warning_beside_a_record_is_told_once():
    assert told(events=warned("labels.scale"), target_max=255.0) == [SCALE]


@pytest.mark.parametrize(
    "events", [warned("metric.other"), warned(None), [{"kind": "monitor", "code": "labels.scale"}]]
)
def test_other_events_say_nothing_of_masks(events):
    assert told(events=events) == []


@pytest.mark.parametrize(("message", "seen"), [("It holds 255.", "It holds 255."), (None, "a metric warned of them")])
def test_warning_is_told(message, seen):
    (one,) = labels.find(planted(events=warned("labels.scale", message=message)))
    assert one.seen == seen
