"""Counts that stay exact past 2³¹ on every backend, kept as two float32 limbs.

A float32 sum stops counting at 2²⁴, an int32 sum wraps at 2³¹, and JAX has no int64 unless asked for it. So a total
is kept as `high · 2²⁰ + low`. Both limbs hold whole numbers below 2²⁴, which float32 adds without rounding, up to a
total of 2⁴⁴ (1.7·10¹³ pixels). float32 and not int32, because TensorFlow keeps int32 variables off the accelerator.

Numbers meet tensors by operators here and in the other files of this room, or by `constants`, which says why.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

Tensor = Any

LIMB = 2**20
"""What one unit of the high limb is worth."""


def limbs_of_sum(counts: Tensor) -> Tensor:
    """The sum over the first axis, as limbs.

    Args:
        counts: Whole numbers as int32, `(images, ...)`, each at least 0 and below 2³¹. There are fewer than 2048 of
            them, or their sum is below 2³¹.

    Returns:
        High limb and low limb as float32, `(2, ...)`.
    """
    low = ops.sum(counts % LIMB, axis=0)
    high = ops.sum(counts // LIMB, axis=0) + low // LIMB
    return ops.cast(ops.stack([high, low % LIMB]), "float32")


def limbs_of(counts: Tensor) -> Tensor:
    """Whole numbers from 0 to 2³¹, int32 `(...)`, as limbs, float32 `(2, ...)`."""
    return ops.cast(ops.stack([counts // LIMB, counts % LIMB]), "float32")


def weighted(limbs: Tensor, weights: Sequence[int]) -> Tensor:
    """A sum of several totals, each by a small whole weight.

    Args:
        limbs: Totals, `(2, ..., totals, scores)`.
        weights: One for each total, 0 or more.

    Returns:
        Limbs, `(2, ..., scores)`; exact where the sum is below 2⁴⁴.
    """
    high_and_low = sum(weight * limbs[..., place, :] for place, weight in enumerate(weights) if weight)
    return _carried(high_and_low[0], high_and_low[1])


def limbs_of_real(total: Tensor) -> Tensor:
    """A real total, at least 0, as limbs: `(...)` to float32 `(2, ...)`; the low limb keeps the fraction."""
    high = ops.floor(total / LIMB)
    return ops.stack([high, total - high * LIMB])


def add(total: Tensor, limbs: Tensor) -> Tensor:
    """The sum of two totals in limbs, its low limb carried over so that it never grows past 2²⁰."""
    return _carried(total[0] + limbs[0], total[1] + limbs[1])


def _carried(high: Tensor, low: Tensor) -> Tensor:
    carry = ops.floor(low / LIMB)
    return ops.stack([high + carry, low - carry * LIMB])


def to_float(limbs: Tensor) -> Tensor:
    """The total rounded to float32, its relative error below 2⁻²³: `(2, ...)` to `(...)`."""
    return limbs[0] * LIMB + limbs[1]


def to_integers(limbs: Tensor) -> np.ndarray:
    """The exact total on the host, as int64: `(2, ...)` to `(...)`."""
    high, low = np.asarray(keras.ops.convert_to_numpy(limbs), dtype="int64")
    return high * LIMB + low
