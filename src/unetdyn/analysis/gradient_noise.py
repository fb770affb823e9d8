"""The gradient noise scale: how large a batch can be before it only averages what is known already."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_fraction
from unetdyn.analysis.result import Determinable, interval, number

Array = NDArray[np.float64]

CONFIDENCE = 0.95
_BLOCKS = 20  # more make the variance's estimate little better, and blocks shorter than the correlation
_SHORTEST = 5  # steps a block: observations of neighbouring pairs of steps share a gradient
MIN_OBSERVATIONS = 6 * _SHORTEST


@dataclass(frozen=True)
class NoiseScale(Determinable):
    """What a stretch of training says about its gradient noise.

    Attributes:
        trace_covariance: trΣ, the total variance over samples of one sample's gradient, as a mean over steps.
        gradient_sq: |G|², the squared norm of the mean gradient. An unbiased estimate, which can be negative.
        value: trΣ / |G|² in samples; NaN where undetermined.
        low: Lower end of the interval, in samples, ≥ 0; may be known where `value` is not. NaN where nothing is.
        high: Upper end; infinite where undetermined but for a lower bound.
        observations: How many steps, or pairs or cycles of steps, it was measured from.
        reason: Why it is undetermined; empty where it is determined.
    """

    trace_covariance: float
    gradient_sq: float
    value: float
    low: float
    high: float
    observations: int
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        value = self._if_determined(f"{number(self.value)} samples ({interval(self.low, self.high)})")
        at_least = f"; at least {number(self.low)} samples" if not self.determined and self.low > 0 else ""
        return [("noise scale", value + at_least), ("observations", str(self.observations))]


def two_batch_estimates(small_sq: Any, big_sq: Any, small_batch: Any, big_batch: Any) -> tuple[Array, Array]:
    """|G|² and trΣ from the squared norms of gradients of two batch sizes.

    |G|² ≈ (B_big |G_big|² − B_small |G_small|²) / (B_big − B_small),
    trΣ ≈ (|G_small|² − |G_big|²) / (1/B_small − 1/B_big).

    Both are unbiased, so they may be negative; average each of them over many steps before taking their ratio, see
    `noise_scale`. The best estimate comes from k small batches that together make up the big one: pass the mean of
    their |·|². If their sizes differ, and G_big is the plain mean of their gradients, pass the harmonic mean b of the
    sizes as `small_batch` and k b as `big_batch`: the estimate stays unbiased.

    Args:
        small_sq: |G_small|², any shape, ≥ 0.
        big_sq: |G_big|², the same shape.
        small_batch: B_small in samples, a number or an array.
        big_batch: B_big in samples, larger than B_small.

    Returns:
        |G|² and trΣ, float64 of that shape.

    Example:
        >>> gradient_sq, trace = two_batch_estimates(5.0, 2.0, small_batch=2, big_batch=8)
        >>> float(gradient_sq), float(trace)
        (1.0, 8.0)

    Reference:
        McCandlish, Kaplan, Amodei et al., An Empirical Model of Large-Batch Training (2018), appendix A.1.
    """
    small_sq, big_sq, small, big = (np.asarray(a, np.float64) for a in (small_sq, big_sq, small_batch, big_batch))
    with np.errstate(invalid="ignore"):  # infinite gradients differ by NaN
        return (big * big_sq - small * small_sq) / (big - small), (small_sq - big_sq) / (1 / small - 1 / big)


def consecutive_estimates(norm_sq: Any, dot: Any, batch_size: Any) -> tuple[Array, Array]:
    """|G|² and trΣ from the gradients of pairs of consecutive steps.

    |G|² ≈ G_t · G_{t+1},   trΣ ≈ B |G_t − G_{t+1}|² / 2 = B ((|G_t|² + |G_{t+1}|²) / 2 − G_t · G_{t+1}).

    Unbiased where both gradients are independent draws with one mean: the weights must hardly move between two steps.
    Where they move by plain gradient descent, w_{t+1} = w_t − η G_t on a loss with Hessian H,

        E[G_t · G_{t+1}] = |G|² − η (GᵀHG + tr(HΣ)/B),   E[trΣ estimate] = trΣ + η tr(HΣ) + η² B E|HG_t|² / 2:

    with positive curvature |G|² comes out too small and trΣ too large, so the noise scale too large, by a share of
    about η λ (1 + B_noise/B), λ the curvature along the gradients. Momentum μ multiplies the first term by up to
    1/(1 − μ). A batch drawn from what the one before has left over adds −trΣ/N, see `finite_population`.

    Args:
        norm_sq: `(steps,)`, |G_t|².
        dot: `(steps,)`, G_{t−1} · G_t; the first is not used.
        batch_size: Samples in each step's batch, a number or `(steps,)`. Of a pair the harmonic mean counts.

    Returns:
        |G|² and trΣ, `(steps − 1,)` float64.

    Example:
        >>> gradient_sq, trace = consecutive_estimates([2.0, 2.0, 2.0], [0.0, 0.0, 0.0], batch_size=3)
        >>> gradient_sq, trace
        (array([0., 0.]), array([6., 6.]))

    Reference:
        The difference of neighbours as a variance free of drift: von Neumann et al., The Mean Square Successive
        Difference (1941). Quantities as in McCandlish et al. (2018), appendix A.1.
    """
    norm_sq, dot = np.asarray(norm_sq, np.float64), np.asarray(dot, np.float64)[1:]
    inverse = 1 / np.broadcast_to(np.asarray(batch_size, np.float64), norm_sq.shape)
    with np.errstate(invalid="ignore"):  # infinite gradients differ by NaN
        return dot, ((norm_sq[:-1] + norm_sq[1:]) / 2 - dot) / ((inverse[:-1] + inverse[1:]) / 2)


def finite_population(gradient_sq: Any, trace_covariance: Any, samples: int) -> Array:
    """|G|² of the training set itself, where batches are drawn from it without replacement.

    Batches of one epoch share no sample, so their gradients' errors have the covariance −Σ/N (Σ normalised by N − 1),
    and a batch of B has the variance Σ (1/B − 1/N). In all of the estimates here this leaves trΣ unbiased and makes
    |G|² too small by trΣ/N, which is added. Without it, |G|² is that of the population that the training set was drawn
    from: E|G_set|² = |G_population|² + trΣ/N. The correction divides a noise scale B_noise by 1 + B_noise/N, so it
    matters from B_noise ≈ N/10 on.

    Args:
        gradient_sq: Estimates of |G|².
        trace_covariance: Estimates of trΣ, the same shape.
        samples: N, the number of samples in the training set, each of them seen once in each epoch.

    Returns:
        Estimates of |G|², the same shape.

    Example:
        >>> float(finite_population(-1.0, 300.0, samples=100))
        2.0

    Reference:
        Cochran, Sampling Techniques, 3rd edition (1977), theorem 2.2.
    """
    return np.asarray(gradient_sq, np.float64) + np.asarray(trace_covariance, np.float64) / samples


def noise_scale(
    gradient_sq: Sequence[float] | Array, trace_covariance: Sequence[float] | Array, confidence: float = CONFIDENCE
) -> NoiseScale:
    """B_simple = trΣ / |G|², each averaged over steps first, with a confidence interval.

    The interval is Fieller's for a ratio of means: all ρ with (s̄ − ρḡ)² ≤ t² (V_ss − 2ρ V_sg + ρ² V_gg), s̄ and ḡ the
    means of trΣ and |G|². It is unbounded where ḡ is not clearly above zero: then the value is undetermined, and only a
    lower bound is known. V comes from the means of consecutive blocks of steps (up to 20, of 5 steps at least), so it
    allows for correlation between neighbouring steps; t is Student's quantile for the number of blocks. A trend within
    the window widens the interval. A bias of the estimates that go in stays in the result.

    The critical batch size is about B_simple: at this batch training takes about twice the fewest possible steps and
    twice the fewest samples. That holds where the Hessian is well conditioned, else B_noise = tr(HΣ)/(GᵀHG) is what
    counts; the paper found the two to differ by small factors which change little during training.

    Args:
        gradient_sq: `(n,)` estimates of |G|² in the order of training, finite.
        trace_covariance: `(n,)` estimates of trΣ of the same steps, finite.
        confidence: Of the interval, between 0 and 1; 0.95 by custom.

    Returns:
        The noise scale in samples, or why it is undetermined: fewer than 30 observations, or no interval.

    Raises:
        ValueError: If the arguments have different lengths, or `confidence` is out of range.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> found = noise_scale(rng.normal(2.0, 0.1, 100), rng.normal(64.0, 1.0, 100))
        >>> round(found.value), found.low < 32 < found.high
        (32, True)
        >>> print(found)
        noise scale   31.8 samples (31.5 to 32.2)
        observations  100
        >>> noise_scale(rng.normal(0.0, 0.1, 100), rng.normal(64.0, 1.0, 100)).determined
        False

    Reference:
        McCandlish et al. (2018), section 2 and appendix A.1; Fieller, Some Problems in Interval Estimation (1954);
        block means: Law, Simulation Modeling and Analysis, 5th edition (2015), section 9.5.3.
    """
    check_fraction("confidence", confidence)
    count = len(gradient_sq)
    if len(trace_covariance) != count:
        raise ValueError(
            "`gradient_sq` and `trace_covariance` must be of one length, estimates of the same steps. "
            f"Received: {count} and {len(trace_covariance)}."
        )
    series = np.array([trace_covariance, gradient_sq], np.float64)
    trace, gradient = series.mean(axis=1).tolist() if count else (math.nan, math.nan)
    if count < MIN_OBSERVATIONS:
        reason = f"{count} observations, of the {MIN_OBSERVATIONS} it takes at least"
        return NoiseScale(trace, gradient, math.nan, math.nan, math.nan, count, reason)
    covariance, quantile = _covariance_of_mean(series, confidence)
    low, high = _fieller(trace, gradient, (covariance * quantile**2).tolist())
    if trace <= 0 or high <= 0:
        return NoiseScale(trace, gradient, math.nan, math.nan, math.nan, count, "no noise is seen between gradients")
    if math.isinf(high):
        return NoiseScale(trace, gradient, math.nan, low, high, count, "the mean gradient is lost in the noise")
    return NoiseScale(trace, gradient, trace / gradient, max(low, 0.0), high, count)


def _covariance_of_mean(series: Array, confidence: float) -> tuple[Array, float]:
    """Covariance of the means of `(2, n)` correlated series, from means of blocks; Student's two-sided quantile."""
    from scipy.special import stdtrit

    count = series.shape[1]
    length = max(_SHORTEST, count // _BLOCKS)
    blocks = count // length
    means = series[:, count - blocks * length :].reshape(2, blocks, length).mean(axis=2)
    return np.cov(means) / blocks, float(stdtrit(blocks - 1, (1 + confidence) / 2))


def _fieller(trace: float, gradient: float, spread: list[list[float]]) -> tuple[float, float]:
    """Ends of {ρ: aρ² − 2bρ + c ≤ 0}; `(lower bound, inf)` where it is unbounded, the bound 0 where there is none."""
    a, b, c = gradient**2 - spread[1][1], trace * gradient - spread[0][1], trace**2 - spread[0][0]
    root = math.sqrt(max(b * b - a * c, 0.0))
    if a > 0 and gradient > 0:
        return (b - root) / a, (b + root) / a
    if a < 0 < c and trace > 0:
        return (b - root) / a, math.inf
    return 0.0, math.inf
