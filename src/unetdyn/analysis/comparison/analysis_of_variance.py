"""Which settings make a difference: analysis of variance over runs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from scipy import stats

from unetdyn.analysis.comparison.design import fit, names, usable
from unetdyn.analysis.comparison.linear_model import LinearModel, Term, check_blocks, check_order
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.result import Determinable, Result, number

FACTORS = ("architecture", "learning_rate", "batch_size")
MEDIUM, LARGE = 0.25, 0.40  # Cohen's f


@dataclass(frozen=True)
class Effect(Determinable):
    """One line of an `Anova`.

    Attributes:
        name: The factor, or the factors of an interaction with `×` between them.
        df: Degrees of freedom; 0 where it can't be tested.
        sum_of_squares: Type II.
        residual_df: Those of what the factors leave.
        f: F; NaN where not defined.
        p: The probability of an F at least as large if there is no effect; NaN where not defined.
        eta_squared: Its share of the total sum of squares, η².
        partial_eta_squared: Its share of its own and the residual sum of squares.
        omega_squared: ω², the share corrected for chance; it may be slightly below 0.
        power_medium: The probability of p < 0.05 if the effect is of Cohen's medium size, f = 0.25.
        power_large: The same of his large size, f = 0.40.
        reason: In words, why it is not tested; empty where it is.
    """

    name: str
    df: int
    sum_of_squares: float
    residual_df: int
    f: float = math.nan
    p: float = math.nan
    eta_squared: float = math.nan
    partial_eta_squared: float = math.nan
    omega_squared: float = math.nan
    power_medium: float = math.nan
    power_large: float = math.nan
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        return [(self.name, self._if_determined(self._sentence()))]

    def _sentence(self) -> str:
        power = f"{100 * self.power_medium:.0f} % for a medium effect, {100 * self.power_large:.0f} % for a large one"
        test = f"F({self.df}, {self.residual_df}) = {number(self.f, 4)}, p = {number(self.p)}"
        return f"{test}; η² {number(self.eta_squared)}, ω² {number(self.omega_squared)}; power {power}"


@dataclass(frozen=True)
class Block(Result):
    """A line of an `Anova` that is allowed for, and not tested.

    Attributes:
        name: The block factor.
        df: Degrees of freedom that it takes.
        sum_of_squares: Type II, as that of the effects.
    """

    name: str
    df: int
    sum_of_squares: float

    def _rows(self) -> list[tuple[str, str]]:
        return [(f"block {self.name}", f"{self.df} df, sum of squares {number(self.sum_of_squares)}; not tested")]


@dataclass(frozen=True)
class Anova(Result):
    """What `anova` found.

    Attributes:
        effects: Name → `Effect`.
        response: What was analysed.
        runs: How many runs were.
        residual_df: Degrees of freedom of what the factors leave.
        residual_sum_of_squares: What they leave.
        total_sum_of_squares: Around the mean.
        excluded: Name → why a run was left out.
        notes: What to mind when reading it.
        blocks: Name → `Block`, of what is allowed for.
    """

    effects: dict[str, Effect]
    response: str
    runs: int
    residual_df: int
    residual_sum_of_squares: float
    total_sum_of_squares: float
    excluded: dict[str, str]
    notes: tuple[str, ...]
    blocks: dict[str, Block] = field(default_factory=dict)

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("analysed", f"{self.response} of {self.runs} runs")]
        rows += [row for block in self.blocks.values() for row in block._rows()]
        rows += [row for effect in self.effects.values() for row in effect._rows()]
        left = f"{self.residual_df} df, sum of squares {number(self.residual_sum_of_squares)}"
        rows.append(("residual", f"{left} of {number(self.total_sum_of_squares)}"))
        return rows + left_out(self.excluded, self.notes)


def anova(
    runs: Any,
    factors: str | Sequence[str] = FACTORS,
    response: str = "performance",
    order: int = 1,
    blocks: str | Sequence[str] = (),
) -> Anova:
    """Analysis of variance of runs over their settings, with type II sums of squares.

    For a term T: SS_T = RSS(all terms that don't contain T, without T) − RSS(the same with T), by least squares with
    each factor's values as categories; F = (SS_T / df_T) / (RSS / df) with RSS and df of the model with every term.
    η² = SS_T / SS_total; ω² = (SS_T − df_T · MSE) / (SS_total + MSE). In an unbalanced set the η² need not add up.

    It supposes independent runs whose residuals are normal with one variance, and without interactions
    (`order=1`) that factors add up. With few runs it sees only large effects: `power_medium` and `power_large` say how
    surely, and a p above 0.05 is no evidence that a factor has no effect.

    Args:
        runs: See `as_summaries`.
        factors: A name in the runs' `factors`, or several. A setting of None is a value like any other; a run that does
            not have the factor is left out. A factor with one value in all runs is listed and not tested.
        response: `"performance"` (default), `"final"`, `"stability"`, `"coefficient_of_variation"` or `"seconds"`.
        order: How many factors an interaction may have at most. 1 (default): none, because each interaction of a small
            set of runs uses up the degrees of freedom that the test lives on.
        blocks: A name, or several, of what was varied but is not asked about, such as the machine or the fold: always
            in the model, so that the factors are tested within blocks, and not tested themselves. `"seed"`, where every
            cell was trained with the same seeds, allows for seeds that are good or bad everywhere. None by default.

    Returns:
        An `Anova`. A term that can't be told from others, or that nothing is left to test against, says so.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: If no run has one of the factors or blocks, `response` is unknown, `order` is not from 1 to the
            number of factors, or a block is a factor too.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> runs = [
        ...     summarise({"val_jaccard": [value]}, factors={"learning_rate": rate})
        ...     for rate, value in [(1e-2, 0.2), (1e-2, 0.3), (1e-3, 0.6), (1e-3, 0.7)]
        ... ]
        >>> found = anova(runs, ["learning_rate"]).effects["learning_rate"]
        >>> round(found.f, 3), round(found.p, 4), round(found.eta_squared, 3)
        (32.0, 0.0299, 0.941)

    Reference:
        Fisher, Statistical Methods for Research Workers (1925); ω²: Hays, Statistics for Psychologists (1963); medium
        and large: Cohen, Statistical Power Analysis for the Behavioral Sciences (1988).
    """
    factors, blocks = names(factors), names(blocks)
    check_order(order, factors)
    check_blocks(blocks, factors)
    kept, excluded = usable(as_summaries(runs), [*factors, *blocks], response)
    model = LinearModel.of(kept, factors, response, order, blocks)
    effects = {" × ".join(term): _effect(term, model) for term in model.terms}
    allowed = {term[0]: Block(term[0], *_added(term, model)) for term in model.blocks} if kept else {}
    notes = (*comparison_notes(kept), *_caveats(effects, len(kept)))
    squares = (model.residual_squares, model.total_squares)
    return Anova(effects, response, len(kept), model.residual_df, *squares, excluded, notes, allowed)


def anova_power(f: float, runs: int, df: int, residual_df: int, alpha: float = 0.05) -> float:
    """The probability that an F test finds an effect of a given size: P(F′ > F_crit), noncentrality λ = f² · runs.

    Args:
        f: Cohen's effect size, the standard deviation of the true group means over that within groups; 0.1 is called
            small, 0.25 medium, 0.4 large.
        runs: How many there are in all.
        df: Degrees of freedom of the effect.
        residual_df: Of the residual.
        alpha: Below which p counts as found; 0.05 by convention.

    Returns:
        From `alpha` (no effect) to 1; NaN without degrees of freedom.

    Example:
        >>> round(anova_power(0.4, runs=9, df=2, residual_df=6), 3)
        0.124

    Reference:
        Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), chapter 8.
    """
    if df < 1 or residual_df < 1:
        return math.nan
    critical = stats.f.isf(alpha, df, residual_df)
    # At λ = 0 SciPy's noncentral F is the F distribution, which has a function of its own.
    return float(stats.ncf.sf(critical, df, residual_df, f * f * runs)) if f else alpha


def _added(term: Term, model: LinearModel) -> tuple[int, float]:
    """The degrees of freedom and the sum of squares that a term adds to those that don't contain it."""
    others = model.without(term)
    rank, without = fit(model.design(others), model.y)
    rank_with, with_it = fit(model.design([*others, term]), model.y)
    return rank_with - rank, max(without - with_it, 0.0)


