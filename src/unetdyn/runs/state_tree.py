"""The state of a training as JSON and arrays, and back: exactly what was given, without pickle."""

import base64
import math
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MARK = "$"
"""Begins the one key of an object that stands for something else than a dictionary."""

_KINDS = "biufcUS"
"""Of NumPy's own dtypes: bool, whole numbers, floats, complex numbers, texts, bytes."""

_EXACT = 2**53
"""Up to here any program reads a whole number of JSON as it is."""

_MANY = 32
"""Numbers from which on a list of them is written as an array: a history of many epochs would be a long text."""


def encode(tree: Any) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Take a tree apart into what JSON holds, and its arrays, which are not copied.

    A tree is made of dictionaries with texts as keys, lists, tuples, texts, whole numbers of any size, floats, True,
    False, None, bytes, and NumPy's arrays and scalars: numbers of any dtype, those of `ml_dtypes` such as bfloat16 and
    float8 among them, texts and bytes of fixed width.

    Args:
        tree: What `decode` is to give back.

    Returns:
        A value for `json.dumps` with `allow_nan=False`, and the arrays that it refers to, for `numpy.savez`: dtypes
        that an `.npz` file would lose are whole numbers of their width in it.

    Raises:
        TypeError: If there is anything else in it; the text says where.

    Example:
        >>> value, arrays = encode({"best": float("inf"), "shape": (2, 3), "rows": np.zeros((0, 4))})
        >>> value
        {'best': {'$float': '7ff0000000000000'}, 'shape': {'$tuple': [2, 3]}, 'rows': {'$array': '0'}}
        >>> decode(value, arrays)
        {'best': inf, 'shape': (2, 3), 'rows': array([], shape=(0, 4), dtype=float64)}
    """
    arrays: dict[str, NDArray[Any]] = {}
    return _encoded(tree, "", arrays), arrays


def decode(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Put a tree together again.

    Args:
        value: From `encode`, also by way of JSON.
        arrays: From `encode`, also by way of an `.npz` file; they are not copied unless they can't be written to.

    Returns:
        The tree: of the same types, and equal to the last bit.

    Raises:
        ValueError: If `value` is nothing that `encode` makes.
        KeyError: If an array is missing.
    """
    if isinstance(value, list):
        return [decode(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not (mark := next(iter(value))).startswith(_MARK):
        return {key: decode(item, arrays) for key, item in value.items()}
    if mark not in _DECODERS:
        raise ValueError(f"nothing of a state is written as {mark!r}")
    return _DECODERS[mark](value[mark], arrays)


def _encoded(value: Any, path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    kind = type(value)  # no subclass: it would come back as what it is made from
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if abs(value) <= _EXACT else {"$int": hex(value)}
    if kind is float:
        return value if math.isfinite(value) else {"$float": struct.pack(">d", value).hex()}
    if kind is str:
        return value if _is_whole(value) else {"$text": value.encode("utf-8", "surrogatepass").hex()}
    if kind is bytes:
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    if kind is list and len(value) >= _MANY and (numbers := _numbers(value)) is not None:
        arrays[key := str(len(arrays))] = numbers
        return {"$list": key}
    if kind is list or kind is tuple:
        items = [_encoded(item, f"{path}.{place}", arrays) for place, item in enumerate(value)]
        return items if kind is list else {"$tuple": items}
    if kind is dict:
        return _encoded_dict(value, path, arrays)
    if kind is np.ndarray:
        return _encoded_array(value, path, arrays)
    if isinstance(value, np.generic):
        return _encoded_scalar(value, path)
    raise TypeError(
        f"{_place(path)} is of type {kind.__module__}.{kind.__qualname__}; a state holds dictionaries, lists, tuples, "
        "texts, numbers, True, False, None, bytes, and NumPy's arrays and scalars. Say it with these."
    )


def _numbers(value: list[Any]) -> NDArray[Any] | None:
    """A list of floats alone, or of whole numbers alone, as an array, if that is exact."""
    kinds = set(map(type, value))
    if kinds == {float}:
        return np.array(value, np.float64)
    if kinds == {int} and min(value) >= -(2**63) and max(value) < 2**63:
        return np.array(value, np.int64)
    return None


def _encoded_dict(value: dict[Any, Any], path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    for key in value:
        if type(key) is not str:
            raise TypeError(
                f"{_place(path)} has the key {key!r} of type {type(key).__name__}; keys of a state are texts. "
                "Write it as a list of pairs."
            )
    items = {key: _encoded(item, f"{path}.{key}", arrays) for key, item in value.items()}
    if all(_is_whole(key) and not key.startswith(_MARK) for key in value):
        return items
    return {"$dict": [[_encoded(key, path, arrays), item] for key, item in items.items()]}


def _encoded_array(value: NDArray[Any], path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    own, key = _own_dtype(value.dtype, path), str(len(arrays))
    arrays[key] = value.view(f"u{value.dtype.itemsize}") if own else value
    return {"$view": [key, own]} if own else {"$array": key}


def _encoded_scalar(value: np.generic, path: str) -> Any:
    if isinstance(value, np.str_):
        return {"$str": _encoded(str.__str__(value), path, {})}
    if isinstance(value, np.bytes_):
        return {"$bytes_": base64.b64encode(value).decode("ascii")}
    own = _own_dtype(value.dtype, path)
    return {"$own" if own else "$scalar": [own or value.dtype.name, value.tobytes().hex()]}


def _own_dtype(dtype: np.dtype[Any], path: str) -> str:
    """The name of a dtype of `ml_dtypes`, which files of NumPy lose; none for those of NumPy.

    Raises:
        TypeError: If it is one that a state may not have.
    """
    if dtype.type.__module__ == "ml_dtypes":
        return dtype.name
    if dtype.kind not in _KINDS:
        raise TypeError(f"{_place(path)} is of dtype {dtype}; arrays of a state hold numbers, texts or bytes.")
    return ""


def _dtype_called(name: str) -> np.dtype[Any]:
    """Of `ml_dtypes`, by its name."""
    import ml_dtypes

    kind = getattr(ml_dtypes, name, None)
    if not (isinstance(kind, type) and issubclass(kind, np.generic)):
        raise ValueError(f"ml_dtypes has no dtype {name!r}")
    return np.dtype(kind)


def _writable(array: NDArray[Any]) -> NDArray[Any]:
    return array if array.flags.writeable else array.copy()


def _scalar(dtype: np.dtype[Any], content: str) -> np.generic:
    return np.frombuffer(bytes.fromhex(content), dtype)[0]


_Arrays = Mapping[str, NDArray[Any]]
_DECODERS: dict[str, Callable[[Any, _Arrays], Any]] = {
    "$int": lambda value, _: int(value, 16),
    "$float": lambda value, _: struct.unpack(">d", bytes.fromhex(value))[0],
    "$text": lambda value, _: bytes.fromhex(value).decode("utf-8", "surrogatepass"),
    "$bytes": lambda value, _: base64.b64decode(value),
    "$tuple": lambda value, arrays: tuple(decode(value, arrays)),
    "$dict": lambda value, arrays: {decode(key, arrays): decode(item, arrays) for key, item in value},
    "$list": lambda value, arrays: arrays[value].tolist(),
    "$array": lambda value, arrays: _writable(arrays[value]),
    "$view": lambda value, arrays: _writable(arrays[value[0]]).view(_dtype_called(value[1])),
    "$scalar": lambda value, _: _scalar(np.dtype(value[0]), value[1]),
    "$own": lambda value, _: _scalar(_dtype_called(value[0]), value[1]),
    "$str": lambda value, arrays: np.str_(decode(value, arrays)),
    "$bytes_": lambda value, _: np.bytes_(base64.b64decode(value)),
}


def _is_whole(text: str) -> bool:
    """Whether it has no half of a character, of which JSON would join two."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _place(path: str) -> str:
    return path.removeprefix(".") or "The state"
