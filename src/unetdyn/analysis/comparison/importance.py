"""How much of the variation each setting, and each pair of them, is responsible for: functional ANOVA of a forest."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_count, is_number
from unetdyn.analysis.comparison.analysis_of_variance import FACTORS, anova
from unetdyn.analysis.comparison.design import levels, names, responses, usable
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.comparison.summary import RunSummary
from unetdyn.analysis.result import Determinable, number

TREES = 64


@dataclass(frozen=True)
class Share:
    """Of a factor or a pair of them.

    Attributes:
        name: The factor, or both with `×` between them.
        share: Of the variance of the forest's predictions over all settings, from 0 to 1: the mean over its trees.
        scatter: Its standard deviation over the trees.
        eta_squared: η² of the same in `anova`, with all pairs in its model; NaN where not defined.
    """

    name: str
    share: float
    scatter: float
    eta_squared: float

    def __str__(self) -> str:
        return f"{100 * self.share:.0f} % (± {100 * self.scatter:.0f} over the trees); η² {number(self.eta_squared)}"


@dataclass(frozen=True)
class Importance(Determinable):
    """What `importance` found.

    Attributes:
        importances: Name → `Share`, the largest first.
        higher: What three and more factors together are responsible for; NaN where not defined.
        response: What was analysed.
        runs: How many runs were.
        trees: How many have any variation, of which the shares are.
        excluded: Name → why a run was left out.
        reason: In words, why there are no shares; empty where there are.
        notes: What to mind when reading it.
    """

    importances: dict[str, Share]
    higher: float
    response: str
    runs: int
    trees: int
    excluded: dict[str, str]
    reason: str = ""
    notes: tuple[str, ...] = ()

    def _rows(self) -> list[tuple[str, str]]:
        analysed = f"{self.response} of {self.runs} runs, {self.trees} trees"
        rows = [("shares of the variation", self._if_determined(analysed))]
        rows += [(share.name, str(share)) for share in self.importances.values()]
        rows += [("three and more", f"{100 * self.higher:.0f} %")] if self.higher > 0 else []
        return rows + left_out(self.excluded, self.notes)


class _Encoding(NamedTuple):
    """What the columns of a forest's input mean: each asks about the levels of one factor.

    Attributes:
        inputs: `(runs, columns)`.
        factors: `(columns,)` index of the factor.
        codes: Of each column `(levels,)`, its value at each level of that factor.
    """

    inputs: NDArray[np.float64]
    factors: list[int]
    codes: list[NDArray[np.float64]]


def importance(
    runs: Any,
    factors: str | Sequence[str] = FACTORS,
    response: str = "performance",
    trees: int = TREES,
    seed: int = 0,
) -> Importance:
    """fANOVA: the share of each factor and pair in the variance of what a random forest predicts over all settings.

    A forest of regression trees is fitted to the runs. Each tree is constant on boxes of settings, so that its mean
    over all other factors, a(x) for a factor and a(x, z) for a pair, is exact: V_U is the variance of what a term adds
    to the terms within it, and V_U / V the share of a tree. Every level that any run has counts alike.

    It finds dependences of any shape, and needs no design: random settings and those of a search will do. It does not
    know noise from effects: the scatter over seeds is shared out as well, most of it to pairs and more, and there is no
    test. Beside it stand η² of `anova`. Where both agree, either may be read; where a share is large and F finds
    nothing, it may be chance.

    Args:
        runs: See `as_summaries`.
        factors: Names in the runs' `factors`. Numbers are split by their order, all else by their values.
        response: As in `anova`.
        trees: Of the forest, 1 or more. Default 64, as Optuna has it.
        seed: Of the forest.

    Returns:
        An `Importance`.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: If `response` is unknown, no run has one of the factors, or `trees` is below 1.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> found = importance([
        ...     summarise({"val_jaccard": [0.5 + 0.2 * (rate > 1e-3) + 0.1 * (batch > 8)]},
        ...               factors={"learning_rate": rate, "batch_size": batch})
        ...     for rate in (1e-3, 1e-2) for batch in (8, 16) for seed in range(20)
        ... ], ["learning_rate", "batch_size"])
        >>> {name: round(share.share, 3) for name, share in found.importances.items()}
        {'learning_rate': 0.8, 'batch_size': 0.2, 'learning_rate × batch_size': 0.0}

    Reference:
        Hutter, Hoos and Leyton-Brown, An efficient approach for assessing hyperparameter importance (2014). Optuna's
        `FanovaImportanceEvaluator`, which has no pairs, is what the tests compare with.
    """
    check_count("trees", trees, 1, unit="")
    factors = names(factors)
    summaries = as_summaries(runs)
    kept, excluded = usable(summaries, factors, response)
    nothing = Importance({}, math.nan, response, len(kept), 0, excluded)
    y = responses(kept, response)
    if len(kept) < 2 or np.ptp(y) == 0:
        why = "there are fewer than two runs" if len(kept) < 2 else f"the {response} is the same in every run"
        return Importance(**{**vars(nothing), "reason": why})
    shares = _shares(_encoded(kept, factors), y, len(factors), trees, seed)
    if not shares:
        why = "no tree found any difference between settings"
        return Importance(**{**vars(nothing), "reason": why})
    etas, notes = _etas(kept, factors, response), comparison_notes(kept)
    if not etas:
        notes.append("there are too few runs for so many levels to have an analysis of variance with pairs beside it")
    found = []
    for term in [(place,) for place in range(len(factors))] + list(combinations(range(len(factors)), 2)):
        name, of_trees = " × ".join(factors[place] for place in term), shares[term]
        found.append(Share(name, float(of_trees.mean()), float(of_trees.std()), etas.get(name, math.nan)))
    found.sort(key=lambda share: -share.share)
    rest = np.maximum(1.0 - sum(shares.values()), 0.0)
    higher = float(np.mean(rest))
    importances = {share.name: share for share in found}
    return Importance(importances, higher, response, len(kept), len(rest), excluded, "", tuple(notes))


def _etas(runs: Sequence[RunSummary], factors: Sequence[str], response: str) -> dict[str, float]:
    """Term → its η²; empty where its model would have more columns than there are runs."""
    counts = [len({run.factors[name] for run in runs}) - 1 for name in factors]
    if 1 + sum(counts) + sum(one * other for one, other in combinations(counts, 2)) > len(runs):
        return {}
    effects = anova(runs, factors, response, min(2, len(factors))).effects
    return {name: effect.eta_squared for name, effect in effects.items()}


def _encoded(runs: Sequence[RunSummary], factors: Sequence[str]) -> _Encoding:
    """A column of ranks for a factor of numbers, a column of 0 and 1 a level for any other."""
    columns, of, codes = [], [], []
    for place, factor in enumerate(factors):
        index, known = levels(run.factors[factor] for run in runs)
        if all(is_number(level) and isinstance(level, Real) for level in known):
            values = np.argsort(np.argsort(np.array(known, dtype=np.float64))).astype(np.float64)[:, None]
        else:
            values = np.eye(len(known))
        for code in values.T:
            columns.append(code[index])
            of.append(place)
            codes.append(code)
    return _Encoding(np.column_stack(columns), of, codes)


def _shares(
    encoding: _Encoding, y: NDArray[np.float64], factors: int, trees: int, seed: int
) -> dict[tuple[int, ...], NDArray[np.float64]]:
    """Term, a tuple of factors' indices → `(trees,)` its share of each tree that has any variation."""
    from sklearn.ensemble import RandomForestRegressor

    forest = RandomForestRegressor(n_estimators=trees, random_state=seed).fit(encoding.inputs, y - y.mean())
    parts = [part for estimator in forest.estimators_ if (part := _of_tree(estimator.tree_, encoding, factors))]
    return {term: np.array([part[term] for part in parts]) for term in parts[0]} if parts else {}


