"""The rows a training leaves, turned into estimates: which rows belong together, and which are left out."""

import itertools

import keras
import numpy as np
import pytest

from unetdyn.analysis.gradient_noise import consecutive_estimates, two_batch_estimates
from unetdyn.callbacks.batch_sizes import batch_sizes
from unetdyn.callbacks.noise_scale_sources import Accumulation, Consecutive, Replicas, source_of
from unetdyn.dynamics import Rows


def rows(gradients, step=None, iteration=None, controlled=None, **columns):
    """Rows of one epoch from `(steps, dimensions)` gradients, each entry a variable of its own."""
    count = len(gradients)
    step = np.arange(count) if step is None else np.array(step)
    wide, flat = np.zeros(gradients.shape), np.zeros(count)
    return Rows(
        step=step,
        iteration=step if iteration is None else np.array(iteration),
        learning_rate=flat,
        skipped=flat > 0,
        applied=flat == 0,
        grad_norm_sq=gradients**2,
        weight_norm_sq=wide,
        update_norm_sq=wide,
        nonfinite=wide.astype(int),
        controlled=flat > 0 if controlled is None else np.array(controlled),
        applied_grad_norm=flat,
        **columns,
    )


@pytest.fixture
def gradients():
    return np.random.default_rng(0).normal(1.0, 1.0, size=(12, 5))


def dots(gradients):
    return {"dot": (gradients * np.roll(gradients, 1, axis=0)).sum(axis=1, keepdims=True)}


def test_replicas_compare_shares_with_the_whole(gradients):
    shares = np.stack([gradients, gradients[::-1]])
    seen = rows(shares.mean(axis=0), replica_grad_norm_sq=(shares**2).mean(axis=0))
    found = Replicas(2).observe(seen, np.full(12, 8.0))
    for place, pair in enumerate(zip(shares[0], shares[1], strict=True)):
        small = np.mean([np.square(share).sum() for share in pair])
        big = np.square(np.mean(pair, axis=0)).sum()
        assert (found.gradient_sq[place], found.trace_covariance[place]) == pytest.approx(
            two_batch_estimates(small, big, 4, 8)
        )
    assert found.step.tolist() == list(range(12))


def accumulated(gradients, iteration, cycle):
    """As Keras does it: a row's sum restarts where its iteration opens a cycle; a skipped row adds nothing."""
    means, pending = np.full(gradients.shape, np.nan), np.zeros(gradients.shape[1])
    for place, number in enumerate(iteration):
        mean = (pending + gradients[place]) / cycle
        if (number + 1) % cycle == 0:
            means[place] = mean**2
        skipped = place + 1 < len(iteration) and iteration[place + 1] == number
        if not skipped:
            pending = np.zeros_like(pending) if (number + 1) % cycle == 0 else pending + gradients[place]
    return means


@pytest.mark.parametrize(
    ("first", "cycles"),
    [(0, [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11)]), (2, [(1, 2, 3), (4, 5, 6), (7, 8, 9)])],
)
def test_accumulation_takes_whole_cycles_of_the_epoch(gradients, first, cycles):
    iteration = np.arange(12) + first
    seen = rows(gradients, iteration=iteration, accumulated_grad_norm_sq=accumulated(gradients, iteration, 3))
    found = Accumulation(3).observe(seen, np.full(12, 4.0))
    assert found.step.tolist() == [cycle[-1] for cycle in cycles]
    for place, cycle in enumerate(cycles):
        members = gradients[list(cycle)]
        small, big = np.square(members).sum(axis=1).mean(), np.square(members.mean(axis=0)).sum()
        assert (found.gradient_sq[place], found.trace_covariance[place]) == pytest.approx(
            two_batch_estimates(small, big, 4, 12)
        )


def test_accumulation_leaves_skipped_micro_steps_out(gradients):
    """A skipped step leaves the iteration where it was; the micro-batch that takes its place counts."""
    gradients[1] = np.nan
    iteration = np.array([0, 1, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9])
    seen = rows(gradients, iteration=iteration, accumulated_grad_norm_sq=accumulated(gradients, iteration, 3))
    found = Accumulation(3).observe(seen, np.full(12, 4.0))
    assert found.step.tolist() == [3, 7, 10]
    for place, cycle in enumerate([(0, 2, 3), (4, 5, 7), (8, 9, 10)]):
        members = gradients[list(cycle)]
        small, big = np.square(members).sum(axis=1).mean(), np.square(members.mean(axis=0)).sum()
        assert found.gradient_sq[place] == pytest.approx(float(two_batch_estimates(small, big, 4, 12)[0]))


