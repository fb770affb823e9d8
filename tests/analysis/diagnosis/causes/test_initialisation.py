"""Weights that begin too large."""

import numpy as np
import pytest

from planted_runs import EPOCHS, batches, healthy, planted, set_up
from unetdyn.analysis.diagnosis.causes import initialisation


def told(first, constant=1.0, setup=None):
    evidence = planted(
        {"batch": batches(constant_loss=constant)}, loss=np.r_[first, healthy()["loss"][1:]], setup=setup
    )
    found = list(initialisation.find(evidence))
    assert all((one.epochs, one.curves) == (((0, 0),), ("loss",)) for one in found)
    return [(one.code, one.level, one.confidence) for one in found]


LARGE, FOR_CERTAIN = [("init.bad", "ill", "low")], [("init.bad", "ill", "high")]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        (initialisation.TIMES - 1e-6, []),
        (initialisation.TIMES + 1e-6, LARGE),
        (initialisation.FAR - 1e-6, LARGE),
        (initialisation.FAR + 1e-6, FOR_CERTAIN),
    ],
)
def test_first_loss_is_compared_with_a_constant_answers(times, expected):
    assert told(times) == expected


@pytest.mark.parametrize(("by", "expected"), [(1e-6, FOR_CERTAIN), (-1e-6, [])])
def test_small_loss_is_not_sure_of_anything(by, expected):
    """Of a rare object a constant answer costs little, and ½ everywhere 0.69, which is many times as much."""
    assert told(initialisation.SURE + by, constant=0.01) == expected
    assert told(0.69, constant=0.01) == []


def test_loss_that_holds_a_penalty_begins_large():
    assert told(50.0, setup=set_up(penalty=1e-4)) == []
    assert told(50.0, setup=set_up(penalty=0.0)) == FOR_CERTAIN


@pytest.mark.parametrize("constant", [0.0, -0.2, np.nan])
def test_constant_answer_that_costs_nothing_or_is_unknown(constant):
    evidence = planted({"batch": batches(constant_loss=constant)}, loss=np.full(EPOCHS, 50.0))
    assert list(initialisation.find(evidence)) == []


def test_nothing_recorded():
    assert list(initialisation.find(planted(loss=np.full(EPOCHS, 50.0)))) == []


@pytest.mark.parametrize(
    ("first_step", "last_step", "expected"), [(0.0, 0.0, FOR_CERTAIN), (1.0, 0.0, LARGE), (1.0, 1.0, LARGE)]
)
def test_blocks_without_a_gradient_from_the_start_make_it_certain(first_step, last_step, expected):
    """No update made the first loss so large then; blocks that died later may have died of updates."""
    norms = np.full(100, last_step)
    norms[0] = first_step
    records = {
        "batch": batches(constant_loss=1.0),
        "gradient": {"block_grad_norm": {"enc1": norms, "head": np.ones(100)}},
    }
    loss = np.r_[initialisation.TIMES + 1, healthy()["loss"][1:]]
    found = initialisation.find(planted(records, loss=loss))
    assert [(one.code, one.level, one.confidence) for one in found] == expected
