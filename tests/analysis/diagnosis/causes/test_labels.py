"""Masks that are no masks."""

import numpy as np
import pytest

from planted_runs import EPOCHS, batches, logged, planted, set_up
from unetdyn.analysis.diagnosis.causes import labels


def told(setup=None, events=(), **values):
    evidence = planted({"batch": batches(**values)} if values else {}, setup=setup, events=events)
    return [(one.code, one.level, one.confidence) for one in labels.find(evidence)]


SCALE = ("labels.scale", "ill", "high")
SOFT = ("labels.fractional", "ill", "low")
SOFTER = ("labels.fractional", "ill", "medium")
NONE_REACHES_1 = ("labels.scale", "watch", "high")
MISSING = ("labels.missing", "ill", "medium")
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
        ({"target_fractional": labels.MUCH + 1e-6}, [SOFTER]),
        ({"target_fractional": labels.MUCH - 1e-6}, [SOFT]),
        ({"target_fractional": labels.SOFT + 1e-6, "target_max": 1 - 1e-6}, [NONE_REACHES_1]),
        ({"target_fractional": 0.1, "target_max": 1 / 255, "foreground": 0.0}, [NONE_REACHES_1]),
        ({"foreground": 0.0, "target_max": 0.0}, [EMPTY]),
        ({"val_foreground": 0.0, "val_target_max": 0.0}, [EMPTY]),
        ({"val_foreground": 1e-6}, []),
        ({"empty": 0.1, "val_empty": 0.1 + labels.MORE + 1e-6}, [MISSING]),
        ({"empty": 0.1 + labels.MORE + 1e-6, "val_empty": 0.1}, [MISSING]),
        ({"empty": 0.1, "val_empty": 0.1 + labels.MORE - 1e-6}, []),
        ({"empty": 0.8, "val_empty": 0.8}, []),
        ({"empty": 1.0, "val_empty": 0.0}, []),
        ({"empty": np.nan, "val_empty": 0.9}, []),
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
        ("lovasz_softmax_loss", [SCALE]),
        ("boundary_loss", []),  # whose targets are distances as well
    ],
)
def test_targets_of_a_regression_are_no_masks(loss, expected):
    evidence = logged(
        {"batch": batches(target_min=-3.0, target_max=9.0, empty=0.0, val_empty=0.1)},
        setup=set_up(loss={"name": loss, "config": {}}),
        loss=np.linspace(1.0, 0.1, EPOCHS),
        val_mae=np.linspace(1.0, 0.1, EPOCHS),
    )
    assert [(one.code, one.level, one.confidence) for one in labels.find(evidence)] == expected


def smoothed(by, classes=2):
    """Least and largest target, and share of fractions, of labels that were smoothed."""
    return {"target_min": by / classes, "target_max": 1 - by + by / classes, "target_fractional": 1.0}


@pytest.mark.parametrize("by", [0.05, 0.1, 0.3])
@pytest.mark.parametrize("classes", [2, 5])
def test_smoothed_labels_are_soft_on_purpose(by, classes):
    values = smoothed(by, classes)
    assert told(**values, **{f"val_{name}": value for name, value in values.items()}) == []
    assert told(events=warned("labels.fractional"), **values) == []


def test_masks_of_two_experts_and_masks_that_were_scaled_twice_are_not_smoothed():
    assert told(**smoothed(0.1) | {"target_min": 0.0}) == [NONE_REACHES_1]
    assert told(**smoothed(0.1) | {"target_max": 1.0}) == [SOFTER]
    assert told(target_min=1 / 255, target_max=2 / 255, target_fractional=1.0) == [NONE_REACHES_1]


def test_masks_without_foreground_in_a_regression_are_not_missing():
    records = {"batch": batches(empty=0.0, val_empty=0.9)}
    logs = {"loss": np.linspace(1.0, 0.1, EPOCHS), "val_mae": np.linspace(1.0, 0.1, EPOCHS)}
    assert list(labels.find(logged(records, **logs))) == []


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


@pytest.mark.parametrize(("channels", "expected"), [(1, [SCALE]), (2, [SCALE]), (3, [])])
def test_whole_numbers_below_the_channels_are_classes(channels, expected):
    setup = set_up(output_shape=[None, 8, 8, channels], loss={"name": "cross_entropy", "config": {}})
    assert told(setup, target_max=2.0) == expected