def test_accumulation_leaves_cycles_of_unknown_size_out(gradients):
    sizes = batch_sizes(4, 12, samples=45)
    seen = rows(gradients, accumulated_grad_norm_sq=accumulated(gradients, np.arange(12), 3))
    assert Accumulation(3).observe(seen, sizes).step.tolist() == [2, 5, 8]


def test_accumulation_takes_the_harmonic_mean_of_unequal_sizes(gradients):
    sizes = np.tile([2.0, 4.0, 16.0], 4)
    seen = rows(gradients, accumulated_grad_norm_sq=accumulated(gradients, np.arange(12), 3))
    small, big = np.square(gradients[:3]).sum(axis=1).mean(), np.square(gradients[:3].mean(axis=0)).sum()
    expected = two_batch_estimates(small, big, 48 / 13, 3 * 48 / 13)
    found = Accumulation(3).observe(seen, sizes)
    assert (found.gradient_sq[0], found.trace_covariance[0]) == pytest.approx(expected)


def test_accumulation_leaves_cycles_out_that_a_control_had_a_hand_in_and_says_so(gradients):
    means = accumulated(gradients, np.arange(12), 3)
    seen = rows(gradients, controlled=np.isin(np.arange(12), [1, 8]), accumulated_grad_norm_sq=means)
    found = Accumulation(3).observe(seen, np.full(12, 4.0))
    assert (found.step.tolist(), found.spoilt) == ([5, 11], 8)
    untouched = Accumulation(3).observe(rows(gradients, accumulated_grad_norm_sq=means), np.full(12, 4.0))
    assert (untouched.step.tolist(), untouched.spoilt) == ([2, 5, 8, 11], -1)


def test_accumulation_of_less_than_a_cycle_is_empty(gradients):
    seen = rows(gradients[:2], accumulated_grad_norm_sq=accumulated(gradients[:2], np.arange(2), 3))
    assert len(Accumulation(3).observe(seen, np.full(2, 4.0))) == 0


def test_consecutive_takes_pairs_within_the_epoch(gradients):
    found = Consecutive().observe(rows(gradients, extra=dots(gradients)), np.full(12, 4.0))
    assert found.step.tolist() == list(range(1, 12))
    pairs = list(itertools.pairwise(gradients))
    assert found.gradient_sq == pytest.approx(np.array([a @ b for a, b in pairs]))
    assert found.trace_covariance == pytest.approx(np.array([4 * np.square(a - b).sum() / 2 for a, b in pairs]))


def test_consecutive_leaves_out_what_is_not_finite_and_both_its_pairs(gradients):
    gradients[5] = np.inf
    with np.errstate(invalid="ignore"):
        found = Consecutive().observe(rows(gradients, extra=dots(gradients)), np.full(12, 4.0))
    assert found.step.tolist() == [1, 2, 3, 4, 7, 8, 9, 10, 11]


def test_consecutive_leaves_out_pairs_across_lost_rows(gradients):
    step = [*range(6), *range(8, 14)]
    found = Consecutive().observe(rows(gradients, step=step, extra=dots(gradients)), np.full(12, 4.0))
    assert found.step.tolist() == [1, 2, 3, 4, 5, 9, 10, 11, 12, 13]


def test_consecutive_of_one_step_is_empty(gradients):
    assert len(Consecutive().observe(rows(gradients[:1], extra=dots(gradients[:1])), np.full(1, 4.0))) == 0


def test_consecutive_agrees_with_the_estimator_for_unequal_sizes(gradients):
    sizes = np.linspace(2.0, 9.0, 12)
    found = Consecutive().observe(rows(gradients, extra=dots(gradients)), sizes)
    expected = consecutive_estimates((gradients**2).sum(axis=1), dots(gradients)["dot"][:, 0], sizes)
    assert found.trace_covariance == pytest.approx(expected[1])


@pytest.mark.parametrize(
    ("optimizer", "expected"),
    [
        (keras.optimizers.SGD(), Consecutive()),
        (keras.optimizers.Adam(gradient_accumulation_steps=4), Accumulation(4)),
        (
            keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(gradient_accumulation_steps=2)),
            Accumulation(2),
        ),
        (None, Consecutive()),
    ],
)
def test_source_of_follows_the_optimizer(optimizer, expected):
    assert source_of(optimizer) == expected
