"""Gradients that were not finite and were used."""

import numpy as np
import pytest

from planted_runs import gradients, planted
from unetdyn.analysis.diagnosis.rules import nonfinite

LOGGED = np.r_[1, np.zeros(39)]


@pytest.mark.parametrize(
    ("record", "level", "seen"),
    [
        (gradients(1, applied=True), "watch", "the gradient was not finite at 1 of 1280 steps"),
        (gradients(128, applied=True), "ill", "the gradient was not finite at 128 of 1280 steps"),
    ],
)
def test_by_steps_where_they_were_recorded(record, level, seen):
    (found,) = nonfinite.find(planted({"mine": record}, grad_nonfinite=LOGGED))
    assert (found.code, found.level, found.seen, found.why) == ("gradient.nonfinite", level, seen, seen)


@pytest.mark.parametrize(("epochs", "level"), [(3, "watch"), (4, "ill"), (40, "ill")])
def test_by_epochs_where_steps_were_not_recorded(epochs, level):
    (found,) = nonfinite.find(planted(grad_nonfinite=np.r_[np.ones(epochs), np.zeros(40 - epochs)]))
    assert (found.level, found.seen) == (level, f"the gradient was not finite in {epochs} of 40 epochs")


@pytest.mark.parametrize(
    "evidence",
    [
        planted(),
        planted(grad_nonfinite=np.zeros(40)),
        planted({"a": gradients(8, applied=False)}, grad_nonfinite=LOGGED),
    ],
    ids=["not watched", "none", "all skipped"],
)
def test_nothing_to_say(evidence):
    assert list(nonfinite.find(evidence)) == []
