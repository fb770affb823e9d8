"""Batches that come in a fixed order."""

import numpy as np
import pytest
from scipy.stats import f

from planted_runs import EPOCHS, STEPS, gradients, planted
from unetdyn.analysis.diagnosis.causes import order


def simulated(random, part, epochs=EPOCHS, steps=STEPS, drift=1.0):
    """log ‖g‖ = epoch + place + noise; `part` of the variance within an epoch is that of the places.

    A last batch of fewer images follows, whose gradient is longer.
    """
    places = np.sqrt(part) * random.normal(size=steps)
    noise = np.sqrt(1 - part) * random.normal(size=(epochs, steps))
    of_epoch = drift * random.normal(size=(epochs, 1))
    last = of_epoch + 2 + random.normal(size=(epochs, 1))
    return np.exp(np.c_[of_epoch + places + noise, last]).ravel(), np.repeat(np.arange(epochs), steps + 1)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.6, 0.9])
def test_share_is_that_of_the_simulation(part):
    """Mean over 300 simulated trainings; the share itself is cut off at 0, which lifts the mean of none a little."""
    random = np.random.default_rng(0)
    found = np.array([order.explained(*simulated(random, part)) for _ in range(300)])
    assert found.mean() == pytest.approx(part, abs=0.02)
    assert found.std() < 0.12


def components(table):
    """Places and noise, of an analysis of variance of two ways without repetition, written out."""
    logs = np.log(table)
    epochs, steps = logs.shape
    residual = np.empty_like(logs)
    for i in range(epochs):
        for j in range(steps):
            residual[i, j] = logs[i, j] - logs[i].mean() - logs[:, j].mean() + logs.mean()
    noise = (residual**2).sum() / ((epochs - 1) * (steps - 1))
    of_places = epochs * sum((logs[:, j].mean() - logs.mean()) ** 2 for j in range(steps)) / (steps - 1)
    return max(0.0, (of_places - noise) / epochs), noise


@pytest.mark.parametrize("part", [0.0, 0.5, 0.95])
def test_against_an_analysis_of_variance(part):
    norms, epochs = simulated(np.random.default_rng(1), part, epochs=9, steps=7)
    places, noise = components(norms.reshape(9, 8)[:, :7])
    assert order.explained(norms, epochs) == pytest.approx(places / (places + noise), rel=1e-9)


def test_last_batch_of_fewer_images_is_no_order():
    """Each epoch ends with a batch of one image of eight, whose gradient is longer by sqrt(8)."""
    norms = np.exp(0.2 * np.random.default_rng(6).normal(size=(EPOCHS, 12)))
    norms[:, -1] *= np.sqrt(8)
    assert order.explained(norms.ravel(), np.repeat(np.arange(EPOCHS), 12)) < 0.1


def test_learning_from_epoch_to_epoch_is_no_order():
    random = np.random.default_rng(2)
    calm, wild = (np.mean([order.explained(*simulated(random, 0.5, drift=by)) for _ in range(50)]) for by in (0.0, 5.0))
    assert calm == pytest.approx(wild, abs=0.05)


@pytest.mark.parametrize("part", [order.EXPLAINED, 0.3])
@pytest.mark.parametrize(("epochs", "steps"), [(order.LEAST_EPOCHS, order.LEAST_STEPS), (8, 6)])
def test_shuffled_batches_explain_much_as_often_as_an_f_test_says(epochs, steps, part):
    """F is 1 + epochs · part / (1 − part), of steps − 1 and (epochs − 1)(steps − 1) degrees of freedom."""
    random = np.random.default_rng(3)
    parts = np.array([order.explained(*simulated(random, 0.0, epochs, steps)) for _ in range(2000)])
    expected = f.sf(1 + epochs * part / (1 - part), steps - 1, (epochs - 1) * (steps - 1))
    assert (parts > part).sum() == pytest.approx(2000 * expected, abs=4 * np.sqrt(2000 * expected) + 1)


def test_shuffled_batches_are_hardly_taken_for_sorted():
    odds = order.LEAST_EPOCHS * order.EXPLAINED / (1 - order.EXPLAINED)
    degrees = order.LEAST_STEPS - 1, (order.LEAST_EPOCHS - 1) * (order.LEAST_STEPS - 1)
    assert f.sf(1 + odds, *degrees) < 0.02


def test_epochs_that_are_broken_off_or_broken_are_left_out():
    norms, epochs = simulated(np.random.default_rng(4), 0.8)
    whole = order.explained(norms, epochs)
    cut, whole_epochs = slice(None, -STEPS // 2), slice(None, -STEPS - 1)
    assert order.explained(norms[cut], epochs[cut]) == order.explained(norms[whole_epochs], epochs[whole_epochs])
    for broken in (np.nan, np.inf, 0.0):
        worse = norms.copy()
        worse[5 * (STEPS + 1)] = broken
        kept = epochs != 5
        assert order.explained(worse, epochs) == order.explained(norms[kept], epochs[kept])
    assert whole > 0.6


@pytest.mark.parametrize(("epochs", "steps"), [(0, 0), (order.LEAST_EPOCHS - 1, 32), (40, order.LEAST_STEPS)])
def test_too_little_explains_nothing(epochs, steps):
    assert order.explained(np.arange(1.0, epochs * steps + 1), np.repeat(np.arange(epochs), steps)) == 0.0


def test_gradient_that_never_changes_explains_nothing():
    assert order.explained(np.ones(EPOCHS * STEPS), np.repeat(np.arange(EPOCHS), STEPS)) == 0.0


def test_finding():
    norms, _ = simulated(np.random.default_rng(5), 0.95, steps=STEPS - 1)
    (one,) = order.find(planted({"gradient": gradients(norm=norms)}))
    assert (one.code, one.level, one.confidence) == ("order.sorted", "ill", "medium")
    norms, _ = simulated(np.random.default_rng(5), 0.1, steps=STEPS - 1)
    assert list(order.find(planted({"gradient": gradients(norm=norms)}))) == []
    assert list(order.find(planted())) == []
