"""Signals that end a training: planted curves, and what must never be ended."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.sweeps.pruning_signals import PruningRule, TrialRecord, largest_gain, reason_to_prune, upper_bound

EPOCHS = 60


def rising(end, rate=8.0, noise=0.004, seed=0, epochs=EPOCHS):
    rng = np.random.default_rng(seed)
    clock = np.arange(epochs) / EPOCHS
    return end - (end - 0.05) * np.exp(-rate * clock) + noise * rng.normal(size=epochs)


def record(values, losses=None):
    losses = 1 - np.asarray(values) if losses is None else losses
    return TrialRecord.of(values, losses, losses)


FINISHED = [record(rising(end, seed=seed)) for seed, end in enumerate((0.6, 0.65, 0.7, 0.74, 0.8))]


def ended_after(trial, finished=FINISHED, rule=None, **given):
    rule = PruningRule() if rule is None else rule
    for epochs in range(1, trial.epochs):
        if signal := reason_to_prune(trial.until(epochs), finished, rule, **given):
            return epochs, signal.kind
    return None


def test_curve_that_is_heading_below_the_best_is_ended_at_a_look():
    epochs, kind = ended_after(record(rising(0.5, seed=9)))
    assert kind == "convergence"
    assert epochs >= 15
    assert epochs % 5 == 0


def test_slow_curve_that_ends_higher_is_left_alone_though_it_is_behind_all_others():
    slow = record(rising(0.95, rate=2.5, seed=9))
    assert all(slow.values[20] < each.values[20] for each in FINISHED)
    assert slow.best > 0.85
    assert ended_after(slow) is None


def test_curves_that_a_drop_of_the_rate_will_lift_are_waited_for():
    def lifted(end, by, seed):
        values = rising(end, rate=15, seed=seed)
        values[40:] += by
        return record(values)

    finished = [lifted(0.6, 0.06 + 0.02 * seed, seed) for seed in range(5)]
    own = lifted(0.55, 0.2, 9)
    assert own.best > max(each.best for each in finished)
    assert ended_after(own, finished) is None


def test_nothing_is_ended_before_enough_trials_are_finished_or_the_warmup_is_over():
    bad = record(rising(0.3, seed=9))
    assert ended_after(bad, FINISHED[:4]) is None
    assert ended_after(bad, rule=PruningRule(warmup=40)) == (40, "convergence")


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_loss_that_is_not_finite_is_ended_at_once_if_others_were_better(broken):
    values = rising(0.5, seed=9)
    losses = 1 - values
    losses[7:] = broken
    assert ended_after(record(values, losses)) == (8, "divergence")


def test_loss_that_leaves_its_past_is_ended_after_five_epochs_and_one_that_comes_back_is_not():
    values = rising(0.7, seed=9)
    losses = 1 - values
    losses[20:24] = 9.0
    late = PruningRule(warmup=EPOCHS)
    assert ended_after(record(values, losses), rule=late) is None
    losses[20:] = 9.0
    assert ended_after(record(values, losses), rule=late) == (25, "divergence")


def test_largest_gain_is_exceeded_by_one_more_as_often_as_it_says():
    from scipy.stats import binom

    rng = np.random.default_rng(0)
    exceeded = sum(rng.normal() > largest_gain(rng.normal(size=6), 0.02) for _ in range(4000))
    assert exceeded <= binom.ppf(0.999, 4000, 0.02)
    assert exceeded >= binom.ppf(0.001, 4000, 0.01)
    assert largest_gain([0.1], 0.02) == np.inf


def test_restless_curve_out_of_reach_is_ended_for_its_instability():
    rng = np.random.default_rng(0)
    values = rising(0.3, rate=30, seed=9) + rng.normal(0, 0.004, EPOCHS)
    losses = 1 - values + 0.3 * rng.normal(size=EPOCHS)
    epochs, kind = ended_after(TrialRecord.of(values, (), losses))
    assert (epochs, kind) == (15, "instability")
    calm = ended_after(TrialRecord.of(values, (), 1 - values))
    assert calm is None or calm[1] == "convergence"


def test_of_several_objectives_only_a_divergence_ends_a_trial():
    bad = record(rising(0.3, seed=9))
    assert ended_after(bad)[1] == "convergence"
    assert ended_after(bad, front=True) is None
    losses = 1 - bad.values
    losses[30:] = np.nan
    assert ended_after(record(bad.values, losses), front=True) == (31, "divergence")


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10**6), st.floats(0.81, 1.0), st.sampled_from([0.001, 0.05]))
def test_best_so_far_is_never_ended(seed, end, noise):
    best = record(rising(end, noise=noise, rate=40, seed=seed))
    losses = np.full(EPOCHS, np.nan)
    if best.until(12).best >= max(each.best for each in FINISHED):
        assert all(reason_to_prune(record(best.values, losses).until(n), FINISHED) is None for n in (12, 15, 20, 59))


def test_upper_bound_covers_the_planted_asymptote_as_often_as_it_says():
    level, ends = 0.1, []
    for seed in range(60):
        values = rising(0.8, rate=6.0, noise=0.02, seed=seed, epochs=40)
        ends.append(upper_bound(values, level))
    told = [end for end in ends if end is not None]
    assert len(told) > 40
    missed = sum(end < 0.8 for end in told)
    from scipy.stats import binom

    assert missed <= binom.ppf(0.999, len(told), level)
    assert np.median(told) < 0.9


@pytest.mark.parametrize("values", [np.zeros(30), np.full(5, 0.5), [0.5] * 12 + [np.nan]])
def test_upper_bound_is_none_where_nothing_is_told(values):
    assert upper_bound(values, 0.05) is None


@pytest.mark.parametrize(
    ("given", "match"), [({"rate": 0}, "rate"), ({"warmup": 9}, "warmup"), ({"every": 0}, "every")]
)
def test_rule_that_can_not_be_is_refused(given, match):
    with pytest.raises(ValueError, match=f"`{match}` must"):
        PruningRule(**given)


@given(st.integers(10, 50), st.integers(1, 9), st.integers(1, 200))
def test_looks_are_counted_as_they_come(warmup, every, epochs):
    expected = sum(epoch >= warmup and (epoch - warmup) % every == 0 for epoch in range(1, epochs))
    assert PruningRule(warmup=warmup, every=every).looks(epochs) == expected
