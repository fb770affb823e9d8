"""What a run was made with: its settings as factors, name → a value that can be counted and compared."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

import unetdyn.runs


def recorded_factors(run: unetdyn.runs.Run) -> dict[str, Any]:
    """Every setting of a run's configuration, under its own key where that is clear, otherwise under its path."""
    leaves = list(_leaves(run.config))
    often = Counter(path[-1] for path, _ in leaves)
    top = {path[0] for path, _ in leaves if len(path) == 1}
    factors = {}
    for path, value in leaves:
        plain = len(path) == 1 or (often[path[-1]] == 1 and path[-1] not in top)
        factors[path[-1] if plain else ".".join(path)] = value
    return with_levels(factors if run.seed is None else {**factors, "seed": run.seed})


def with_levels(factors: Mapping[str, Any]) -> dict[str, Any]:
    """Each value as a level: a text, number, switch or None as it is, what holds several of these as a tuple.

    Raises:
        TypeError: If a value is none of these, so that runs can't be grouped by it.

    Example:
        >>> with_levels({"filters": 8, "train": [0, 15], "clipnorm": None, "layers": [{"kernel": 3}]})
        {'filters': 8, 'train': (0, 15), 'clipnorm': None, 'layers': ((('kernel', 3),),)}
    """
    found = {name: _level(value) for name, value in factors.items()}
    for name, value in found.items():
        try:
            hash(value)
        except TypeError:
            raise TypeError(
                "`factors` must hold texts, numbers, switches, None, or lists of these, so that runs can be grouped by "
                f"them. Received: {name}={factors[name]!r}. Give it as a text that names it."
            ) from None
    return found


def _level(value: Any) -> Any:
    if isinstance(value, np.generic):  # or a rate that was read from an array would be another level
        return value.item()
    if isinstance(value, np.ndarray):
        return _level(value.tolist())
    if isinstance(value, Mapping):
        return tuple((name, _level(value[name])) for name in sorted(value, key=str))
    return tuple(map(_level, value)) if isinstance(value, list | tuple) else value


def _leaves(config: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, (*above, key))
        else:
            yield (*above, key), value
