"""Gradients that explode."""

import numpy as np
import pytest

from planted_runs import EPOCHS, gradients, planted
from unetdyn.analysis.diagnosis.rules import exploding


@pytest.mark.parametrize(("epochs", "level"), [(2, "watch"), (4, "ill")])
def test_epochs_are_counted(epochs, level):
    (found,) = exploding.find(planted(grad_exploding=np.r_[np.zeros(40 - epochs), np.ones(epochs)]))
    assert (found.code, found.level) == ("gradient.exploding", level)
    assert found.seen == found.why == f"the gradient exploded in {epochs} of 40 epochs"


def test_infinite_norm_of_a_gradient_that_is_not_finite_is_no_explosion():
    """The logs' counts are of older runs, in which it counted as one; a record knows better."""
    logs = {"grad_exploding": np.ones(EPOCHS)}
    assert list(exploding.find(planted({"mine": gradients(8, applied=True)}, **logs))) == []
    (found,) = exploding.find(planted({"mine": gradients(0, applied=True, norm=20.0)}, **logs))
    assert (found.level, found.seen) == ("ill", "the gradient exploded in 40 of 40 epochs")


def test_nothing_to_say():
    assert list(exploding.find(planted())) == list(exploding.find(planted(grad_exploding=np.zeros(40)))) == []
