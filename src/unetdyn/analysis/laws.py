"""Rules of proportion for momentum, learning rate, batch size and warm-up, each with what it is worth.

A proportionality gives no value, only a ratio: so these functions take the set-up in use and the new one. None of them
replaces a search; where one is known to be wrong it says so. The scaling of the learning rate with the batch size is
`scale_learning_rate`, and what a step's noise becomes by it `update_variance_ratio`.
"""

import math
from typing import Literal

from unetdyn._checks import check_choice, check_count, check_positive, check_range

_METHODS = ("nesterov", "heavy ball")


def optimal_momentum(condition_number: float, method: Literal["nesterov", "heavy ball"] = "nesterov") -> float:
    """The momentum with which gradient descent goes down a quadratic fastest at the rate that is given. With κ its
    condition number:

    `"nesterov"`: (√κ − 1) / (√κ + 1), with the learning rate 1 / L, L the largest curvature. The error shrinks by
    1 − 1 / √κ a step.

    `"heavy ball"`: ((√κ − 1) / (√κ + 1))², with the learning rate 4 / (√L + √μ)², μ the smallest curvature. The error
    shrinks by (√κ − 1) / (√κ + 1) a step.

    The studies (docs/studies.md) give the first formula without saying for which: it is Nesterov's momentum. For
    classical momentum (heavy ball) it is not the momentum but the rate; taken as momentum it is too large.

    What it is worth: exact for a quadratic of known κ and gradients without noise. A network is neither: κ is unknown,
    1,000 and more, and for all such κ the answer is between 0.88 and 1. With noise the gain shrinks, and 0.9 is as good
    a start.

    Args:
        condition_number: κ = L / μ, ≥ 1.
        method: `"nesterov"` (default, the formula of the studies) or `"heavy ball"` (`keras.optimizers.SGD` with
            `momentum` and without `nesterov=True`).

    Returns:
        The momentum, from 0 to less than 1.

    Raises:
        ValueError: If κ is below 1 or the method unknown.

    Example:
        >>> optimal_momentum(100), round(optimal_momentum(100, "heavy ball"), 4)
        (0.8181818181818182, 0.6694)

    Reference:
        Polyak, Some methods of speeding up the convergence of iteration methods (1964), for the heavy ball; Nesterov,
        Introductory lectures on convex optimization (2004), section 2.2, for his; both in Lessard, Recht and Packard,
        Analysis and design of optimization algorithms via integral quadratic constraints (2016), proposition 1.
    """
    check_range("condition_number", condition_number, 1)
    check_choice("method", method, _METHODS)
    root = math.sqrt(condition_number)
    ratio = (root - 1) / (root + 1)
    return ratio if method == "nesterov" else ratio**2


def learning_rate_for_noise_and_curvature(
    lr: float, variance: float, curvature: float, new_variance: float, new_curvature: float
) -> float:
    """The learning rate by η ∝ 1 / √(variance · curvature): η₂ = η₁ √(v₁ c₁ / (v₂ c₂)).

    What it is worth: the direction, and no more: less where gradients are noisier or the loss bends more. The exponent
    is no law. It does not even keep its own unit: a loss multiplied by 4 needs a quarter of the rate to take the same
    steps; its gradients' variance grows 16 times and its curvature 4 times, and the rule gives an eighth. On a noisy
    quadratic the best step is c w² / (c² w² + v), w the distance from the minimum: 1 / c where noise is small, c w² / v
    where it is large.

    Args:
        lr: The learning rate in use, > 0.
        variance: Of the gradients in use, > 0, in any unit.
        curvature: Of the loss in use, > 0, in any unit; such as the largest eigenvalue of the Hessian.
        new_variance: The variance after, in the same unit.
        new_curvature: The curvature after, in the same unit.

    Returns:
        The learning rate.

    Raises:
        ValueError: If an argument is not positive.

    Example:
        >>> learning_rate_for_noise_and_curvature(1e-3, 1.0, 1.0, new_variance=2.0, new_curvature=8.0)
        0.00025

    Reference:
        The studies (docs/studies.md), without derivation. The best step on a noisy quadratic: Schaul, Zhang and LeCun,
        No more pesky learning rates (2013).
    """
    _check_positive(lr=lr, variance=variance, curvature=curvature)
    _check_positive(new_variance=new_variance, new_curvature=new_curvature)
    return lr * math.sqrt(variance / new_variance * (curvature / new_curvature))


def learning_rate_for_size(lr: float, samples: int, parameters: int, new_samples: int, new_parameters: int) -> float:
    """The learning rate by η ∝ √(data / parameters): η₂ = η₁ √(N₂ / N₁ · P₁ / P₂).

    What it is worth: the half with the parameters agrees with theory where a network gets wider and Adam trains it:
    the rate of hidden layers then goes with 1 / width, and their parameters with width². For deeper networks nothing
    of the kind holds. For the half with the data we know of no support: what keeps a step stable is the curvature, and
    the number of images does not enter it.

    Args:
        lr: The learning rate in use, > 0.
        samples: Training images (or tiles) in use, ≥ 1.
        parameters: Weights of the network in use, ≥ 1.
        new_samples: Training images after, ≥ 1.
        new_parameters: Weights of the network after, ≥ 1.

    Returns:
        The learning rate.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> learning_rate_for_size(1e-3, samples=200, parameters=1_000_000, new_samples=200, new_parameters=4_000_000)
        0.0005

    Reference:
        The studies (docs/studies.md), without derivation. Width and rate: Yang et al., Tensor programs V: tuning large
        neural networks via zero-shot hyperparameter transfer (2022), table 3.
    """
    check_positive("lr", lr)
    check_count("samples", samples, least=1, unit="samples")
    check_count("parameters", parameters, least=1, unit="weights")
    check_count("new_samples", new_samples, least=1, unit="samples")
    check_count("new_parameters", new_parameters, least=1, unit="weights")
    return lr * math.sqrt(new_samples / samples * (parameters / new_parameters))


