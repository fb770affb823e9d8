"""Schedules that Keras has: its own objects, made from the arguments that formulas and papers give."""

import math

from keras.optimizers.schedules import CosineDecay, ExponentialDecay, InverseTimeDecay

from unetdyn._checks import check_count, check_fraction, check_positive
from unetdyn.schedules.steps import check_steps


def exponential_decay(initial_learning_rate: float, decay_rate: float) -> ExponentialDecay:
    """η₀ · e^(−λt): Keras' `ExponentialDecay` to the base 1 / e with 1 / λ steps.

    `ExponentialDecay(η₀, 1, e^(−λ))` says the same in other words, but e^(−λ) is rounded to float32 before it is raised
    to the power t: at λ = 1e-3 that is forty times less exact.

    Args:
        initial_learning_rate: η₀.
        decay_rate: λ > 0, a step: the rate halves every ln 2 / λ steps.

    Raises:
        ValueError: If an argument is not above 0.

    Example:
        >>> rate = exponential_decay(1.0, decay_rate=math.log(2) / 10)  # halves every 10 steps
        >>> [round(float(rate(step)), 6) for step in (0, 10, 20)]
        [1.0, 0.5, 0.25]
    """
    check_positive("initial_learning_rate", initial_learning_rate)
    check_positive("decay_rate", decay_rate)
    return ExponentialDecay(float(initial_learning_rate), 1 / float(decay_rate), math.exp(-1))


def inverse_time_decay(initial_learning_rate: float, decay_rate: float) -> InverseTimeDecay:
    """η₀ / (1 + λt): Keras' `InverseTimeDecay` with one decay step.

    Args:
        initial_learning_rate: η₀.
        decay_rate: λ > 0, a step: the rate is half of η₀ after 1 / λ steps.

    Raises:
        ValueError: If an argument is not above 0.

    Example:
        >>> rate = inverse_time_decay(1.0, decay_rate=0.1)
        >>> [round(float(rate(step)), 6) for step in (0, 10, 90)]
        [1.0, 0.5, 0.1]
    """
    check_positive("initial_learning_rate", initial_learning_rate)
    check_positive("decay_rate", decay_rate)
    return InverseTimeDecay(float(initial_learning_rate), 1, float(decay_rate))


def cosine(initial_learning_rate: float, total_steps: int, floor: float = 0.0) -> CosineDecay:
    """η_min + (η₀ − η_min) · (1 + cos(πt / T)) / 2, and η_min afterwards: Keras' `CosineDecay`.

    Args:
        initial_learning_rate: η₀.
        total_steps: T; see `count_steps`.
        floor: η_min / η₀, in [0, 1). Default 0.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> rate = cosine(1.0, total_steps=10, floor=0.2)
        >>> [round(float(rate(step)), 6) for step in (0, 5, 10, 11)]
        [1.0, 0.6, 0.2, 0.2]

    Reference:
        Loshchilov & Hutter (2017), SGDR, equation 5, without restarts.
    """
    check_positive("initial_learning_rate", initial_learning_rate)
    check_steps("total_steps", total_steps)
    check_fraction("floor", floor, zero=True)
    return CosineDecay(float(initial_learning_rate), int(total_steps), alpha=float(floor))


def warmup_cosine(max_lr: float, total_steps: int, warmup_steps: int | None = None, floor: float = 0.03) -> CosineDecay:
    """A linear rise from 0, then half a cosine to a floor: Keras' `CosineDecay` with its warm-up.

    The studies call it BERT's schedule; BERT's own paper rises in the same way, and falls in a straight line.

    Args:
        max_lr: The largest rate, at the step `warmup_steps`.
        total_steps: Steps of the whole training, the warm-up included; see `count_steps`.
        warmup_steps: Below `total_steps`. Default: a tenth of `total_steps`, as the studies and BERT's code for
            fine-tuning have it; its pre-training has a hundredth.
        floor: The last rate over `max_lr`, in [0, 1). Default 0.03, the studies'.

    Raises:
        ValueError: If an argument is out of its range.

    Example:
        >>> rate = warmup_cosine(1.0, total_steps=100)
        >>> [round(float(rate(step)), 6) for step in (0, 5, 10, 55, 100)]
        [0.0, 0.5, 1.0, 0.515, 0.03]

    Reference:
        Devlin et al. (2019), BERT, appendix A.2, for the warm-up; Loshchilov & Hutter (2017), SGDR, for the fall.
    """
    check_positive("max_lr", max_lr)
    check_steps("total_steps", total_steps, 2)
    if warmup_steps is None:
        warmup_steps = max(1, round(total_steps / 10))
    check_count("warmup_steps", warmup_steps, 1, "steps", "less than `total_steps`", most=total_steps - 1)
    check_fraction("floor", floor, zero=True)
    return CosineDecay(
        0.0,
        int(total_steps - warmup_steps),
        alpha=float(floor),
        warmup_target=float(max_lr),
        warmup_steps=int(warmup_steps),
    )
