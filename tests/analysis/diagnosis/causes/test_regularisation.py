"""Regularisation that holds the network back."""

import pytest

from planted_runs import planted, set_up
from unetdyn.analysis.diagnosis.causes import regularisation

STRONG = [("regularisation.strong", "ill", "high")]


def told(**changes):
    found = regularisation.find(planted(setup=set_up(**changes)))
    return [(one.code, one.level, one.confidence) for one in found]


def decay(value):
    return {"name": "adamw", "learning_rate": 1e-3, "config": {"weight_decay": value}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, []),
        ({"dropout": 0.5}, []),
        ({"dropout": regularisation.DROPOUT}, []),
        ({"dropout": regularisation.DROPOUT + 1e-6}, STRONG),
        ({"optimizer": decay(0.004)}, []),
        ({"optimizer": decay(regularisation.DECAY)}, []),
        ({"optimizer": decay(regularisation.DECAY + 1e-6)}, STRONG),
        ({"optimizer": None}, []),
        ({"penalty": regularisation.DECAY + 1e-6}, STRONG),
        ({"penalty": 1e-4}, []),
    ],
)
def test_what_is_beyond_use(changes, expected):
    assert told(**changes) == expected


def test_all_are_told_together():
    (one,) = regularisation.find(planted(setup=set_up(dropout=0.9, penalty=1.0, optimizer=decay(0.5))))
    assert one.seen == "a dropout of 0.9 and a weight decay of 0.5 and an L2 penalty of 1"


def test_nothing_is_told_without_a_set_up():
    assert list(regularisation.find(planted())) == []
