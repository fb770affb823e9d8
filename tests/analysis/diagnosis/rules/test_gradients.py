"""Gradients without trouble."""

import numpy as np

from planted_runs import gradients as recorded
from planted_runs import planted
from unetdyn.analysis.diagnosis.rules import gradients


def test_gradients_without_trouble_are_called_good():
    (found,) = gradients.find(planted(grad_exploding=np.zeros(40)))
    assert (found.code, found.level) == ("gradient.sound", "good")
    assert found.seen == "finite, none exploded or vanished in 40 epochs"


def test_nothing_to_say_where_another_rule_speaks_or_nobody_watched():
    assert list(gradients.find(planted())) == []
    assert list(gradients.find(planted(grad_vanishing_blocks=np.ones(40)))) == []
    evidence = planted({"mine": recorded(8, applied=False)}, grad_nonfinite=np.r_[1, np.zeros(39)])
    assert list(gradients.find(evidence)) == []