def batch_size_for_data(batch_size: int, samples: int, new_samples: int, limit: int) -> int:
    """The batch size by B ∝ min(√data, limit): B₂ = min(B₁ √(N₂ / N₁), limit), rounded, at least 1.

    What it is worth: the limit is real, the root is not. The batch from which on larger ones save no steps is the
    gradient's noise scale, tr Σ / |∇L|²: it grows as the loss falls and does not depend on how many images there are.
    `callbacks.NoiseScaleMonitor` measures it.

    Args:
        batch_size: The batch size in use, ≥ 1.
        samples: Training images (or tiles) in use, ≥ 1.
        new_samples: Training images after, ≥ 1.
        limit: The largest batch that the memory holds, ≥ 1.

    Returns:
        The batch size.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> batch_size_for_data(8, samples=144, new_samples=1980, limit=64)
        30
        >>> batch_size_for_data(8, samples=144, new_samples=1980, limit=16)
        16

    Reference:
        The studies (docs/studies.md), without derivation. The noise scale: McCandlish et al., An empirical model of
        large-batch training (2018).
    """
    check_count("batch_size", batch_size, least=1, unit="samples")
    check_count("samples", samples, least=1, unit="samples")
    check_count("new_samples", new_samples, least=1, unit="samples")
    check_count("limit", limit, least=1, unit="samples")
    return min(max(round(batch_size * math.sqrt(new_samples / samples)), 1), int(limit))


def warmup_epochs(batch_size: int) -> float:
    """How long a warm-up should be, by T ≈ ln(batch size), in epochs.

    What it is worth: an order of magnitude. For 8,192 it gives 9 epochs, where 5 were enough in the work that the
    habit comes from. Nothing ties the length to a logarithm, nor to epochs: what a
    warm-up waits for is counted in steps. For Adam 2 / (1 − β₂) of them (2,000 for 0.999) do as well as any; in small
    data sets that is many epochs. The studies name no base; with the logarithm to base 2 it is 1.44 times as long.

    Args:
        batch_size: Samples in a batch, ≥ 1.

    Returns:
        Epochs, ≥ 0, not rounded; 0 for a batch of one.

    Raises:
        ValueError: If the batch size is no whole number of at least 1.

    Example:
        >>> round(warmup_epochs(16), 2), round(warmup_epochs(8192), 2)
        (2.77, 9.01)

    Reference:
        The studies (docs/studies.md), without derivation. Five epochs: Goyal et al., Accurate, large minibatch SGD
        (2017), section 2.2; steps for Adam: Ma and Yarats, On the adequacy of untuned warmup for adaptive optimization
        (2021).
    """
    check_count("batch_size", batch_size, least=1, unit="samples")
    return math.log(batch_size)


def batch_gradient_variance(variance: float, batch_size: int) -> float:
    """The variance of a batch's mean gradient: σ² / B.

    Its standard error is the root, σ / √B: in one place the studies (docs/studies.md) have the variance itself go with
    1 / √B, which is this root. Twice the batch halves the variance, and the error shrinks by 1.41.

    What it is worth: exact for samples that are drawn independently. Tiles of one section are alike, so that a batch of
    them tells less. Batches without replacement, as `fit` makes them, have (N − B) / (N − 1) of it.

    Args:
        variance: σ², the variance over samples of the gradient, ≥ 0: of one weight, or summed over all.
        batch_size: B, samples in a batch, ≥ 1.

    Returns:
        The variance, in the unit of `variance`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> batch_gradient_variance(2.0, 16)
        0.125

    Reference:
        The variance of a mean; for gradients: Bottou, Curtis and Nocedal, Optimization methods for large-scale machine
        learning (2018), section 4.2.
    """
    check_range("variance", variance, 0)
    check_count("batch_size", batch_size, least=1, unit="samples")
    return variance / batch_size


def statistical_power_ratio(samples: int, new_samples: int) -> float:
    """How many times smaller a larger validation set makes the standard error of its mean: √(N₂ / N₁).

    The studies (docs/studies.md) call it statistical power; in the language of tests it is precision, and power follows
    from it (`anova_power`). Their 14 and 200 validation tiles give 3.78.

    What it is worth: exact for independent samples. Tiles of one section, or sections that are neighbours, are not:
    count sections, or better volumes, and not tiles.

    Args:
        samples: Validation samples before, ≥ 1.
        new_samples: Validation samples after, ≥ 1.

    Returns:
        The ratio: above 1 where the estimates became more precise.

    Raises:
        ValueError: If an argument is no whole number of at least 1.

    Example:
        >>> round(statistical_power_ratio(14, 200), 2)
        3.78

    Reference:
        The standard error of a mean, σ / √N.
    """
    check_count("samples", samples, least=1, unit="samples")
    check_count("new_samples", new_samples, least=1, unit="samples")
    return math.sqrt(new_samples / samples)


def _check_positive(**arguments: float) -> None:
    for name, value in arguments.items():
        check_positive(name, value)
