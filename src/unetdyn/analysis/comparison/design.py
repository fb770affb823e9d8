"""Factors and responses of runs as arrays, and least squares on them: what the comparisons of many runs share."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_choice, nearest
from unetdyn.analysis.comparison.summary import RunSummary

RESPONSES = ("performance", "final", "stability", "coefficient_of_variation", "seconds")
LESS_IS_BETTER = ("stability", "coefficient_of_variation", "seconds")

_ROUNDING = 1e-12  # of the total sum of squares: below it a residual is float rounding


def usable(
    summaries: Sequence[RunSummary], factors: Iterable[str], response: str
) -> tuple[list[RunSummary], dict[str, str]]:
    """The runs that have the response and every factor; and of the others, name → what they lack.

    Raises:
        ValueError: If `response` is none of `RESPONSES`, or no run at all has one of the factors.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> one = summarise({"val_jaccard": [0.5]}, "one", factors={"batch_size": 8})
        >>> two = summarise({"val_jaccard": [0.6]}, "two")
        >>> kept, excluded = usable([one, two], ["batch_size"], "performance")
        >>> [run.name for run in kept], excluded
        (['one'], {'two': 'no batch_size is recorded'})
    """
    check_choice("response", response, RESPONSES)
    for factor in factors:
        known = list(dict.fromkeys(name for run in summaries for name in run.factors))
        if summaries and factor not in known:
            raise ValueError(
                f"No run has the factor {factor!r}; they have {', '.join(known) or 'none'}.{nearest(factor, known)} "
                f"Name one of these, or add it with `summarise(run, factors={{...}})`. Received: {factor!r}."
            )
    kept, excluded = [], {}
    for run in summaries:
        lacks = [f"no {factor} is recorded" for factor in factors if factor not in run.factors]
        value = getattr(run, response)
        lacks += [f"its {response} is not a number"] if value is None or not np.isfinite(value) else []
        if lacks:
            excluded[run.name] = "; ".join(lacks)
        else:
            kept.append(run)
    return kept, excluded


def names(given: str | Iterable[str]) -> tuple[str, ...]:
    """Names of factors, each once; a text alone is one name.

    >>> names("filters"), names(["filters", "depth", "filters"])
    (('filters',), ('filters', 'depth'))
    """
    return (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))


def recorded(default: Iterable[str], summaries: Sequence[RunSummary]) -> tuple[str, ...]:
    """Those of the default names that any run has.

    >>> from unetdyn.analysis.comparison.summary import summarise
    >>> recorded(("filters", "depth"), [summarise({"val_jaccard": [0.5]}, factors={"depth": 3})])
    ('depth',)
    """
    return tuple(name for name in default if any(name in run.factors for run in summaries))


def responses(summaries: Sequence[RunSummary], response: str) -> NDArray[np.float64]:
    """`(runs,)` values of the response."""
    return np.array([getattr(run, response) for run in summaries], dtype=np.float64)


def levels(values: Iterable[Any]) -> tuple[NDArray[np.int64], list[Any]]:
    """The index of each value among the different ones, and these, in the order of their first appearance.

    >>> levels(["UNet", "AttentionUNet", "UNet"])
    (array([0, 1, 0]), ['UNet', 'AttentionUNet'])
    """
    values = list(values)
    different = list(dict.fromkeys(values))
    place = {value: index for index, value in enumerate(different)}
    return np.array([place[value] for value in values], dtype=np.int64), different


def dummies(index: NDArray[np.int64]) -> NDArray[np.float64]:
    """`(runs, levels − 1)`: a column of 0 and 1 for each level but the first.

    >>> dummies(np.array([0, 1, 2, 1])).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]
    """
    return (index[:, None] == np.arange(1, index.max(initial=0) + 1)).astype(np.float64)


def fit(design: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[int, float]:
    """The rank of a design and its residual sum of squares, exactly 0 where only float rounding is left.

    >>> fit(np.ones((3, 1)), np.array([1.0, 2.0, 3.0]))
    (1, 2.0)
    """
    solution, _, rank, _ = np.linalg.lstsq(design, y)
    squares = float(np.sum((y - design @ solution) ** 2))
    total = float(np.sum((y - y.mean()) ** 2))
    # The values themselves are rounded too: a spread of 1e-16 around 0.7 is none.
    least = max(_ROUNDING * total, len(y) * (8 * np.finfo(np.float64).eps * float(np.abs(y).max())) ** 2)
    return int(rank), 0.0 if squares <= least else squares
