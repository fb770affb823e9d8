"""The noise scale's estimators against gradients whose mean and covariance are known, by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.analysis.gradient_noise import (
    MIN_OBSERVATIONS,
    consecutive_estimates,
    finite_population,
    noise_scale,
    two_batch_estimates,
)

DRAWS = 1000
DEVIATIONS = np.geomspace(0.2, 3.0, 12)  # anisotropic: variances over a factor of 225
MEAN = np.linspace(-1.0, 1.5, 12)
TRACE, MEAN_SQ = float((DEVIATIONS**2).sum()), float((MEAN**2).sum())


def sq(gradients):
    return (gradients**2).sum(axis=-1)


def draws(rng, *shape, batch=1.0, mean=MEAN):
    """Gradients of batches, Gaussian with the covariance diag(DEVIATIONS²) / batch."""
    return mean + rng.normal(size=(*shape, len(mean))) * DEVIATIONS / np.sqrt(batch)


def consecutive(gradients, batch):
    """Estimates from `(..., steps, dimensions)` gradients, one row of steps at a time."""
    flat = gradients.reshape(-1, *gradients.shape[-2:])
    dots = np.concatenate([np.full((len(flat), 1), np.nan), (flat[:, :-1] * flat[:, 1:]).sum(axis=-1)], axis=1)
    pairs = [consecutive_estimates(norm, dot, batch) for norm, dot in zip(sq(flat), dots, strict=True)]
    return np.array([a for a, _ in pairs]), np.array([s for _, s in pairs])


def assert_unbiased(estimates, expected):
    """Within 3 standard errors; `estimates` are independent."""
    error = estimates.std(ddof=1) / math.sqrt(len(estimates))
    assert abs(estimates.mean() - expected) < 3 * error


def two_batch_pairs(rng, trials, count=4, batch=2.0, mean=MEAN):
    """Estimates from `count` small batches against their mean, `(trials,)` each."""
    small = draws(rng, trials, count, batch=batch, mean=mean)
    return two_batch_estimates(sq(small).mean(axis=1), sq(small.mean(axis=1)), batch, count * batch)


@pytest.mark.parametrize(("count", "batch"), [(2, 1.0), (4, 2.0), (8, 16.0)])
def test_two_batch_estimates_are_unbiased(count, batch):
    gradient_sq, trace = two_batch_pairs(np.random.default_rng(0), 4 * DRAWS, count, batch)
    assert_unbiased(gradient_sq, MEAN_SQ)
    assert_unbiased(trace, TRACE)


def test_two_batch_estimates_are_unbiased_for_unequal_batches():
    """The harmonic mean of the sizes makes them so; the plain mean, and the number of samples, would not."""
    rng, sizes = np.random.default_rng(1), np.array([2.0, 2.0, 16.0])
    small = np.stack([draws(rng, 20 * DRAWS, batch=size) for size in sizes], axis=1)
    harmonic = 1 / np.mean(1 / sizes)
    squares = sq(small).mean(axis=1), sq(small.mean(axis=1))
    gradient_sq, trace = two_batch_estimates(*squares, harmonic, 3 * harmonic)
    assert_unbiased(gradient_sq, MEAN_SQ)
    assert_unbiased(trace, TRACE)
    _, wrong = two_batch_estimates(*squares, sizes.mean(), sizes.sum())
    assert abs(wrong.mean() - TRACE) > 10 * wrong.std() / math.sqrt(len(wrong))


@pytest.mark.parametrize("batch", [1.0, 8.0])
def test_consecutive_estimates_are_unbiased(batch):
    gradient_sq, trace = consecutive(draws(np.random.default_rng(2), 4 * DRAWS, 2, batch=batch), batch)
    assert_unbiased(gradient_sq[:, 0], MEAN_SQ)
    assert_unbiased(trace[:, 0], TRACE)


def test_consecutive_estimates_are_unbiased_for_unequal_batches():
    rng = np.random.default_rng(3)
    gradients = np.stack([draws(rng, 4 * DRAWS, batch=8.0), draws(rng, 4 * DRAWS, batch=3.0)], axis=1)
    gradient_sq, trace = consecutive(gradients, np.array([8.0, 3.0]))
    assert_unbiased(gradient_sq[:, 0], MEAN_SQ)
    assert_unbiased(trace[:, 0], TRACE)


def test_consecutive_estimates_are_biased_as_documented_where_weights_move():
    """Descent on a quadratic: G_{t+1} has the mean G − ηH G_t. The closed form, its direction, its first order."""
    rng, batch, rate = np.random.default_rng(4), 4.0, 0.05
    curvature = np.linspace(0.5, 4.0, 12)
    first = draws(rng, 40 * DRAWS, batch=batch)
    second = draws(rng, 40 * DRAWS, batch=batch) - rate * curvature * first
    gradient_sq, trace = consecutive(np.stack([first, second], axis=1), batch)
    noise = float((curvature * DEVIATIONS**2).sum())
    drift = float((curvature * MEAN**2).sum()) + noise / batch
    moved = float((curvature**2 * (MEAN**2 + DEVIATIONS**2 / batch)).sum())
    assert_unbiased(gradient_sq[:, 0], MEAN_SQ - rate * drift)
    assert_unbiased(trace[:, 0], TRACE + rate * noise + rate**2 * batch * moved / 2)
    assert trace.mean() / gradient_sq.mean() > TRACE / MEAN_SQ


def epochs_of_a_finite_set(rng, trials, batch, steps):
    """Each trial: a shuffled pass over the same `batch * steps` samples; gradients, |G|² and trΣ of that set."""
    samples = draws(rng, batch * steps)
    orders = rng.permuted(np.tile(np.arange(batch * steps), (trials, 1)), axis=1)
    gradients = samples[orders].reshape(trials, steps, batch, -1).mean(axis=2)
    return gradients, float(sq(samples.mean(axis=0))), float(samples.var(axis=0, ddof=1).sum())


@pytest.mark.parametrize("source", ["consecutive", "two batches"])
def test_finite_population_corrects_sampling_without_replacement(source):
    batch, steps = 4, 6
    gradients, mean_sq, trace_true = epochs_of_a_finite_set(np.random.default_rng(5), 5 * DRAWS, batch, steps)
    if source == "consecutive":
        raw, trace = (found.mean(axis=1) for found in consecutive(gradients, batch))
    else:
        pair = gradients[:, :2]
        raw, trace = two_batch_estimates(sq(pair).mean(axis=1), sq(pair.mean(axis=1)), batch, 2 * batch)
    assert_unbiased(trace, trace_true)
    assert_unbiased(finite_population(raw, trace, batch * steps), mean_sq)
    assert_unbiased(raw, mean_sq - trace_true / (batch * steps))
    assert abs(raw.mean() - mean_sq) > 10 * raw.std() / math.sqrt(len(raw))


def test_estimates_without_correction_are_those_of_the_population():
    """Over training sets drawn anew, |G|² of the population and not of the set is what comes out."""
    rng = np.random.default_rng(6)
    estimates = []
    for _ in range(DRAWS):
        gradients, _, _ = epochs_of_a_finite_set(rng, 1, batch=2, steps=5)
        estimates.append(consecutive(gradients, 2)[0].mean())
    assert_unbiased(np.array(estimates), MEAN_SQ)


@settings(deadline=None, max_examples=25)
@given(
    gradient_sq=st.floats(0.01, 100),
    trace=st.floats(0.01, 1e4),
    small=st.integers(1, 64),
    ratio=st.integers(2, 16),
)
def test_two_batch_estimates_invert_the_expectations(gradient_sq, trace, small, ratio):
    big = small * ratio
    found = two_batch_estimates(gradient_sq + trace / small, gradient_sq + trace / big, small, big)
    assert found == pytest.approx((gradient_sq, trace), rel=1e-6)


SOURCES = {
    "consecutive": lambda rng, count, mean: tuple(
        found[0] for found in consecutive(draws(rng, 1, count + 1, batch=4.0, mean=mean), 4.0)
    ),
    "two batches": lambda rng, count, mean: two_batch_pairs(rng, count, batch=4.0, mean=mean),
}


def test_infinite_gradients_give_no_estimate_and_no_warning():
    """As at the steps that a loss scale skips, which are too many bits for float16."""
    infinite = [np.inf, np.inf]
    assert np.isnan(consecutive_estimates(infinite, infinite, 3)[1]).all()
    assert np.isnan(two_batch_estimates(infinite, infinite, 3, 6)).all()


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("count", [40, 200])
def test_noise_scale_interval_covers_as_stated(source, count):
    """In 92 to 98 % of 1,500 draws; where it is undetermined its lower bound must hold as well."""
    rng, trials = np.random.default_rng(7), 1500
    found = [noise_scale(*SOURCES[source](rng, count, MEAN)) for _ in range(trials)]
    covered = np.mean([each.low <= TRACE / MEAN_SQ <= each.high for each in found])
    assert 0.92 <= covered <= 0.98
    assert np.mean([each.determined for each in found]) > 0.5


@pytest.mark.parametrize("source", SOURCES)
def test_noise_scale_is_undetermined_without_a_mean_gradient(source):
    """A 95 % interval errs in 5 %, half of it on the positive side."""
    rng = np.random.default_rng(8)
    found = [noise_scale(*SOURCES[source](rng, 100, 0 * MEAN)) for _ in range(DRAWS)]
    undetermined = [each for each in found if not each.determined]
    assert len(undetermined) > 0.95 * DRAWS
    assert all(math.isnan(each.value) and math.isinf(each.high) for each in undetermined)
    assert {each.reason for each in undetermined} == {"the mean gradient is lost in the noise"}


def test_noise_scale_lower_bound_of_an_undetermined_one_holds():
    """A weak mean gradient: often undetermined, and then B_simple is above the bound in about 97.5 % of draws."""
    rng, mean = np.random.default_rng(9), MEAN / 8
    found = [noise_scale(*SOURCES["two batches"](rng, 100, mean)) for _ in range(DRAWS)]
    bounds = np.array([each.low for each in found if not each.determined])
    assert len(bounds) > 0.5 * DRAWS
    assert np.mean(bounds <= TRACE / sq(mean)) > 0.96
    assert np.mean(bounds > 0) > 0.9


def test_noise_scale_is_fieller_s_interval():
    """Against a search for the ratios that a Student test does not reject."""
    from scipy import stats

    rng = np.random.default_rng(10)
    gradient_sq, trace = rng.normal(2.0, 1.0, 100), rng.normal(50.0, 20.0, 100)
    found = noise_scale(gradient_sq, trace, confidence=0.9)
    ratios = np.linspace(0.5 * found.low, 1.5 * found.high, 20001)
    blocks = (trace - ratios[:, None] * gradient_sq).reshape(len(ratios), 20, 5).mean(axis=2)
    accepted = ratios[stats.ttest_1samp(blocks, 0.0, axis=1).pvalue >= 0.1]
    assert found.value == pytest.approx(trace.mean() / gradient_sq.mean())
    assert (found.low, found.high) == pytest.approx((accepted.min(), accepted.max()), rel=1e-3)


def test_noise_scale_widens_for_correlated_steps():
    """Independent steps repeated five times know no more than once."""
    rng = np.random.default_rng(11)
    gradient_sq, trace = SOURCES["two batches"](rng, 80, MEAN)
    once, repeated = noise_scale(gradient_sq, trace), noise_scale(np.repeat(gradient_sq, 5), np.repeat(trace, 5))
    assert repeated.high - repeated.low > 0.8 * (once.high - once.low)


@pytest.mark.parametrize("count", [0, 1, MIN_OBSERVATIONS - 1])
def test_noise_scale_of_few_observations_is_undetermined(count):
    found = noise_scale(np.full(count, 2.0), np.full(count, 8.0))
    assert (found.determined, found.observations) == (False, count)
    assert all(math.isnan(value) for value in (found.value, found.low, found.high))
    assert "of the 30 it takes" in found.reason
    assert count == 0 or (found.gradient_sq, found.trace_covariance) == (2.0, 8.0)


def test_noise_scale_without_noise_is_undetermined():
    found = noise_scale(np.ones(50), np.zeros(50))
    assert (found.determined, found.reason) == (False, "no noise is seen between gradients")


def test_noise_scale_of_a_negative_mean_square_is_undetermined():
    rng = np.random.default_rng(12)
    found = noise_scale(rng.normal(-2.0, 0.1, 100), rng.normal(64.0, 1.0, 100))
    assert (found.determined, found.high) == (False, math.inf)


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_noise_scale_names_a_wrong_confidence(confidence):
    with pytest.raises(ValueError, match=r"`confidence` must lie between 0 and 1, .*Received: confidence="):
        noise_scale([1.0], [1.0], confidence)


def test_noise_scale_names_different_lengths():
    with pytest.raises(ValueError, match="must be of one length"):
        noise_scale([1.0], [1.0, 2.0])
