"""From one value to another over some steps, in float32, to two units in the last place of the larger one."""

import math
from typing import Any, Literal

from keras import ops

Tensor = Any
Curve = Literal["cos", "linear"]
CURVES: tuple[Curve, ...] = ("cos", "linear")


def annealed(step: Tensor, first: float, last: float, start: float, end: float, curve: Curve = "cos") -> Tensor:
    """A value that goes from `first` at the step `start` to `last` at the step `end`.

    With p = (t − start) / (end − start), "cos" gives last + (first − last) · (1 + cos πp) / 2, "linear"
    first + (last − first) · p. Each part of the way is computed from where it is near: rounding π · p, or p near 1,
    would cost a digit.

    Args:
        step: The step t, an int32 tensor, which is counted from `start` and to `end` before anything is rounded;
            meaningless outside of [start, end].
        first: The value at `start`.
        last: The value at `end`.
        start: In steps; need not be whole.
        end: Above `start`.
        curve: How.

    Returns:
        A float32 tensor of the shape of `step`.

    Example:
        >>> [round(float(annealed(ops.array(t), 1.0, 0.0, 0, 4)), 6) for t in (0, 1, 2, 4)]
        [1.0, 0.853553, 0.5, 0.0]
    """
    before, behind = math.floor(start), math.floor(end)
    done, left = as_float(step - before) - (start - before), as_float(behind - step) + (end - behind)
    if curve == "linear":
        slope = (last - first) / (end - start)
        return ops.where(done < left, first + slope * done, last - slope * left)
    return along_cosine(done, left, math.pi / 2 / (end - start), first, last)


def along_cosine(done: Tensor, left: Tensor, quarter_turn: float | Tensor, first: float, last: float) -> Tensor:
    """A value on half a cosine from `first` to `last`.

    Args:
        done: Steps since its beginning, float32.
        left: Steps to its end, float32.
        quarter_turn: π / 2 over its length, divided in double precision: compilers make of a division by a constant a
            product with 1 / constant, which rounds twice.
        first: Its first value.
        last: Its last value.

    Example:
        >>> round(float(along_cosine(ops.array(1.0), ops.array(2.0), math.pi / 6, 1.0, 0.0)), 6)
        0.75
    """
    change, length = last - first, done + left
    near = first + change * ops.square(ops.sin(quarter_turn * done))
    far = last - change * ops.square(ops.sin(quarter_turn * left))
    middle = (first + last) / 2 + (change / 2) * ops.sin(quarter_turn * (done - left))
    return ops.where(4 * done < length, near, ops.where(4 * left < length, far, middle))


def as_float(step: Tensor) -> Tensor:
    """A step, number or tensor, as float32, which is exact up to 2²⁴ steps."""
    return ops.cast(step, "float32")


def as_int(step: Tensor) -> Tensor:
    """A step, number or tensor, as int32: what is counted in whole steps is then exact."""
    return ops.cast(step, "int32")
