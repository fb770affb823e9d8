"""How much performance changes with the learning rate and the batch size."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from unetdyn._checks import check_fraction
from unetdyn.analysis.comparison.design import dummies, levels, names, recorded, responses, usable
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.comparison.summary import RunSummary
from unetdyn.analysis.result import Determinable, Result, interval, number

HELD = ("architecture",)

_ALONE = 1e-9  # of 1: how near to 1 a leverage is 1


@dataclass(frozen=True)
class Slope(Determinable):
    """A partial derivative.

    Attributes:
        estimate: NaN where not defined.
        low: Lower end of its interval; NaN where not defined.
        high: Upper end.
        reason: In words, why the slope or its interval is not defined; empty where both are.
    """

    estimate: float = math.nan
    low: float = math.nan
    high: float = math.nan
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        return [("slope", str(self))]

    def __str__(self) -> str:
        ends = self._if_determined(interval(self.low, self.high))
        return ends if np.isnan(self.estimate) else f"{number(self.estimate)} ({ends})"


@dataclass(frozen=True)
class Sensitivity(Result):
    """What `sensitivity` found.

    Attributes:
        learning_rate: dJ / d log₁₀(learning rate), the change for a rate ten times as high.
        batch_size: dJ / d batch size, the change for one image more in a batch.
        response: What changes.
        held: The factors that were held.
        runs: How many runs it is from.
        residual_df: Degrees of freedom left over.
        confidence: Of the intervals.
        robust: Whether they allow for unequal scatter.
        excluded: Name → why a run was left out.
        notes: What makes these runs hard to compare.
    """

    learning_rate: Slope
    batch_size: Slope
    response: str
    held: tuple[str, ...]
    runs: int
    residual_df: int
    confidence: float
    robust: bool
    excluded: dict[str, str]
    notes: tuple[str, ...] = ()

    def _rows(self) -> list[tuple[str, str]]:
        rows = [
            (f"{self.response}, learning rate × 10", str(self.learning_rate)),
            (f"{self.response}, one more image in a batch", str(self.batch_size)),
            ("from", f"{self.runs} runs, {self.residual_df} degrees of freedom left"),
        ]
        rows += [("intervals", f"{100 * self.confidence:g} %")]
        rows += [("held", ", ".join(self.held))] if self.held else []
        return rows + left_out(self.excluded, self.notes)


def sensitivity(
    runs: Any,
    response: str = "performance",
    held: str | Sequence[str] | None = None,
    confidence: float = 0.95,
    robust: bool = True,
) -> Sensitivity:
    """dJ / d log₁₀(learning rate) and dJ / d batch size, from runs that differ in both and in other things.

    Least squares of J = c + s₁ log₁₀(α) + s₂ b + one constant for each value of each held factor. Each slope is thus
    with the others held. It is an average over the range of the runs: a learning rate has an optimum, and on both sides
    of it a straight line says little; look at the runs too.

    Args:
        runs: See `as_summaries`; `learning_rate` and `batch_size` are read from their `factors`.
        response: As in `anova`.
        held: Another factor or others to allow for, as categories. None (default): `architecture`, where any run has
            it.
        confidence: Of the intervals, between 0 and 1.
        robust: True (default) for standard errors that allow for unequal scatter (HC3), because runs with a high
            learning rate scatter more; False for those of equal scatter. Both with Student's t of the residual degrees
            of freedom.

    Returns:
        A `Sensitivity`. A slope is not defined where its factor doesn't vary or only together with others; it has no
        interval where no run is left over, or one run alone decides it.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: If no run has a learning rate, a batch size or one of `held`, `response` is unknown or
            `confidence` is not between 0 and 1.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> settings = [(rate, batch) for rate in (1e-4, 1e-3, 1e-2) for batch in (8, 16)]
        >>> jaccards = [0.70, 0.73, 0.61, 0.64, 0.51, 0.52]
        >>> found = sensitivity([
        ...     summarise({"val_jaccard": [jaccard]}, factors={"learning_rate": rate, "batch_size": batch})
        ...     for (rate, batch), jaccard in zip(settings, jaccards)
        ... ])
        >>> round(found.learning_rate.estimate, 4), round(found.batch_size.estimate, 5)
        (-0.1, 0.00292)

    Reference:
        What is asked for: the studies (docs/studies.md), whose own figures are in `STUDIES_TABLES["sensitivity"]`. HC3:
        MacKinnon and White, Some heteroskedasticity-consistent covariance matrix estimators with improved finite sample
        properties (1985).
    """
    check_fraction("confidence", confidence)
    summaries = as_summaries(runs)
    held = recorded(HELD, summaries) if held is None else names(held)
    kept, excluded = usable(summaries, ["learning_rate", "batch_size", *held], response)
    positive = [run for run in kept if _is_positive(run)]
    excluded |= {run.name: "its learning rate or batch size is not above 0" for run in kept if run not in positive}
    y = responses(positive, response)
    design = np.column_stack(
        [
            np.ones(len(y)),
            np.log10([run.factors["learning_rate"] for run in positive]),
            np.array([run.factors["batch_size"] for run in positive], dtype=np.float64),
            *(dummies(levels(run.factors[name] for run in positive)[0]) for name in held),
        ]
    )
    residual_df = len(y) - _rank(design)
    rate, batch = (_slope(design, y, column, confidence, robust) for column in (1, 2))
    notes = tuple(comparison_notes(positive))
    return Sensitivity(rate, batch, response, held, len(y), residual_df, confidence, robust, excluded, notes)


def _is_positive(run: RunSummary) -> bool:
    values = (run.factors["learning_rate"], run.factors["batch_size"])
    return all(isinstance(value, Real) and 0 < float(value) < np.inf for value in values)


def _rank(design: NDArray[np.float64]) -> int:
    return int(np.linalg.matrix_rank(design)) if len(design) else 0


def _slope(design: NDArray[np.float64], y: NDArray[np.float64], column: int, confidence: float, robust: bool) -> Slope:
    if len(y) == 0 or np.ptp(design[:, column]) == 0:
        return Slope(reason="it is the same in every run" if len(y) else "there are no runs to compare")
    rank = _rank(design)
    if _rank(np.delete(design, column, axis=1)) == rank:
        return Slope(reason="it changes only together with the other factors")
    inverse = np.linalg.pinv(design)
    estimate = float(inverse[column] @ y)
    residual_df = len(y) - rank
    if residual_df == 0:
        return Slope(estimate, reason="no run is left over to measure the scatter")
    error = _standard_error(design, y, inverse, column, residual_df, robust)
    if np.isnan(error):
        return Slope(estimate, reason="one run alone decides it; repeat that setting, or take robust=False")
    half = float(stats.t.isf((1 - confidence) / 2, residual_df)) * error
    return Slope(estimate, estimate - half, estimate + half)


def _standard_error(
    design: NDArray[np.float64],
    y: NDArray[np.float64],
    inverse: NDArray[np.floating[Any]],
    column: int,
    residual_df: int,
    robust: bool,
) -> float:
    """Of one coefficient: the root of Σ cᵢ² eᵢ² / (1 − hᵢ)² (HC3), or with equal scatter of Σ cᵢ² · Σ eᵢ² / df."""
    weights, residuals = inverse[column], y - design @ (inverse @ y)
    if not robust:
        return float(np.sqrt(np.sum(weights**2) * np.sum(residuals**2) / residual_df))
    leverage = np.einsum("ij,ji->i", design, inverse)
    alone = leverage > 1 - _ALONE  # fitted exactly, whatever its value: it says nothing of the scatter
    if np.abs(weights[alone]).max(initial=0.0) > _ALONE * np.abs(weights).max():
        return math.nan
    return float(np.sqrt(np.sum((weights[~alone] * residuals[~alone] / (1 - leverage[~alone])) ** 2)))