def _of_tree(tree: Any, encoding: _Encoding, factors: int) -> dict[tuple[int, ...], float]:
    """Term → its share of the variance of one tree; empty for a tree without any."""
    values, boxes = _leaves(tree, encoding, factors)
    sizes = np.array([box.mean(axis=1) for box in boxes])  # (factors, leaves), of 1
    middle = float(values @ sizes.prod(axis=0))
    whole = float(values**2 @ sizes.prod(axis=0)) - middle**2
    if whole <= 1e-12 * float(np.max(values**2, initial=0.0)):
        return {}
    means: dict[int, NDArray[np.float64]] = {}
    found: dict[tuple[int, ...], float] = {}
    for one in range(factors):
        weight = values * np.delete(sizes, one, axis=0).prod(axis=0)
        means[one] = weight @ boxes[one] - middle
        found[(one,)] = float(np.mean(means[one] ** 2)) / whole
    for one, other in combinations(range(factors), 2):
        weight = values * np.delete(sizes, [one, other], axis=0).prod(axis=0)
        both = (boxes[one] * weight[:, None]).T @ boxes[other] - middle
        added = both - means[one][:, None] - means[other]
        found[(one, other)] = float(np.mean(added**2)) / whole
    return found


def _leaves(tree: Any, encoding: _Encoding, factors: int) -> tuple[NDArray[np.float64], list[NDArray[np.float64]]]:
    """`(leaves,)` values, and for each factor `(leaves, levels)`: 1 where a leaf holds a level, else 0."""
    sizes = {place: len(code) for place, code in zip(encoding.factors, encoding.codes, strict=True)}
    waiting = [(0, {place: np.ones(sizes[place], dtype=bool) for place in range(factors)})]
    values, boxes = [], []
    while waiting:
        node, box = waiting.pop()
        if tree.children_left[node] < 0:
            values.append(float(tree.value[node].item()))
            boxes.append(box)
            continue
        column = int(tree.feature[node])
        place = encoding.factors[column]
        left = encoding.codes[column] <= tree.threshold[node]
        waiting.append((int(tree.children_left[node]), {**box, place: box[place] & left}))
        waiting.append((int(tree.children_right[node]), {**box, place: box[place] & ~left}))
    return np.array(values), [np.array([box[place] for box in boxes], dtype=np.float64) for place in range(factors)]
