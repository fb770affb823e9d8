"""Masks that say the opposite in one set."""

import pytest

from planted_runs import batches, planted
from unetdyn.analysis.diagnosis.causes import foreground


def found(trained, validated):
    return list(foreground.find(planted({"batch": batches(foreground=trained, val_foreground=validated)})))


@pytest.mark.parametrize("trained", [0.2, 0.8])
@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize(("by", "inverted"), [(-1e-6, True), (1e-6, False)])
def test_one_set_mirrors_the_other(trained, side, by, inverted):
    assert found(trained, 1 - trained)
    assert bool(found(trained, 1 - trained + side * (foreground.MIRRORED + by))) == inverted


def test_finding():
    (one,) = found(0.1, 0.9)
    assert (one.code, one.level, one.confidence) == ("labels.inverted", "ill", "high")
    assert one.why == "the masks of one set are inverted (foreground 10% and 90%)"


@pytest.mark.parametrize(
    ("trained", "validated"), [(0.1, 0.1), (0.1, 0.3), (0.5, 0.5), (0.45, 0.55), (0.35, 0.65), (0.0, 0.0)]
)
def test_sets_that_agree_or_are_half_and_half(trained, validated):
    assert found(trained, validated) == []


@pytest.mark.parametrize(("away", "inverted"), [(1e-6, True), (-1e-6, False)])
def test_share_must_be_away_from_a_half(away, inverted):
    trained = 0.5 - foreground.APART - away
    assert bool(found(trained, 1 - trained)) == inverted


def test_nothing_recorded():
    assert list(foreground.find(planted())) == []
    assert found(0.1, float("nan")) == []
