"""Weights that begin too large."""

import numpy as np
import pytest

from planted_runs import CONSTANT_LOSS, EPOCHS, batches, healthy, planted
from unetdyn.analysis.diagnosis.causes import initialisation


@pytest.mark.parametrize(("by", "large"), [(1e-6, True), (-1e-6, False)])
def test_first_loss_is_compared_with_a_constant_answers(by, large):
    loss = np.r_[(initialisation.TIMES + by) * CONSTANT_LOSS, healthy()["loss"][1:]]
    found = list(initialisation.find(planted({"batch": batches()}, loss=loss)))
    expected = [("init.bad", "ill", "low", ((0, 0),))] if large else []
    assert [(one.code, one.level, one.confidence, one.epochs) for one in found] == expected


@pytest.mark.parametrize("constant", [0.0, -0.2, np.nan])
def test_constant_answer_that_costs_nothing_or_is_unknown(constant):
    evidence = planted({"batch": batches(constant_loss=constant)}, loss=np.full(EPOCHS, 50.0))
    assert list(initialisation.find(evidence)) == []


def test_nothing_recorded():
    assert list(initialisation.find(planted(loss=np.full(EPOCHS, 50.0)))) == []
