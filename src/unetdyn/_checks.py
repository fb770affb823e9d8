"""Checks of arguments that every room shares: each error says which argument, what was expected, what was received."""

import math
from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Integral, Real
from typing import Any

import numpy as np


def nearest(received: object, known: Iterable[str]) -> str:
    """A sentence with the nearest known name, or an empty string where none is near.

    >>> nearest("bach", ["batch", "group"])
    " Did you mean 'batch'?"
    """
    if not isinstance(received, str):
        return ""
    close = get_close_matches(received, list(known), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def unknown_choice(argument: str, received: object, known: Iterable[object]) -> str:
    """The text of an error about an argument with a fixed set of values.

    >>> unknown_choice("norm", "bach", ["batch", "group", None])
    "`norm` must be one of 'batch', 'group', None. Received: norm='bach'. Did you mean 'batch'?"
    """
    known = list(known)
    listed = ", ".join(repr(choice) for choice in known)
    names = [choice for choice in known if isinstance(choice, str)]
    return f"`{argument}` must be one of {listed}. Received: {argument}={received!r}.{nearest(received, names)}"


def check_choice(argument: str, value: object, known: Iterable[object]) -> None:
    """Refuse what is not one of a fixed set of values; True is not 1 here.

    >>> check_choice("undefined", "none", ["absent", "nan"])
    Traceback (most recent call last):
    ValueError: `undefined` must be one of 'absent', 'nan'. Received: undefined='none'. Did you mean 'nan'?
    >>> check_choice("ddof", True, [1, 0])
    Traceback (most recent call last):
    ValueError: `ddof` must be one of 1, 0. Received: ddof=True.
    """
    known = list(known)
    if not any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in known):
        raise ValueError(unknown_choice(argument, value, known))


def check_count(
    argument: str, value: object, least: int, unit: str = "epochs", otherwise: str = "", most: int | None = None
) -> None:
    """Refuse what is not a whole number of something; True and False are no numbers here.

    Args:
        argument: Its name.
        value: What was passed.
        least: The least that is allowed.
        unit: What is counted, in the plural; "" where the argument's name says it.
        otherwise: How the sentence ends: what else is allowed, such as "or None for all"; or why these are the bounds.
        most: The most that is allowed; None (default) for no bound.

    Raises:
        ValueError: If it is no whole number, less than `least` or more than `most`.

    Example:
        >>> check_count("lag", 0, least=1)
        Traceback (most recent call last):
        ValueError: `lag` must be a whole number of epochs, 1 or more. Received: lag=0.
        >>> check_count("lag", 9, least=1, most=5)
        Traceback (most recent call last):
        ValueError: `lag` must be a whole number of epochs, from 1 to 5. Received: lag=9.
        >>> check_count("lag", 1e3, least=1)
        Traceback (most recent call last):
        ValueError: `lag` must be a whole number of epochs, 1 or more. Received: lag=1000.0, a float: pass 1000.
    """
    if not is_count(value) or value < least or (most is not None and value > most):  # type: ignore[operator]
        span = f"{least} or more" if most is None else f"from {least} to {most}"
        of, end = (f" of {unit}" if unit else ""), (f", {otherwise}" if otherwise else "")
        raise ValueError(
            f"`{argument}` must be a whole number{of}, {span}{end}. Received: {argument}={value!r}{_as_count(value)}."
        )


def _as_count(value: object) -> str:
    is_whole = isinstance(value, float | np.floating) and float(value).is_integer()
    return f", a float: pass {int(value)}" if is_whole else ""  # type: ignore[call-overload]


def check_positive(argument: str, value: object, otherwise: str = "") -> None:
    """Refuse what is not a finite number above 0; `otherwise` as in `check_count`.

    >>> check_positive("lr", 0)
    Traceback (most recent call last):
    ValueError: `lr` must be a finite number above 0. Received: lr=0.
    """
    if not (is_number(value) and value > 0 and math.isfinite(value)):  # type: ignore[operator, arg-type]
        end = f", {otherwise}" if otherwise else ""
        raise ValueError(f"`{argument}` must be a finite number above 0{end}. Received: {argument}={value!r}.")


