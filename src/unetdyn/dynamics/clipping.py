"""The arithmetic of adaptive clipping: percentiles and averages of past norms, and norms of the units of a weight."""

from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any


def clip_coefficient(norm: Tensor, limit: Tensor) -> Tensor:
    """What a gradient is multiplied by so that its norm is at most `limit`: min(1, limit / norm).

    Args:
        norm: Non-negative float tensor of any shape.
        limit: Non-negative, of a shape that broadcasts with `norm`.

    Returns:
        A tensor in [0, 1]. 1 where `norm` is NaN. 0 where it is infinite, also when finite entries above about 1e19
        overflow float32.

    Example:
        >>> [float(clip_coefficient(ops.array(norm), 2.0)) for norm in (1.0, 4.0, 0.0)]
        [1.0, 0.5, 1.0]
    """
    above = norm > limit
    return ops.where(above, limit / ops.where(above, norm, ops.ones_like(norm)), ops.ones_like(norm))


def remember(history: Tensor, count: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """Put `value` into a ring of past values, over the oldest where it is full; a value that is not finite is left out.

    Args:
        history: `(capacity,)` float32.
        count: Integer scalar, how many values were ever put in.
        value: Scalar.

    Returns:
        The ring and the count after it.

    Example:
        >>> history, count = remember(ops.zeros(2), ops.array(0), 3.0)
        >>> history, count = remember(history, count, float("nan"))
        >>> [float(v) for v in history], int(count)
        ([3.0, 0.0], 1)
    """
    capacity = history.shape[0]
    value = ops.cast(value, history.dtype)
    finite = ops.isfinite(value)
    places = ops.arange(capacity, dtype=count.dtype)
    here = ops.logical_and(ops.equal(places, count % capacity), finite)
    return ops.where(here, value, history), count + ops.cast(finite, count.dtype)


def percentile(history: Tensor, count: Tensor, q: float) -> Tensor:
    """The `q`-th percentile of a ring of past values, interpolated linearly as `np.percentile` does by default.

    With the n values sorted it is the value at position q / 100 · (n − 1), between two of them by their weighted mean.

    Args:
        history: `(capacity,)` float32, filled by `remember`.
        count: Integer scalar, how many values were ever put in.
        q: In [0, 100].

    Returns:
        A scalar; infinity where nothing has been put in.

    Example:
        >>> history, count = ops.array([4.0, 1.0, 3.0, 0.0]), ops.array(3)
        >>> float(percentile(history, count, 25))
        2.0
    """
    capacity = history.shape[0]
    filled = ops.minimum(count, capacity)
    places = ops.arange(capacity, dtype=filled.dtype)
    ordered = ops.sort(ops.where(places < filled, history, float("inf")))
    last = ops.maximum(filled - 1, 0)
    position = ops.cast(last, "float32") * (q / 100)
    below = ops.cast(ops.floor(position), last.dtype)
    low, high = ops.take(ordered, below), ops.take(ordered, ops.minimum(below + 1, last))
    fraction = position - ops.floor(position)
    return ops.where(fraction > 0, low + (high - low) * fraction, low)


def average(total: Tensor, weight: Tensor) -> Tensor:
    """A running average, from what `add_to_average` keeps; infinity where nothing has been put in.

    Args:
        total: Scalar, the weighted sum of the values.
        weight: Scalar, the sum of the weights.

    Example:
        >>> float(average(ops.array(6.0), ops.array(2.0))), float(average(ops.array(0.0), ops.array(0.0)))
        (3.0, inf)
    """
    empty = ops.equal(weight, 0)
    return ops.where(empty, float("inf"), total / ops.where(empty, ops.ones_like(weight), weight))


def add_to_average(total: Tensor, weight: Tensor, value: Tensor, decay: float) -> tuple[Tensor, Tensor]:
    """Put `value` into a running average that forgets exponentially; a value that is not finite is left out.

    The k-th latest value has the weight decayᵏ. Kept as two sums, whose quotient is corrected for the beginning as
    Adam's moments are: it is the value itself after the first one.

    Args:
        total: Float32 scalar, the weighted sum so far; 0 at the beginning.
        weight: Float32 scalar, the sum of the weights so far; 0 at the beginning.
        value: Scalar.
        decay: In [0, 1]; 1 makes it the mean of all.

    Returns:
        Both sums after it.

    Example:
        >>> sums = add_to_average(ops.array(0.0), ops.array(0.0), ops.array(4.0), 0.5)
        >>> sums = add_to_average(*sums, ops.array(1.0), 0.5)
        >>> float(average(*sums))  # (0.5 · 4 + 1) / (0.5 + 1)
        2.0
    """
    finite = ops.isfinite(value)
    value = ops.where(finite, value, ops.zeros_like(value))
    return ops.where(finite, decay * total + value, total), ops.where(finite, decay * weight + 1.0, weight)


def unit_factors(
    gradient: Tensor, weight: Tensor, axes: Sequence[int], clipping: float | Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """Adaptive gradient clipping: min(1, λ · max(‖Wᵢ‖, ε) / ‖Gᵢ‖) for each unit i of a weight, by which Gᵢ is scaled.

    Args:
        gradient: Of any shape and float type.
        weight: Of the same shape.
        axes: What a unit's norm is summed over; see `weight_kinds.unit_axes`.
        clipping: λ, the largest ratio of the norms that is left alone; a number or a float32 scalar.
        eps: ε, the least norm a unit counts with, so that one that starts from zero can grow.

    Returns:
        The factors, float32, of the gradient's shape with 1 along `axes`; and how many units are clipped, a float32
        scalar.

    Example:
        >>> weight = ops.array([[3.0, 0.0], [4.0, 0.0]])
        >>> factors, units = unit_factors(ops.ones((2, 2)), weight, (0,), 0.5, 1e-3)
        >>> [round(float(factor), 5) for factor in factors[0]], float(units)
        ([1.0, 0.00035], 1.0)

    Reference:
        Brock et al. (2021), High-Performance Large-Scale Image Recognition Without Normalization, equation 3.
    """
    limit = clipping * ops.maximum(_norms(weight, axes), eps)
    norm = _norms(gradient, axes)
    return clip_coefficient(norm, limit), ops.sum(ops.cast(norm > limit, "float32"))


def _norms(tensor: Tensor, axes: Sequence[int]) -> Tensor:
    return ops.sqrt(ops.sum(ops.square(ops.cast(tensor, "float32")), axis=tuple(axes), keepdims=True))
