"""Clipping that takes most of every gradient."""

import numpy as np
import pytest

from planted_runs import EPOCHS, STEPS, gradients, planted
from unetdyn.analysis.diagnosis.causes import clipping

ALL = EPOCHS * STEPS
TIGHT = [("clipping.tight", "ill", "medium")]


def found(used, norm=1.0):
    record = {"gradient": gradients(norm=norm, applied_grad_norm=used)}
    return [(one.code, one.level, one.confidence) for one in clipping.find(planted(record))]


@pytest.mark.parametrize(("by", "expected"), [(-1e-6, TIGHT), (1e-6, [])])
def test_what_is_left_is_compared_in_the_median(by, expected):
    assert found(np.full(ALL, clipping.LEFT + by)) == expected


def test_nearly_every_step_must_be_clipped():
    often = int(np.ceil(clipping.ALWAYS * ALL))
    for count, expected in ((often, TIGHT), (often - 1, [])):
        assert found(np.where(np.arange(ALL) < count, 0.01, 1.0)) == expected


@pytest.mark.parametrize("used", [np.ones(ALL), np.full(ALL, 1 - 1e-6), np.full(ALL, np.nan)])
def test_what_is_not_clipped(used):
    assert found(used) == []


def test_steps_without_a_gradient_are_left_out():
    norms = np.where(np.arange(ALL) < ALL // 2, 0.0, 1.0)
    assert found(0.01 * norms, norms) == TIGHT
    assert found(np.zeros(ALL), 0.0) == []


def test_record_without_clipping_and_none():
    assert list(clipping.find(planted({"gradient": gradients()}))) == list(clipping.find(planted())) == []


def test_numbers_are_told():
    used = np.where(np.arange(ALL) < 0.95 * ALL, 0.05, 1.0)
    (one,) = clipping.find(planted({"gradient": gradients(applied_grad_norm=used)}))
    assert one.seen == "95% of the steps are clipped, to 0.05 of the gradient (median)"
