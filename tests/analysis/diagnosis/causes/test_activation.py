"""Hidden layers without an activation."""

import pytest

from planted_runs import planted, set_up
from unetdyn.analysis.diagnosis.causes import activation


def found(hidden):
    return [
        (one.code, one.level, one.confidence)
        for one in activation.find(planted(setup=set_up(hidden_activations=hidden)))
    ]


MISSING = ("activation.missing", "ill", "high")
SATURATING = ("activation.saturating", "ill", "medium")


@pytest.mark.parametrize(
    ("hidden", "expected"),
    [
        ({"linear": 18}, [MISSING]),
        ({"linear": 16, "sigmoid": int(16 * activation.GATES)}, [MISSING]),
        ({"linear": 16, "sigmoid": int(16 * activation.GATES) + 1}, [SATURATING]),
        ({"sigmoid": 18}, [SATURATING]),
        ({"tanh": 9, "sigmoid": 9}, [SATURATING]),
        ({"relu": 18}, []),
        ({"linear": 18, "relu": 18}, []),
        ({"linear": 10, "leaky_relu": 1, "sigmoid": 4}, []),
        ({"gelu": 4}, []),
        ({}, []),
        (None, []),
    ],
)
def test_what_the_hidden_layers_bend(hidden, expected):
    assert found(hidden) == expected


def test_nothing_is_told_without_a_set_up():
    assert list(activation.find(planted())) == []
