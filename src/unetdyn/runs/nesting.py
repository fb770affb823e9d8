"""Arrays by block in a file of flat arrays: one level of dictionaries, written as `name/key`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

SEPARATOR = "/"


def flatten(arrays: Mapping[str, ArrayLike | Mapping[str, ArrayLike]]) -> dict[str, NDArray[Any]]:
    """Every array under one name; those of a dictionary under `name/key`, an empty dictionary as `name/`.

    Args:
        arrays: By name, an array or a dictionary of arrays. Names hold no `/`; keys of dictionaries may.

    Returns:
        Name → array; `unflatten` makes it what it was.

    Raises:
        ValueError: If a name holds a `/`, or a key is empty.

    Example:
        >>> flat = flatten({"step": [0, 1], "norm": {"enc1": [0.5, 0.25], "head": [1.0, 2.0]}})
        >>> list(flat), list(unflatten(flat)["norm"])
        (['step', 'norm/enc1', 'norm/head'], ['enc1', 'head'])
    """
    flat: dict[str, NDArray[Any]] = {}
    for name, value in arrays.items():
        if SEPARATOR in name:
            raise ValueError(f"Names of a run's arrays hold no {SEPARATOR!r}. Received: {name!r}.")
        if not isinstance(value, Mapping):
            flat[name] = np.asarray(value)
            continue
        if "" in value:
            raise ValueError(f"Keys of a run's arrays must not be empty. Received: {name}={list(value)!r}.")
        flat |= {name + SEPARATOR + key: np.asarray(array) for key, array in value.items()}
        if not value:
            flat[name + SEPARATOR] = np.zeros(0)
    return flat


def unflatten(flat: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """What `flatten` was given: a dictionary for names with a `/`, split at the first."""
    arrays: dict[str, Any] = {}
    for name, array in flat.items():
        first, separator, key = name.partition(SEPARATOR)
        if not separator:
            arrays[name] = array
        else:
            arrays.setdefault(first, {}).update({key: array} if key else {})
    return arrays
