"""Gradients that were not finite: used, or skipped."""

import numpy as np
import pytest

from planted_runs import EPOCHS, STEPS, gradients, planted
from unetdyn.analysis.diagnosis.causes import nonfinite

ALL = EPOCHS * STEPS
LOGGED = np.r_[1, np.zeros(EPOCHS - 1)]
OFTEN = int(np.ceil(nonfinite.OFTEN * ALL))
HALF = int(np.ceil(nonfinite.HALF * ALL))


def found(count, applied):
    record = {"gradient": gradients(count, applied=applied)}
    return list(nonfinite.find(planted(record, grad_nonfinite=LOGGED)))


@pytest.mark.parametrize(("count", "level"), [(1, "watch"), (OFTEN - 1, "watch"), (OFTEN, "ill"), (ALL, "ill")])
def test_used_ones_are_counted_by_steps_where_they_were_recorded(count, level):
    (one,) = found(count, applied=True)
    seen = f"the gradient was not finite at {count} of {ALL} steps"
    assert (one.code, one.level, one.confidence, one.why) == ("gradient.nonfinite", level, "medium", one.seen)
    assert one.seen == f"{seen}, first at step 0"
    assert one.epochs == ((0, (count - 1) // STEPS),)


@pytest.mark.parametrize(("epochs", "level"), [(3, "watch"), (4, "ill"), (40, "ill")])
def test_by_epochs_where_steps_were_not_recorded(epochs, level):
    (one,) = nonfinite.find(planted(grad_nonfinite=np.r_[np.ones(epochs), np.zeros(EPOCHS - epochs)]))
    assert (one.level, one.seen) == (level, f"the gradient was not finite in {epochs} of {EPOCHS} epochs")
    assert one.epochs == ((0, epochs - 1),)


@pytest.mark.parametrize(("count", "level"), [(1, "info"), (20, "info"), (HALF - 1, "info"), (HALF, "watch")])
def test_loss_scale_that_looks_for_its_size_is_no_illness(count, level):
    (one,) = found(count, applied=False)
    assert (one.code, one.level) == ("gradient.skipped", level)
    assert one.seen == f"{count} of {ALL} updates were skipped, since the gradient was not finite"


def test_some_used_and_some_skipped_are_two_findings():
    record = gradients(8, applied=True)
    record["applied"] = np.arange(ALL) >= 4
    both = list(nonfinite.find(planted({"gradient": record}, grad_nonfinite=LOGGED)))
    assert {(one.code, one.level) for one in both} == {("gradient.skipped", "info"), ("gradient.nonfinite", "watch")}


@pytest.mark.parametrize("evidence", [planted(), planted(grad_nonfinite=np.zeros(EPOCHS))], ids=["not watched", "none"])
def test_nothing_to_say(evidence):
    assert list(nonfinite.find(evidence)) == []
