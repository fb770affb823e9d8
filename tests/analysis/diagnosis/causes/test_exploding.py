"""Gradients that explode."""

import numpy as np
import pytest

from planted_runs import EPOCHS, STEPS, gradients, planted
from unetdyn.analysis.diagnosis.causes import exploding

ALL = EPOCHS * STEPS


def found(norm, broken=0, **curves):
    return list(exploding.find(planted({"gradient": gradients(broken, norm=norm)}, **curves)))


def with_leap(at, norm):
    norms = np.ones(ALL)
    norms[at] = norm
    return norms


@pytest.mark.parametrize(("by", "leaps"), [(1.001, True), (0.999, False)])
def test_leap_is_measured_by_the_steps_before(by, leaps):
    norms = np.random.default_rng(0).uniform(0.5, 2.0, ALL)
    norms[700] = by * exploding.TIMES * np.median(norms[700 - exploding.PAST : 700])
    assert bool(found(norms)) == leaps


def test_leaps_are_counted_with_their_epochs():
    (one,) = found(with_leap([100, 101, 900], 1e4), grad_norm=np.ones(EPOCHS))
    assert (one.code, one.level, one.confidence) == ("gradient.exploding", "ill", "medium")
    assert f"at 3 of {ALL} steps" in one.why
    assert one.epochs == ((100 // STEPS, 100 // STEPS), (900 // STEPS, 900 // STEPS))
    assert one.curves == ("grad_norm",)


def test_against_a_loop():
    random = np.random.default_rng(1)
    norms = np.exp(3 * random.normal(size=400))
    norms[random.integers(0, 400, 60)] = np.nan
    expected = np.zeros(400, bool)
    for step in range(exploding.PAST, 400):
        past = norms[step - exploding.PAST : step]
        expected[step] = norms[step] > exploding.TIMES * np.median(past[np.isfinite(past)])
    assert expected.any()
    assert exploding.leaps(norms).tolist() == expected.tolist()


@pytest.mark.parametrize("scale", [1e-6, 20.0, 1e4])
def test_large_norm_that_is_usual_here_is_no_explosion(scale):
    assert found(np.full(ALL, scale)) == []


def test_infinite_norm_of_a_gradient_that_is_not_finite_is_no_explosion():
    assert found(1.0, broken=8) == []


def test_zeros_at_most_steps_of_a_batch_of_one_are_no_past():
    """Three images of four have no object, and so no gradient; the fourth has a usual one."""
    some = np.where(np.arange(ALL) % 4 == 0, 0.3, 0.0)
    assert found(some) == []
    some[1000] = 0.3 * exploding.TIMES * 1.01
    (one,) = found(some)
    assert one.epochs == ((1000 // STEPS, 1000 // STEPS),)


def test_leap_among_the_first_steps_has_no_past():
    assert found(with_leap(exploding.PAST - 1, 1e6)) == []
    assert found(with_leap(exploding.PAST, 1e6))


def test_nothing_recorded():
    assert list(exploding.find(planted())) == []
