"""Strict JSON with NumPy numbers and paths: any program reads it, and numbers that are not finite survive."""

import json
import math
from os import PathLike, fspath
from typing import Any

import numpy as np

_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_EXACT = 18  # digits of a whole number that NumPy's integers hold


def dumps(value: Any, indent: int | None = None) -> str:
    """JSON text of dictionaries, sequences, numbers (NumPy's too), texts and paths.

    JSON has no NaN: numbers that are not finite become `"NaN"`, `"Infinity"`, `"-Infinity"`; see `restore_numbers`.

    >>> dumps({"loss": float("nan"), "lr": np.float32(0.5), "shape": (2, 3)})
    '{"loss": "NaN", "lr": 0.5, "shape": [2, 3]}'
    """
    return json.dumps(_plain(value), indent=indent, allow_nan=False, ensure_ascii=False)


def restore_numbers(value: Any) -> Any:
    """Turn the three texts for numbers that are not finite back into numbers, at any depth.

    >>> restore_numbers({"loss": ["-Infinity", 0.5]})
    {'loss': [-inf, 0.5]}
    """
    if isinstance(value, dict):
        return {key: restore_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [restore_numbers(item) for item in value]
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value


def loads(content: bytes | str) -> Any:
    """What JSON says, whoever wrote it, with numbers that are not finite restored.

    A whole number of more digits than 64 bits hold becomes a float, and half a character, which no file can hold, "?".

    Raises:
        ValueError: If it is no JSON, no text, or nested too deep.

    Example:
        >>> loads('{"loss": "NaN", "steps": 3}')
        {'loss': nan, 'steps': 3}
    """
    try:
        value = json.loads(content, parse_int=_whole)
        return restore_numbers(_whole_text(value) if _has_halves(content) else value)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _EXACT else float(digits)


def _has_halves(content: bytes | str) -> bool:
    """Whether there may be the code of half a character, which JSON writes as `\\ud800` to `\\udfff`."""
    return (b"\\ud" if isinstance(content, bytes) else "\\ud") in content.lower()  # type: ignore[operator]


def _whole_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {_whole_text(key): _whole_text(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole_text(item) for item in value]
    return value.encode(errors="replace").decode() if isinstance(value, str) else value


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, dict):
        return {_whole_text(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, PathLike):
        value = fspath(value)
    if isinstance(value, str):
        return _whole_text(value)  # the name of a file may be no text
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError(
        "A run directory holds numbers, texts, lists and dictionaries of them. "
        f"Received: {value!r} of type {type(value).__name__}."
    )
