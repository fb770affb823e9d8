"""Tests beside F that need less: Welch's, for unequal variances, and one by permutation, for any distribution."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, stats

from unetdyn._checks import check_count
from unetdyn.analysis.comparison.analysis_of_variance import FACTORS, anova
from unetdyn.analysis.comparison.design import levels, names, usable
from unetdyn.analysis.comparison.linear_model import LinearModel, Term
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.comparison.permutations import arrangements, drawn, every_arrangement
from unetdyn.analysis.result import Determinable, Result, number

_ENOUGH = 100  # arrangements within the cells of the others, for p to reach 0.01
_AT_ONCE = 1000  # permutations
_TIE = 1e-9  # of F: what differs by less is rounding
_ROUNDING = 1e-9  # of the largest: which directions of a term the others have already

EXACT = "within the cells of the other factors and blocks"
FREEDMAN_LANE = "of what the other terms leave (Freedman–Lane)"


@dataclass(frozen=True)
class RobustTest(Determinable):
    """One factor or interaction in `RobustTests`.

    Attributes:
        name: As in `anova`.
        f: F of `anova`.
        p: Its p by the distribution of F.
        welch: Welch's F; NaN where not defined, as for interactions.
        welch_p: Its p.
        permutation_p: The share of permutations with F at least as large; NaN where not defined.
        permutation_error: Its standard error by chance of the draw; 0 where every permutation was taken.
        permutations: How many were.
        exact: Whether these were all there are.
        way: What was permuted, in words.
        welch_reason: In words, why Welch's is not defined; empty where it is.
        reason: In words, why nothing is tested; empty where it is.
    """

    name: str
    f: float = math.nan
    p: float = math.nan
    welch: float = math.nan
    welch_p: float = math.nan
    permutation_p: float = math.nan
    permutation_error: float = math.nan
    permutations: int = 0
    exact: bool = False
    way: str = ""
    welch_reason: str = ""
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        return [(self.name, self._if_determined(self._sentence()))]

    def _sentence(self) -> str:
        welch = self.welch_reason or f"p = {number(self.welch_p)}"
        error = "every one" if self.exact else f"± {number(self.permutation_error, 1)}, {self.permutations} drawn"
        permutation = f"p = {number(self.permutation_p)} ({error}; {self.way})"
        return f"F: p = {number(self.p)}; Welch: {welch}; permutations: {permutation}"


class _Permuted(NamedTuple):
    """The part of a `RobustTest` that is of permutations."""

    permutation_p: float
    permutation_error: float
    permutations: int
    exact: bool
    way: str


@dataclass(frozen=True)
class RobustTests(Result):
    """What `robust_tests` found.

    Attributes:
        tests: Name of the effect → `RobustTest`.
        response: What was analysed.
        runs: How many runs were.
        excluded: Name → why a run was left out.
        notes: What to mind when reading it.
    """

    tests: dict[str, RobustTest]
    response: str
    runs: int
    excluded: dict[str, str]
    notes: tuple[str, ...]

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("analysed", f"{self.response} of {self.runs} runs")]
        rows += [row for test in self.tests.values() for row in test._rows()]
        return rows + left_out(self.excluded, self.notes)


def robust_tests(
    runs: Any,
    factors: str | Sequence[str] = FACTORS,
    response: str = "performance",
    order: int = 1,
    blocks: str | Sequence[str] = (),
    permutations: int = 9999,
    seed: int = 0,
) -> RobustTests:
    """Welch's test and a permutation test of each effect, beside the F of `anova`.

    **Welch's** compares the levels of a factor without supposing one variance. The effects of the other terms are taken
    out first by the model, and its residuals are made larger by √((N − k) / df), for the degrees of freedom that those
    used up; with one factor it is Welch's test as it is. In an unbalanced set it is an approximation. It has no
    interactions.

    **By permutation**, F is compared with itself on permuted runs. Where the factor's levels can be exchanged among
    runs that have all other factors and blocks in common, only these are, in at least 100 ways: exact whatever the
    distribution, if the factor has no effect, alone or with others. Otherwise, and for interactions, what the other
    terms leave is permuted within blocks (Freedman and Lane): nearly exact. Where there are few permutations, all are
    taken; otherwise p = (1 + b) / (1 + `permutations`), b of which had an F at least as large. A permutation test too
    supposes that the levels have one variance if there is no effect: with unequal ones read Welch's.

    Args:
        runs: See `as_summaries`.
        factors: See `anova`.
        response: See `anova`.
        order: See `anova`.
        blocks: See `anova`.
        permutations: How many at most, 99 or more. Default 9999: p = 0.05 is then within ± 0.004.
        seed: Of those that are drawn at random.

    Returns:
        A `RobustTests`.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: As `anova`, or if `permutations` is below 99.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> values = {1e-2: [0.2, 0.3, 0.28], 1e-3: [0.6, 0.7, 0.61]}
        >>> print(robust_tests([
        ...     summarise({"val_jaccard": [value]}, factors={"learning_rate": rate})
        ...     for rate, several in values.items() for value in several
        ... ], "learning_rate"))
        analysed       performance of 6 runs
        learning_rate  F: p = 0.00103; Welch: p = 0.00104; permutations: p = 0.1 (every one; within the cells of \
the other factors and blocks)
        note           learning_rate: there are 20 arrangements in all, so that p is 0.05 at least, or twice that with \
