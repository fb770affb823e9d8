"""The noise that a step of SGD puts into the weights, what a change of its settings buys, and rules that go with it."""

import math
from dataclasses import dataclass
from typing import Literal

from unetdyn._checks import check_choice, check_count, check_positive, check_range
from unetdyn.analysis.result import Result, number

_ROUNDING = 1e-12  # 1.1 / 0.1 is 11.000000000000002, and eleven epochs are enough


@dataclass(frozen=True)
class UpdateVarianceRatio(Result):
    """What `update_variance_ratio` found: how many times smaller the noise of a step became.

    Attributes:
        lr: The learning rate before.
        new_lr: The learning rate after.
        batch_size: The batch size before.
        new_batch_size: The batch size after.
        from_lr: The part of the learning rate, (lr / new_lr)².
        from_batch_size: The part of the batch size, new_batch_size / batch_size.
        total: The product; above 1 the steps became calmer, below 1 noisier.
    """

    lr: float
    new_lr: float
    batch_size: int
    new_batch_size: int
    from_lr: float
    from_batch_size: float
    total: float

    def _rows(self) -> list[tuple[str, str]]:
        return [
            (f"learning rate {self.lr:g} → {self.new_lr:g}", _times(self.from_lr)),
            (f"batch size {self.batch_size} → {self.new_batch_size}", _times(self.from_batch_size)),
            ("both", _times(self.total)),
        ]


def update_variance(lr: float, batch_size: int, grad_variance: float) -> float:
    """The variance that the choice of a batch puts into one step of plain SGD.

    Var(Δw) = lr² · σ² / B, because Δw = −lr · (mean of B gradients).

    It assumes that the samples of a batch are drawn independently. For a batch drawn without replacement from N samples
    it is smaller by (N − B) / (N − 1), which is close to 1 while the batch is a small part of the data. It assumes no
    momentum. With momentum μ, v ← μ v − lr · g and w ← w + v, one step's variance settles at 1 / (1 − μ²) times this
    (5.3 times for 0.9); but the steps then agree with each other, and over many steps the variance grows by
    1 / (1 − μ)² times this for each step (100 times), as plain SGD with the effective learning rate lr / (1 − μ) would
    have it. Adam divides by the gradient's own size, so that the formula does not hold for it.

    Args:
        lr: The learning rate, ≥ 0.
        batch_size: Samples in a batch, ≥ 1.
        grad_variance: σ², the variance over *samples* of the gradient, ≥ 0: of one weight, which gives that weight's
            variance; or summed over all weights (the trace of the covariance, which `callbacks.NoiseScaleMonitor`
            logs), which gives the expected squared length of the step's noise.

    Returns:
        The variance, in the squared unit of the weights.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> update_variance(lr=0.01, batch_size=8, grad_variance=2.0)
        2.5e-05

    Reference:
        Smith and Le, A Bayesian perspective on generalization and stochastic gradient descent (2018), for the noise of
        SGD with batch size and momentum.
    """
    check_range("lr", lr, 0)
    check_count("batch_size", batch_size, least=1, unit="samples")
    check_range("grad_variance", grad_variance, 0)
    return lr**2 * grad_variance / batch_size


def update_variance_ratio(
    lr: float, new_lr: float, batch_size: int = 1, new_batch_size: int | None = None
) -> UpdateVarianceRatio:
    """How many times smaller a change of learning rate and batch size makes the variance of a step.

    `update_variance` before over `update_variance` after: (lr / new_lr)² · new_batch_size / batch_size. The gradient's
    variance cancels: it is taken at the same weights.

    Args:
        lr: The learning rate before, > 0.
        new_lr: The learning rate after, > 0.
        batch_size: Samples in a batch before, ≥ 1. Default 1, for a change of the learning rate alone.
        new_batch_size: Samples in a batch after, ≥ 1. Default None: as before.

    Returns:
        An `UpdateVarianceRatio`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> print(update_variance_ratio(lr=1e-2, new_lr=1e-3, batch_size=8, new_batch_size=16))
        learning rate 0.01 → 0.001  variance of a step 100 times smaller
        batch size 8 → 16           variance of a step 2 times smaller
        both                        variance of a step 200 times smaller
    """
    new_batch_size = batch_size if new_batch_size is None else new_batch_size
    check_positive("lr", lr)
    check_positive("new_lr", new_lr)
    check_count("batch_size", batch_size, least=1, unit="samples")
    check_count("new_batch_size", new_batch_size, least=1, unit="samples")
    from_lr, from_batch_size = (lr / new_lr) ** 2, new_batch_size / batch_size
    return UpdateVarianceRatio(
        lr, new_lr, batch_size, new_batch_size, from_lr, from_batch_size, from_lr * from_batch_size
    )


