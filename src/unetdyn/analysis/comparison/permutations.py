"""Permutations within strata: which there are, all of them or some at random."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray


def arrangements(strata: NDArray[np.int64], labels: NDArray[np.int64]) -> int:
    """In how many different ways labels can lie within strata: Π over strata of n! / Π nₗ!.

    Args:
        strata: `(runs,)` index of the stratum of each.
        labels: `(runs,)` index of its label.

    Example:
        >>> arrangements(np.array([0, 0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0, 1]))
        12
    """
    total = 1
    for stratum in np.unique(strata):
        counts = Counter(labels[strata == stratum].tolist())
        total *= math.factorial(sum(counts.values())) // math.prod(map(math.factorial, counts.values()))
    return total


def every_arrangement(strata: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """`(arrangements, runs)` which run takes the place of each; those that differ only within a label are one.

    >>> every_arrangement(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])).tolist()
    [[0, 1, 2, 3], [0, 1, 3, 2], [1, 0, 2, 3], [1, 0, 3, 2]]
    """
    places = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    found = []
    for orders in product(*(list(_orders(sorted(labels[place].tolist()))) for place in places)):
        order = np.arange(len(labels))
        for place, labelled in zip(places, orders, strict=True):
            # the places by label are taken by the runs that this arrangement gives that label
            order[place[np.argsort(labels[place], kind="stable")]] = place[np.argsort(labelled, kind="stable")]
        found.append(order)
    return np.array(found)


def drawn(strata: NDArray[np.int64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """`(count, runs)` permutations at random, each run within its stratum.

    >>> order = drawn(np.array([0, 1, 0, 1]), 3, np.random.default_rng(0))
    >>> order.shape, sorted(order[0, [0, 2]].tolist())
    ((3, 4), [0, 2])
    """
    places = np.argsort(strata, kind="stable")
    keys = rng.random((count, len(strata))) + strata  # a key never leaves its stratum
    order = np.empty((count, len(strata)), dtype=np.int64)
    order[:, places] = np.argsort(keys, axis=1)
    return order


def _orders(labels: Sequence[Any]) -> Iterator[list[Any]]:
    """Every different order of labels.

    >>> list(_orders([0, 0, 1]))
    [[0, 0, 1], [0, 1, 0], [1, 0, 0]]
    """
    if not labels:
        yield []
    for first in dict.fromkeys(labels):
        rest = list(labels)
        rest.remove(first)
        for others in _orders(rest):
            yield [first, *others]