two levels

    Reference:
        Welch, On the comparison of several mean values (1951); Freedman and Lane, A nonstochastic interpretation of
        reported significance levels (1983); Anderson and ter Braak, Permutation tests for multi-factorial analysis of
        variance (2003).
    """
    check_count("permutations", permutations, 99, unit="")
    factors, blocks = names(factors), names(blocks)
    summaries = as_summaries(runs)
    effects = anova(summaries, factors, response, order, blocks).effects
    kept, excluded = usable(summaries, [*factors, *blocks], response)
    model = LinearModel.of(kept, factors, response, order, blocks)
    tests, notes = {}, comparison_notes(kept)
    for term in model.terms:
        effect = effects[" × ".join(term)]
        if not effect.determined:
            tests[effect.name] = RobustTest(effect.name, reason=effect.reason)
            continue
        welch = _welch(term, model, effect.df)
        found = _permuted(term, model, permutations, seed)
        tests[effect.name] = RobustTest(
            effect.name, effect.f, effect.p, *welch[:2], **found._asdict(), welch_reason=welch[2]
        )
        if found.exact and found.permutations < _ENOUGH:
            all_of_them = f"there are {found.permutations} arrangements in all"
            least = f"p is {number(1 / found.permutations)} at least, or twice that with two levels"
            notes.append(f"{effect.name}: {all_of_them}, so that {least}")
    return RobustTests(tests, response, len(kept), excluded, tuple(notes))


def _welch(term: Term, model: LinearModel, df: int) -> tuple[float, float, str]:
    """F, p, and why there are none."""
    if len(term) > 1:
        return math.nan, math.nan, "not for interactions"
    index, others = model.indices[term[0]], model.without(term)
    coefficients = np.linalg.lstsq(model.design([*others, term]), model.y)[0]
    own = model.columns[term] @ coefficients[-model.columns[term].shape[1] :]
    count, used = len(model.y), int(index.max()) + 1
    if df < used - 1:
        return math.nan, math.nan, "not defined: its levels change partly together with the others"
    values = own + model.residuals * math.sqrt((count - used) / model.residual_df)
    groups = [values[index == level] for level in range(used)]
    if min(map(len, groups)) < 2:
        return math.nan, math.nan, "not defined: a level has one run only"
    if min(np.ptp(group) for group in groups) <= 1e-12 * np.ptp(model.y):
        return math.nan, math.nan, "not defined: the runs of a level do not differ at all"
    found = stats.f_oneway(*groups, equal_var=False)
    return float(found.statistic), float(found.pvalue), ""


def _permuted(term: Term, model: LinearModel, count: int, seed: int) -> _Permuted:
    basis, whole = linalg.orth(model.design(model.without(term))), linalg.orth(model.whole)
    columns = model.columns[term]
    own = linalg.orth(columns - basis @ (basis.T @ columns), rcond=_ROUNDING)
    y, strata, ways = _exchangeable(term, model)
    way, exact = EXACT, ways is not None and ways <= count + 1
    if ways is None:
        y, strata, way = model.y - basis @ (basis.T @ model.y), _strata(model, model.blocks), FREEDMAN_LANE
    y = y - y.mean()

    def f(values: NDArray[np.float64]) -> NDArray[np.float64]:  # but for its degrees of freedom
        rest = np.sum(values**2, axis=1) - np.sum((values @ whole) ** 2, axis=1)
        return np.sum((values @ own) ** 2, axis=1) / np.maximum(rest, np.finfo(np.float64).tiny)

    found = f(model.y[None, :] - model.y.mean())[0] * (1 - _TIE)
    if exact:
        orders = every_arrangement(strata, model.indices[term[0]])
        p = float(np.mean(f(y[orders]) >= found))
        return _Permuted(p, 0.0, len(orders), True, way)
    rng, larger = np.random.default_rng(seed), 0
    for begin in range(0, count, _AT_ONCE):
        orders = drawn(strata, min(_AT_ONCE, count - begin), rng)
        larger += int(np.sum(f(y[orders]) >= found))
    p = (1 + larger) / (1 + count)
    return _Permuted(p, math.sqrt(p * (1 - p) / count), count, False, way)


def _exchangeable(term: Term, model: LinearModel) -> tuple[NDArray[np.float64], NDArray[np.int64], int | None]:
    """y, the strata of runs that differ in this factor alone, and in how many ways; None where these are too few."""
    strata = _strata(model, [name for name in (*model.blocks, *model.terms) if len(name) == 1 and name != term])
    if len(term) > 1:
        return model.y, strata, None
    ways = arrangements(strata, model.indices[term[0]])
    alone = not strata.any()  # with nothing to allow for, permuting all is what Freedman and Lane do too
    return model.y, strata, ways if alone or ways >= _ENOUGH else None


def _strata(model: LinearModel, of: Sequence[Term]) -> NDArray[np.int64]:
    """`(runs,)` index of the levels that each has of some factors."""
    several = [model.indices[name].tolist() for (name,) in of]
    return levels(zip(*several, strict=True))[0] if several else np.zeros(len(model.y), dtype=np.int64)
