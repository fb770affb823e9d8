"""Gradient norms: hardly a false spike on noise and every planted one found; the profile through the network."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.analysis.gradient_norms import profile, spikes

BLOCKS = {"enc1": [8.0, np.nan, 1.0, 3.0], "bottleneck": [2.0, 4.0, np.inf, 4.0], "head": [np.nan] * 4}


def noise(steps, seed=0, sigma=0.3, phi=0.0):
    """Lognormal norms; with `phi` a step remembers the one before."""
    rng = np.random.default_rng(seed)
    logs = sigma * rng.normal(size=steps)
    for t in range(1, steps if phi else 0):
        logs[t] = phi * logs[t - 1] + np.sqrt(1 - phi**2) * logs[t]
    return np.exp(logs)


def by_loop(norms, factor, window):
    """The definition, word by word."""
    found, seen = [], []
    for value in norms:
        if not np.isfinite(value) or value <= 0:
            found.append(False)
            continue
        past = np.array(seen[-window:])
        if len(seen) < max(window // 4, 1):
            found.append(False)
        else:
            centre = np.median(past)
            scale = 1.4826 * np.median(np.abs(past - centre))
            found.append(bool(np.log(value) - centre > factor * scale and value > 2 * np.exp(centre)))
        seen.append(np.log(value))
    return found


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.integers(4, 12), st.floats(1, 5))
def test_spikes_equal_the_definition(seed, window, factor):
    rng = np.random.default_rng(seed)
    norms = np.exp(rng.standard_t(2, size=60))
    norms[rng.integers(0, 60, 4)] = [0.0, np.nan, np.inf, 1e9]
    expected = by_loop(norms, factor, window)
    assert spikes(norms, factor, window).tolist() == expected
    since = int(rng.integers(0, 61))
    assert spikes(norms, factor, window, since).tolist() == expected[since:]


def test_no_false_alarm_on_stationary_noise():
    assert spikes(noise(50_000)).sum() == 0


def test_hardly_a_false_alarm_where_a_step_remembers_the_one_before():
    """Norms that wander look narrower in a window than they are."""
    assert spikes(noise(50_000, phi=0.9)).mean() < 1e-3


@pytest.mark.parametrize(("freedom", "most"), [(5, 2e-3), (3, 6e-3)])
def test_false_alarms_are_rare_with_heavy_tails(freedom, most):
    """Student's t with 3 degrees of freedom leaves six robust scales once in 300 steps by its nature."""
    rate = spikes(np.exp(0.3 * np.random.default_rng(0).standard_t(freedom, size=50_000))).mean()
    assert rate < most


def test_nine_in_ten_of_tenfold_norms_are_found():
    found = []
    for seed in range(100):
        norms = noise(200, seed)
        norms[-1] *= 10
        found.append(spikes(norms)[-1])
    assert np.mean(found) > 0.8


def test_no_false_alarm_where_norms_fall_as_in_the_beginning_of_a_training():
    norms = noise(2000) * (100 * np.exp(-np.arange(2000) / 50) + 1)
    assert spikes(norms).sum() == 0


@pytest.mark.parametrize("size", [30.0, 1000.0])
def test_planted_spikes_are_found_and_nothing_else(size):
    norms = noise(3000, sigma=0.2)
    planted = [25, 400, 401, 402, 1999]
    norms[planted] = size
    assert np.flatnonzero(spikes(norms)).tolist() == planted


def test_a_step_to_a_new_level_is_soon_usual():
    norms = noise(1000, sigma=0.1) * np.where(np.arange(1000) < 500, 1.0, 10.0)
    found = np.flatnonzero(spikes(norms))
    assert found[0] == 500
    assert found[-1] <= 551  # half the window


def test_a_nearly_constant_norm_must_double():
    norms = np.full(100, 1.0)
    norms[60], norms[80] = 1.9, 2.1
    assert np.flatnonzero(spikes(norms)).tolist() == [80]


def test_what_is_not_a_norm_is_no_spike_and_moves_nothing():
    norms = noise(300)
    norms[200] = 100.0
    holes = np.insert(norms, [100, 100, 100], [np.nan, np.inf, 0.0])
    assert np.flatnonzero(spikes(holes)).tolist() == [203]
    assert not spikes(np.full(50, np.nan)).any()
    assert spikes([]).shape == (0,)


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({"factor": 0}, r"`spike` must be a finite number above 0\. Received: spike=0"),
        ({"factor": float("nan")}, r"Received: spike=nan"),
        ({"window": 3}, r"`window` must be a whole number of steps, 4 or more\. Received: window=3"),
    ],
)
def test_spikes_refuse_what_means_nothing(kwargs, text):
    with pytest.raises(ValueError, match=text):
        spikes([1.0], **kwargs)


def test_profile_is_medians_of_finite_norms_in_order():
    found = profile(BLOCKS)
    assert list(found.norms) == ["enc1", "bottleneck", "head"]
    assert found.norms["enc1"] == 3.0
    assert found.norms["bottleneck"] == 4.0
    assert math.isnan(found.norms["head"])
    assert found.ratio == 0.75


def test_profile_of_the_last_steps():
    assert profile(BLOCKS, last=2).norms["enc1"] == 2.0
    assert profile(BLOCKS, last=100).norms == pytest.approx(profile(BLOCKS).norms, nan_ok=True)


@pytest.mark.parametrize("blocks", [{"dense": [1.0]}, {"bottleneck": [1.0]}, {"enc1": [1.0], "bottleneck": [0.0]}])
def test_ratio_is_not_defined_without_both_ends(blocks):
    assert math.isnan(profile(blocks).ratio)


def test_profile_refuses_no_steps():
    with pytest.raises(ValueError, match=r"`last` must be a whole number of steps, .* Received: last=0"):
        profile(BLOCKS, last=0)
