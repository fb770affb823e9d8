"""Gradients that vanish in a block."""

import numpy as np
import pytest

from planted_runs import planted
from unetdyn.analysis.diagnosis.rules import vanishing


@pytest.mark.parametrize(("epochs", "level"), [(1, "watch"), (4, "ill"), (40, "ill")])
def test_epochs_are_counted(epochs, level):
    (found,) = vanishing.find(planted(grad_vanishing_blocks=np.r_[np.zeros(40 - epochs), np.full(epochs, 3)]))
    assert (found.code, found.level) == ("gradient.vanishing", level)
    assert found.seen == found.why == f"the gradient vanished in a block in {epochs} of 40 epochs"


def test_nothing_to_say():
    assert list(vanishing.find(planted())) == list(vanishing.find(planted(grad_vanishing_blocks=np.zeros(40)))) == []
