"""So many of the combinations that tell most about the effects that are asked for: a D-optimal subset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.sweeps.levels import same
from unetdyn.sweeps.table import SweepError

_STARTS = 30
_RIDGE = 1e-9  # with it a start that can't tell all effects has a determinant too, if a small one


@dataclass(frozen=True)
class Subset:
    """What `d_optimal` found.

    Attributes:
        chosen: Numbers of the candidates, in their order, each once.
        efficiency: (|X'X| / runs^p over |F'F| / N^p)^(1/p), F being the full factorial of N combinations and p the
            number of effects: what a run tells, compared with one of the full factorial; from 0 to 1.
    """

    chosen: tuple[int, ...]
    efficiency: float


def effects(
    combinations: Sequence[Mapping[str, Any]],
    factors: Mapping[str, Sequence[Any]],
    interactions: Sequence[tuple[str, str]] = (),
) -> NDArray[np.float64]:
    """The model's columns: a mean, levels − 1 a factor, and their products an interaction.

    Args:
        combinations: Key → level.
        factors: Key → its levels.
        interactions: Pairs of keys.

    Returns:
        `(combinations, effects)`; a factor's columns sum to 0 over its levels, and are orthogonal.

    Example:
        >>> effects([{"a": 1}, {"a": 2}], {"a": [1, 2]}).tolist()
        [[1.0, 1.0], [1.0, -1.0]]
    """
    columns = {}
    for key, levels in factors.items():
        coded = _contrasts(len(levels))
        place = {same(level): number for number, level in enumerate(levels)}
        columns[key] = coded[[place[same(each[key])] for each in combinations]]
    mean = np.ones((len(combinations), 1))
    pairs = [
        (columns[one][:, :, None] * columns[other][:, None, :]).reshape(len(combinations), -1)
        for one, other in interactions
    ]
    return np.hstack([mean, *columns.values(), *pairs])


def d_optimal(model: NDArray[np.float64], candidates: Sequence[int], runs: int, seed: int = 0) -> Subset:
    """The rows of a model whose X'X has the largest determinant, by exchange from many starts (Fedorov).

    With δ(i, j) = d_j − d_i − (d_i d_j − d_ij²), d_ij = x_i' (X'X)⁻¹ x_j, an exchange of i for j multiplies |X'X| by
    1 + δ(i, j). The best exchange is made until none helps; of 30 random starts the best end is taken, so that a better
    subset than the one found is possible, if unlikely for the few combinations of a sweep.

    Args:
        model: `(N, p)`, the rows of the full factorial.
        candidates: Which of them may be chosen.
        runs: How many are, from p to the number of candidates.
        seed: Of the starts.

    Returns:
        The subset, and its efficiency.

    Raises:
        SweepError: If `runs` is out of range, or the candidates can't tell all effects apart.

    Example:
        >>> cells = [{"a": a, "b": b, "c": c} for a in (0, 1) for b in (0, 1) for c in (0, 1)]
        >>> model = effects(cells, {"a": (0, 1), "b": (0, 1), "c": (0, 1)})
        >>> found = d_optimal(model, range(8), runs=4)
        >>> found.chosen in [(0, 3, 5, 6), (1, 2, 4, 7)], round(found.efficiency, 6)
        (True, 1.0)

    Reference:
        Fedorov, Theory of Optimal Experiments (1972); Atkinson, Donev and Tobias, Optimum Experimental Designs (2007),
        chapter 12.
    """
    rows = model[list(candidates)]
    count, terms = rows.shape
    if not terms <= runs <= count:
        raise SweepError(
            f"`design.runs` must be from {terms}, as many as there are effects with the mean, to {count}, all "
            f"combinations that are allowed. Received: runs={runs}."
        )
    if np.linalg.matrix_rank(rows) < terms:
        raise SweepError(
            "`exclude` must leave combinations that tell all effects apart. Received: exclusions after which some "
            "factors change only together."
        )
    generator = np.random.default_rng(seed)
    starts = (generator.choice(count, runs, replace=False) for _ in range(_STARTS))
    found = max((_exchanged(rows, start) for start in starts), key=lambda chosen: round(_log_det(rows[chosen]), 9))
    whole = _log_det(model) - terms * np.log(len(model))
    share = np.exp((_log_det(rows[found]) - terms * np.log(runs) - whole) / terms)
    return Subset(tuple(sorted(int(candidates[each]) for each in found)), float(share))


def _exchanged(rows: NDArray[np.float64], start: NDArray[np.int64]) -> NDArray[np.int64]:
    chosen = start.copy()
    while True:
        information = rows[chosen].T @ rows[chosen] + _RIDGE * np.eye(rows.shape[1])
        spread = rows @ np.linalg.solve(information, rows.T)
        others = np.setdiff1d(np.arange(len(rows)), chosen)
        own = np.diag(spread)
        gain = (
            own[others] - own[chosen][:, None] - (own[chosen][:, None] * own[others] - spread[chosen][:, others] ** 2)
        )
        if not gain.size or gain.max() < 1e-6:
            return chosen
        out, into = np.unravel_index(gain.argmax(), gain.shape)
        chosen[out] = others[into]


def _log_det(rows: NDArray[np.float64]) -> float:
    sign, value = np.linalg.slogdet(rows.T @ rows)
    return float(value) if sign > 0 else -np.inf


def _contrasts(levels: int) -> NDArray[np.float64]:
    """`(levels, levels − 1)`, Helmert's: orthogonal, of length √levels; ±1 for two."""
    coded = np.zeros((levels, levels - 1))
    for column in range(levels - 1):
        coded[: column + 1, column] = 1.0
        coded[column + 1, column] = -(column + 1.0)
    return coded * np.sqrt(levels / np.sum(coded**2, axis=0))
