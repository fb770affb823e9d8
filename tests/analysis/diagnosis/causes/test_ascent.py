"""A loss that rises from the first steps on."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from planted_runs import EPOCHS, batches, healthy, logged
from unetdyn.analysis.diagnosis.causes import ascent


def found(loss):
    return [(one.code, one.level, one.confidence) for one in ascent.find(logged(loss=loss))]


RISES = [("gradient.ascent", "ill", "medium")]


@pytest.mark.parametrize("first", [0.7, -0.3])
def test_loss_that_rises_all_along(first):
    for by, expected in ((1e-6, RISES), (-1e-6, [])):
        last = first + (ascent.RISE + by) * abs(first)
        assert found(np.linspace(first, last, EPOCHS)) == expected


def test_rise_must_be_steady():
    """A rank correlation at either side, by swapping the order of a few epochs."""
    random = np.random.default_rng(0)
    for scale, expected in ((0.05, RISES), (3.0, [])):
        loss = np.linspace(1.0, 2.0, EPOCHS) + scale * np.r_[0, random.uniform(0, 1, EPOCHS - 2), 0]
        assert (spearmanr(range(EPOCHS), loss)[0] > ascent.STEADY) == bool(expected)
        assert found(loss) == expected


@pytest.mark.parametrize(
    "loss",
    [
        healthy()["loss"],
        np.full(EPOCHS, 0.7),
        np.linspace(1.0, 2.0, ascent.LEAST - 1),
        np.r_[1.0, 0.5, np.linspace(0.6, 1.3, EPOCHS)],
        np.full(EPOCHS, np.nan),
    ],
    ids=["falls", "constant", "short", "fell before it rose", "no number"],
)
def test_what_is_no_ascent(loss):
    assert found(loss) == []


def test_short_rise_is_enough():
    assert found(np.linspace(1.0, 2.0, ascent.LEAST)) == RISES


def test_no_loss_no_finding():
    assert list(ascent.find(logged(val_jaccard=[0.1, 0.2]))) == []


@pytest.mark.parametrize(
    ("constant", "expected"), [(-ascent.ZERO - 1e-3, RISES), (-ascent.ZERO, []), (-0.4, []), (0.3, [])]
)
def test_loss_that_rewards_wrong_answers(constant, expected):
    """−Dice is a score with a minus, and a constant answer brings it to −1 at the least."""
    falling = -0.8 + 0.7 * np.exp(-np.arange(EPOCHS) / 6)
    evidence = logged({"batch": batches(constant_loss=constant)}, loss=falling)
    assert [(one.code, one.level, one.confidence) for one in ascent.find(evidence)] == expected


def test_curves_are_those_that_were_logged():
    records = {"batch": batches(constant_loss=-5.0)}
    assert [one.curves for one in ascent.find(logged(records, loss=[1.0, 0.5]))] == [("loss",)]
    assert [one.curves for one in ascent.find(logged(records, val_jaccard=[0.1, 0.2]))] == [()]
