"""Gradients that vanish in a block."""

import numpy as np
import pytest

from planted_runs import EPOCHS, STEPS, gradients, planted
from planted_runs import updates as recorded
from unetdyn.analysis.diagnosis.causes import vanishing

ALL = EPOCHS * STEPS
VANISHED, SMALL = ("gradient.vanishing", "ill", "medium"), ("gradient.vanishing", "info", "")


def told(norm, ratio=None, largest=1.0):
    blocks = {"enc1": np.broadcast_to(norm, ALL), "dec1": np.full(ALL, largest)}
    records = {"gradient": gradients(block_grad_norm=blocks)}
    if ratio is not None:
        records["update"] = recorded(enc1=ratio, dec1=1e-3)
    return [(one.code, one.level, one.confidence) for one in vanishing.find(planted(records))]


@pytest.mark.parametrize("largest", [1.0, 1e-3])
def test_block_is_compared_with_the_largest(largest):
    below, above = (vanishing.SMALL * largest * by for by in (0.999, 1.001))
    assert told(below, ratio=0.0, largest=largest) == [VANISHED]
    assert told(above, ratio=0.0, largest=largest) == []


@pytest.mark.parametrize(("by", "expected"), [(0.999, [VANISHED]), (1.001, [SMALL])])
def test_block_must_stand_still(by, expected):
    assert told(1e-9, ratio=vanishing.STILL * by) == expected


def test_gate_that_closed_does_not_vanish():
    """A gate whose map has come to 0 or 1 gets no gradient, and need not move."""
    for name, expected in (("gate1", []), ("enc1", [VANISHED])):
        blocks = {name: np.full(ALL, 1e-9), "dec1": np.ones(ALL)}
        records = {"gradient": gradients(block_grad_norm=blocks), "update": recorded(**{name: 0.0, "dec1": 1e-3})}
        assert [(one.code, one.level, one.confidence) for one in vanishing.find(planted(records))] == expected


def test_block_that_adam_moves_is_well():
    """‖g‖ = 1e-7, and updates of 1e-4 of its weights."""
    assert told(1e-7, ratio=1e-4) == [SMALL]


def test_small_gradients_everywhere_do_not_vanish():
    assert told(1e-7, ratio=1e-4, largest=1e-7) == told(1e-7, ratio=1e-9, largest=1e-7) == []


def test_without_an_update_monitor_it_is_an_observation():
    assert told(1e-9) == [SMALL]


def test_exact_zeros_have_a_rule_of_their_own():
    assert told(0.0, ratio=0.0) == []


def test_zeros_at_some_steps_of_a_batch_of_one_do_not_vanish():
    """The median is 0 where three steps of four have no gradient, in all blocks alike."""
    some = np.where(np.arange(ALL) % 4 == 0, 0.3, 0.0)
    blocks = {"enc1": some, "dec1": 2 * some}
    records = {"gradient": gradients(block_grad_norm=blocks), "update": recorded(enc1=0.0, dec1=0.0)}
    assert list(vanishing.find(planted(records))) == []


@pytest.mark.parametrize("norm", [np.nan, np.inf])
def test_block_without_a_number_is_not_small(norm):
    assert told(norm, ratio=0.0) == []


def test_nothing_recorded():
    assert list(vanishing.find(planted())) == list(vanishing.find(planted({"gradient": gradients()}))) == []
