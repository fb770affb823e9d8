"""Masks, maps and probabilities as they come, checked: what is no mask or no probability gets an error that says so."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetdyn._checks import is_number
from unetdyn.analysis.thresholds.images import real_numbers


def fitting(first_name: str, first: ArrayLike, second_name: str, second: ArrayLike) -> tuple[NDArray, NDArray]:
    """Both as arrays of one shape; a last axis of 1 may be missing on either side.

    >>> [array.shape for array in fitting("prediction", np.zeros((4, 5, 1)), "mask", np.zeros((4, 5)))]
    [(4, 5), (4, 5)]
    """
    a, b = real_numbers(first_name, first), real_numbers(second_name, second)
    if a.shape == (*b.shape, 1):
        a = a[..., 0]
    if b.shape == (*a.shape, 1):
        b = b[..., 0]
    if a.shape != b.shape:
        raise ValueError(
            f"`{first_name}` and `{second_name}` must have the same shape; a last axis of 1 may be left out. Received: "
            f"{first_name} of shape {a.shape}, {second_name} of shape {b.shape}. Resize or reshape one of them."
        )
    if not a.size:
        raise ValueError(
            f"`{first_name}` and `{second_name}` must hold at least one pixel. Received: shape {a.shape}. "
            "Look at where they come from."
        )
    return a, b


def counted_pixels(mask: NDArray, ignore_label: float | None) -> NDArray[np.bool_] | None:
    """Where the mask does not hold that label; None where nothing is ignored."""
    check_ignore_label(ignore_label)
    return None if ignore_label is None else mask != ignore_label


def check_ignore_label(ignore_label: float | None) -> None:
    """Refuse what can't mean that there is no label."""
    if ignore_label is None:
        return
    if not is_number(ignore_label) or ignore_label != ignore_label or ignore_label in (0, 1):
        raise ValueError(
            "`ignore_label` must be the number that means no label, neither 0 nor 1, such as 255, or None for none. "
            f"Received: ignore_label={ignore_label!r}."
        )


def binary(argument: str, mask: NDArray, counted: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
    """A mask of 0 and 1 as booleans; what is not counted may hold anything, and is False.

    >>> binary("mask", np.array([0, 255]))
    Traceback (most recent call last):
    ValueError: `mask` must hold 0 and 1 only. Received: 255. Divide it by 255, or pass `mask > 0`.
    """
    if mask.dtype == np.bool_:
        return mask if counted is None else mask & counted
    found = mask == 1
    wrong = ~(found | (mask == 0))
    if counted is not None:
        wrong &= counted
        found &= counted
    if wrong.any():
        raise ValueError(f"`{argument}` must hold 0 and 1 only. Received: {_what_it_holds(argument, mask[wrong])}")
    return found


def _what_it_holds(argument: str, wrong: NDArray) -> str:
    if np.isnan(wrong).any():
        return "NaN. Mend it."
    values = np.unique(wrong)
    if len(values) == 1 and values[0] > 1:
        return f"{values[0]:g}. Divide it by {values[0]:g}, or pass `{argument} > 0`."
    if (values > 1).any() and (values % 1 == 0).all():
        return f"values up to {values.max():g}. If they number classes or objects, pass `{argument} == 1`, or `> 0`."
    if values.min() < 0:
        return f"values down to {values.min():g}. Pass `{argument} > 0`."
    return f"{values[0]:g}, as probabilities and smoothed masks have. Pass `{argument} > 0.5`."


def whole_numbers(argument: str, labels: NDArray, counted: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """A map of whole numbers, 0 or more; what is not counted is 0.

    >>> whole_numbers("mask", np.array([0.0, 0.5]))
    Traceback (most recent call last):
    ValueError: `mask` must hold whole numbers, 0 or more. Received: 0.5. Pass a map of labels.
    """
    labels = labels if counted is None else np.where(counted, labels, 0)
    if not np.issubdtype(labels.dtype, np.integer) and labels.dtype != np.bool_:
        wrong = ~(np.isfinite(labels) & (labels % 1 == 0))
        if wrong.any():
            raise ValueError(
                f"`{argument}` must hold whole numbers, 0 or more. Received: {labels[wrong][0]:g}. "
                "Pass a map of labels."
            )
    if labels.size and labels.min() < 0:
        raise ValueError(
            f"`{argument}` must hold whole numbers, 0 or more. Received: {labels.min():g}. If that means no label, "
            "name it in `ignore_label`, or set it to 0."
        )
    return labels.astype(np.int64)


def checked_spacing(spacing: float | Sequence[float] | None, axes: int) -> tuple[float, ...]:
    """The distance of neighbours along each axis; 1 for None.

    >>> checked_spacing(4.0, 2), checked_spacing(None, 3), checked_spacing([50, 4, 4], 3)
    ((4.0, 4.0), (1.0, 1.0, 1.0), (50.0, 4.0, 4.0))
    """
    if spacing is None:
        return (1.0,) * axes
    values: list[Any] = [spacing] * axes if is_number(spacing) else np.ravel(spacing).tolist()
    if len(values) != axes or not all(is_number(value) and 0 < value < np.inf for value in values):
        raise ValueError(
            f"`spacing` must be a finite number above 0, or one for each of the {axes} axes, in the arrays' order, "
            f"such as (50, 4, 4) for z, y and x. Received: spacing={spacing!r}."
        )
    return tuple(float(value) for value in values)