def scale_learning_rate(
    lr: float, batch_size: int, new_batch_size: int, rule: Literal["linear", "sqrt"] = "linear"
) -> float:
    """The learning rate for another batch size, by a rule of thumb. With k = new_batch_size / batch_size:

    `"linear"`: lr · k. For SGD with or without momentum: one step then goes about as far as k steps did, over the same
    samples. It fails when the batch is large or the weights move fast, so it is used with a warm-up at the start.

    `"sqrt"`: lr · sqrt(k). For SGD it keeps `update_variance` as it was. It is also the rule for Adam and RMSprop,
    where the other settings move along: 1 − β₁ and 1 − β₂ times k, and ε over sqrt(k).

    Args:
        lr: The learning rate in use, > 0.
        batch_size: The batch size in use, ≥ 1.
        new_batch_size: The batch size wanted, ≥ 1.
        rule: `"linear"` (default, the usual choice for SGD) or `"sqrt"`.

    Returns:
        The learning rate. Both rules are a place to begin the search, and no promise.

    Raises:
        ValueError: If an argument is out of range, or the rule unknown.

    Example:
        >>> scale_learning_rate(0.1, 256, 8192), scale_learning_rate(0.001, 8, 32, rule="sqrt")
        (3.2, 0.002)

    Reference:
        Linear: Goyal et al., Accurate, large minibatch SGD: training ImageNet in 1 hour (2017). Square root, by the
        variance: Krizhevsky, One weird trick for parallelizing convolutional neural networks (2014); for Adam and
        RMSprop: Malladi et al., On the SDEs and scaling rules for adaptive gradient algorithms (2022).
    """
    check_positive("lr", lr)
    check_count("batch_size", batch_size, least=1, unit="samples")
    check_count("new_batch_size", new_batch_size, least=1, unit="samples")
    check_choice("rule", rule, ["linear", "sqrt"])
    factor = new_batch_size / batch_size
    return lr * (factor if rule == "linear" else math.sqrt(factor))


def patience(plateau_seconds: float, epoch_seconds: float) -> int:
    """The `patience` for `keras.callbacks.EarlyStopping` that sits out a plateau of a given time.

    patience = ⌈T_plateau / T_epoch⌉.

    Args:
        plateau_seconds: The longest time without an improvement that is worth waiting through, > 0, in seconds.
        epoch_seconds: How long an epoch takes, > 0, in seconds.

    Returns:
        A number of epochs, ≥ 1. A ratio that is whole but for rounding is not rounded up.

    Raises:
        ValueError: If an argument is not positive.

    Example:
        >>> patience(plateau_seconds=600, epoch_seconds=45)
        14
    """
    check_positive("plateau_seconds", plateau_seconds)
    check_positive("epoch_seconds", epoch_seconds)
    return max(math.ceil(plateau_seconds / epoch_seconds * (1 - _ROUNDING)), 1)


def _times(factor: float) -> str:
    # The ratio of 1e-2 and 1e-3, squared, is 100 only up to rounding.
    if math.isclose(factor, 1, rel_tol=_ROUNDING):
        return "variance of a step unchanged"
    word, shown = ("smaller", factor) if factor > 1 else ("larger", 1 / factor)
    return f"variance of a step {number(shown)} times {word}"
