"""Blocks that no gradient reaches, and frozen weights."""

from dataclasses import replace

import numpy as np
import pytest

from planted_runs import EPOCHS, STEPS, gradients, planted, set_up
from unetdyn.analysis import Curves
from unetdyn.analysis.diagnosis.causes import dead

ALL = EPOCHS * STEPS


def found(setup=None, **blocks):
    record = {"gradient": gradients(block_grad_norm=blocks)} if blocks else {}
    return list(dead.find(planted(record, setup=setup)))


def zeros(share):
    """A gradient that is exactly 0 at this share of the steps, and 1 at the others."""
    return np.where(np.arange(ALL) < share * ALL, 0.0, 1.0)


def test_block_without_a_gradient():
    (one,) = found(enc1=zeros(1.0), dec1=np.ones(ALL))
    assert (one.code, one.level, one.confidence) == ("weights.dead", "ill", "high")
    assert one.why == "no gradient reaches enc1"


def test_block_that_died_later_died_of_something():
    late = zeros(1.0)
    late[0] = 1.0
    (one,) = found(enc1=late, dec1=np.ones(ALL))
    assert (one.level, one.confidence) == ("ill", "low")
    assert one.seen == "the gradient is exactly 0 in enc1, though not from the first step on"
    (one,) = found(enc1=late, enc2=zeros(1.0), dec1=np.ones(ALL))
    assert one.confidence == "low"


def test_all_blocks_without_a_gradient():
    (one,) = found(enc1=zeros(1.0), dec1=zeros(1.0))
    assert one.why == "no gradient reaches every block"


@pytest.mark.parametrize(("share", "dies"), [(dead.ALWAYS + 2 / ALL, True), (dead.ALWAYS - 2 / ALL, False)])
def test_nearly_every_step_must_be_zero(share, dies):
    assert bool(found(enc1=zeros(share), dec1=np.ones(ALL))) == dies


def test_zeros_at_some_steps_of_a_batch_of_one_are_no_death():
    """Images without an object give a Dice loss no gradient: three steps of four, all blocks alike."""
    some = np.where(np.arange(ALL) % 4 == 0, 0.3, 0.0)
    assert found(enc1=some, dec1=some) == []


@pytest.mark.parametrize("tiny", [1e-7, 1e-18])
def test_small_gradients_are_not_zero(tiny):
    assert found(enc1=np.full(ALL, tiny), dec1=np.ones(ALL)) == []


def test_no_steps_no_death():
    assert found(enc1=np.zeros(0)) == []


def frozen(share, layers=("a", "b")):
    return set_up(frozen_layers=list(layers), parameters=1000, trainable_parameters=round(1000 * (1 - share)))


@pytest.mark.parametrize(
    ("share", "level"), [(dead.MOSTLY, "ill"), (dead.MOSTLY - 0.001, "info"), (1.0, "ill"), (0.1, "info")]
)
def test_frozen_weights_are_graded_by_their_share(share, level):
    (one,) = found(frozen(share))
    assert (one.code, one.level, one.confidence) == ("weights.frozen", level, "medium")
    assert one.why == f"{share:.0%} of its weights are frozen"


def test_frozen_weights_of_a_later_stage_may_have_learned_before():
    evidence = planted(setup=frozen(0.9))
    curves = Curves(dict(evidence.curves), stages=[(0, "coarse"), (20, "fine")])
    (one,) = dead.find(replace(evidence, curves=curves))
    assert (one.code, one.level) == ("weights.frozen", "info")
    assert one.seen.endswith(", in the last stage (fine)")
    (one,) = dead.find(replace(evidence, curves=Curves(dict(evidence.curves), stages=[(0, "coarse")])))
    assert one.level == "ill"


@pytest.mark.parametrize("setup", [set_up(), frozen(0.9, ()), set_up(frozen_layers=["a"], parameters=None), None])
def test_nothing_frozen(setup):
    assert found(setup) == []
