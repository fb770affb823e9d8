"""A training that still gets better when it ends."""

from dataclasses import replace

import numpy as np
import pytest

from planted_runs import EPOCHS, descent, healthy, logged, planted
from unetdyn.analysis.diagnosis.symptoms import training_short
from unetdyn.analysis.diagnosis.symptoms.metric_level import UNSEEN

LAST = EPOCHS // 3
SHORT = [("training.short", "watch", "")]


def told(evidence):
    return [(one.code, one.level, one.confidence) for one in training_short.find(evidence)]


@pytest.mark.parametrize(("by", "expected"), [(1e-6, SHORT), (-1e-6, [])])
def test_rise_over_the_last_third_is_a_part_of_the_best(by, expected):
    start = 0.5 * (1 - training_short.STRONG - by)
    values = np.r_[np.full(EPOCHS - LAST, start), np.linspace(start, 0.5, LAST)]
    assert told(planted(val_jaccard=values)) == expected


def test_rise_within_noise_is_none():
    """The interval is one of 95 %, so of 300 trainings that only scatter about 8 seem to rise."""
    random = np.random.default_rng(0)
    scatter = [0.5 + 0.1 * random.normal(size=EPOCHS) for _ in range(300)]
    assert sum(bool(told(planted(val_jaccard=values))) for values in scatter) <= 0.025 * 300 + 3 * np.sqrt(0.025 * 300)


def test_converged_training_is_long_enough():
    assert told(planted()) == []
    assert told(planted(val_jaccard=healthy()["val_jaccard"][::-1].copy())) == []


def test_training_that_was_broken_off():
    assert told(logged(val_jaccard=np.linspace(0.02, 0.5, 20))) == SHORT
    assert told(logged(**descent(6, 40))) == []


def test_training_that_still_runs_is_not_short():
    evidence = logged(val_jaccard=np.linspace(0.02, 0.5, 20))
    assert told(replace(evidence, status="finished")) == SHORT
    assert told(replace(evidence, status="running")) == []


def test_too_few_epochs_say_nothing():
    for epochs, expected in ((training_short.LEAST, SHORT), (training_short.LEAST - 1, [])):
        assert told(logged(val_jaccard=np.linspace(0.1, 0.5, epochs))) == expected


@pytest.mark.parametrize(
    "evidence",
    [
        logged(loss=[1.0, 0.5]),
        logged(val_jaccard=np.zeros(20)),
        logged(val_mae=np.linspace(1, 0.1, 20), metric="mae"),
        logged(val_jaccard=np.full(20, np.nan)),
    ],
)
def test_nothing_that_rises(evidence):
    assert told(evidence) == []


def short(epochs=6, fell=0.2, val_jaccard=0.3, jaccard=0.32, **more):
    """A training of a few epochs whose loss fell by this part of itself in the last third of them."""
    loss = np.full(epochs, 0.5)
    loss[-1] = 0.5 * (1 - fell)
    return logged(loss=loss, jaccard=np.full(epochs, jaccard), val_jaccard=np.full(epochs, val_jaccard), **more)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, SHORT),
        ({"epochs": 3}, SHORT),
        ({"epochs": 9}, SHORT),
        ({"epochs": 10}, []),
        ({"fell": training_short.FALL - 1e-6}, []),
        ({"fell": training_short.FALL + 1e-6}, SHORT),
        ({"jaccard": 0.3 / training_short.FOLLOWS + 1e-6}, []),
        ({"jaccard": 0.3 / training_short.FOLLOWS - 1e-6}, SHORT),
        ({"jaccard": 0.9, "val_jaccard": UNSEEN}, SHORT),
        ({"jaccard": 0.9, "val_jaccard": UNSEEN + 1e-6}, []),
    ],
)
def test_short_training_is_cut_off_where_its_loss_still_falls(changed, expected):
    assert told(short(**changed)) == expected


@pytest.mark.parametrize("status", ["failed", "interrupted", "running"])
def test_training_that_did_not_come_to_its_end_was_not_meant_to_be_short(status):
    assert told(replace(short(), status=status)) == []


def test_cut_off_says_what_a_constant_answer_reaches():
    records = {"batch": {"epoch": np.arange(3), "val_constant_jaccard": np.full(3, 0.05)}}
    (one,) = training_short.find(short(3, val_jaccard=0.04, jaccard=0.9, records=records))
    assert one.seen == (
        "the training loss fell by 20% in the last third of 3 epochs; best validation Jaccard 0.04; the best constant "
        "answer reaches 0.05"
    )
    assert one.why == "it ended after 3 epochs, while its training loss still fell"