def check_range(argument: str, value: object, least: float, most: float = math.inf) -> None:
    """Refuse what is not a finite number from `least` to `most`, both allowed.

    >>> check_range("rotation", 200, 0, 180)
    Traceback (most recent call last):
    ValueError: `rotation` must be a number from 0 to 180. Received: rotation=200.
    >>> check_range("noise", -1, 0)
    Traceback (most recent call last):
    ValueError: `noise` must be a finite number, 0 or above. Received: noise=-1.
    """
    if not (is_number(value) and least <= value <= most and math.isfinite(value)):  # type: ignore[operator, arg-type]
        kind = f"number from {least:g} to {most:g}" if math.isfinite(most) else f"finite number, {least:g} or above"
        raise ValueError(f"`{argument}` must be a {kind}. Received: {argument}={value!r}.")


def check_band(low_name: str, low: object, high_name: str, high: object) -> None:
    """Refuse a band from `low` to `high` that has no width or begins below 0.

    >>> check_band("low", 0.1, "high", 0.003)
    Traceback (most recent call last):
    ValueError: `low` and `high` must be numbers with 0 ≤ low < high. Received: low=0.1, high=0.003.
    """
    if not (is_number(low) and is_number(high) and 0 <= low < high):  # type: ignore[operator]
        raise ValueError(
            f"`{low_name}` and `{high_name}` must be numbers with 0 ≤ {low_name} < {high_name}. "
            f"Received: {low_name}={low!r}, {high_name}={high!r}."
        )


def check_fraction(
    argument: str, value: object, zero: bool = False, one: bool = False, otherwise: str = "", most: float = 1
) -> None:
    """Refuse what is not a number between 0 and 1, or between 0 and less than 1.

    Args:
        argument: Its name.
        value: What was passed.
        zero: Whether 0 itself is allowed.
        one: Whether 1 itself, or `most`, is allowed.
        otherwise: What else is allowed, such as "or None".
        most: The upper end.

    Raises:
        ValueError: If it is no number, NaN, or out of range.

    Example:
        >>> check_fraction("confidence", 95)
        Traceback (most recent call last):
        ValueError: `confidence` must lie between 0 and 1, without 0 and 1. Received: confidence=95.
        >>> check_fraction("threshold", 0, zero=True, one=True)
        >>> check_fraction("alpha", 0.7, most=0.5)
        Traceback (most recent call last):
        ValueError: `alpha` must lie between 0 and 0.5, without 0 and 0.5. Received: alpha=0.7.
    """
    inside = is_number(value) and 0 <= value <= most  # type: ignore[operator]
    if not inside or (value == 0 and not zero) or (value == most and not one):
        without = " and ".join(end for end, allowed in (("0", zero), (f"{most:g}", one)) if not allowed)
        ends = (f", without {without}" if without else "") + (f", {otherwise}" if otherwise else "")
        raise ValueError(f"`{argument}` must lie between 0 and {most:g}{ends}. Received: {argument}={value!r}.")


def is_count(value: object) -> bool:
    """Whether it is a whole number, of Python or NumPy; True and False are none.

    >>> is_count(3), is_count(3.0), is_count(True)
    (True, False, False)
    """
    return isinstance(value, Integral) and not isinstance(value, bool)


def plain(value: Any) -> Any:
    """A number of NumPy as one of Python, which any program can save; all else as it is.

    >>> plain(np.int64(3)), plain(np.float32(0.5)), plain("nan"), plain(None)
    (3, 0.5, 'nan', None)
    """
    return value.item() if isinstance(value, np.generic) else value


def is_number(value: object) -> bool:
    """Whether it is a real number, of Python or NumPy; True and False are none.

    >>> is_number(0.5), is_number(3), is_number("3"), is_number(True)
    (True, True, False, False)
    """
    return isinstance(value, Real) and not isinstance(value, bool)


def memory_ran_out(error: BaseException) -> bool:
    """Whether that is what happened, in the words of any backend.

    >>> memory_ran_out(RuntimeError("RESOURCE_EXHAUSTED: 8 GiB")), memory_ran_out(RuntimeError("shapes differ"))
    (True, False)
    """
    text = f"{type(error).__name__} {error}".lower()
    signs = ("resource_exhausted", "resourceexhausted", "out of memory", "memoryerror", "allocate memory")
    return any(sign in text for sign in signs)