def _effect(term: Term, model: LinearModel) -> Effect:
    residual, residual_df, total = model.residual_squares, model.residual_df, model.total_squares
    name, count = " × ".join(term), len(model.y)
    if count == 0 or model.columns[term].shape[1] == 0:
        why = "it has the same value in every run" if count else "there are no runs to analyse"
        return Effect(name, 0, 0.0, residual_df, reason=why)
    df, squares = _added(term, model)
    eta = squares / total if total else math.nan
    reason = "its values change only together with those of the others" if df == 0 else model.untestable
    if reason:
        return Effect(name, df, squares, residual_df, eta_squared=eta, reason=reason)
    mean = residual / residual_df
    f = squares / df / mean
    medium, large = (anova_power(size, count, df, residual_df) for size in (MEDIUM, LARGE))
    omega = (squares - df * mean) / (total + mean)
    p = float(stats.f.sf(f, df, residual_df))
    return Effect(name, df, squares, residual_df, f, p, eta, squares / (squares + residual), omega, medium, large)


def _caveats(effects: dict[str, Effect], runs: int) -> list[str]:
    tested = [effect for effect in effects.values() if effect.determined]
    weak = [effect.name for effect in tested if effect.power_large < 0.8]
    notes = []
    if weak:
        notes.append(
            f"{runs} runs find even a large effect (Cohen's f = {LARGE}) of {', '.join(weak)} in fewer than four of "
            "five cases: a large p there is no evidence of no effect"
        )
    if len(tested) > 1:
        notes.append(f"{len(tested)} tests: by chance alone one in twenty has p < 0.05")
    return notes
