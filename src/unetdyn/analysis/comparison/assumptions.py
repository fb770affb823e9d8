"""Whether runs are what an analysis of variance supposes: its residuals, and which test to read."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.comparison.analysis_of_variance import FACTORS
from unetdyn.analysis.comparison.design import names, usable
from unetdyn.analysis.comparison.linear_model import LinearModel, check_blocks, check_order
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.comparison.residual_checks import (
    Check,
    Residual,
    normality_of,
    quantiles_of,
    spreads_of,
    standardised_residuals,
    trend_of,
)
from unetdyn.analysis.result import Result, number

FAR = 3.0  # standardised residuals beyond: three in a thousand of a normal distribution
_SHOWN = 5


@dataclass(frozen=True)
class Assumptions(Result):
    """What `assumptions` found.

    Attributes:
        normality: Shapiro and Wilk's test of the standardised residuals.
        spread: Factor → Brown and Forsythe's test, whether its levels scatter alike; p adjusted by Holm.
        ratios: Factor → the largest standard deviation of a level's residuals over the smallest; NaN where not defined.
        trend: Kendall's τ of the residuals with time.
        residuals: Of every run, in their order.
        quantiles: Of the normal distribution, ascending: the horizontal axis of a QQ picture.
        ordered: The standardised residuals, ascending: the vertical one.
        read: `"F"`, `"Welch"` or `"permutation"`: which test of `robust_tests` to read.
        why: The same in a sentence.
        response: What was analysed.
        excluded: Name → why a run was left out.
        notes: What to mind when reading it.
    """

    normality: Check
    spread: dict[str, Check]
    ratios: dict[str, float]
    trend: Check
    residuals: tuple[Residual, ...]
    quantiles: tuple[float, ...]
    ordered: tuple[float, ...]
    read: str
    why: str
    response: str
    excluded: dict[str, str]
    notes: tuple[str, ...]

    @property
    def largest(self) -> tuple[Residual, ...]:
        """The five that are farthest out, the farthest first."""
        defined = [residual for residual in self.residuals if not math.isnan(residual.standardised)]
        return tuple(sorted(defined, key=lambda residual: -abs(residual.standardised))[:_SHOWN])

    @property
    def equal_variances(self) -> bool:
        """Whether no factor's levels were seen to scatter by different amounts."""
        return not any(check.failed for check in self.spread.values())

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("read", f"{self.read}: {self.why}"), ("normal", str(self.normality))]
        for factor, check in self.spread.items():
            ratio = self.ratios[factor]
            times = "" if math.isnan(ratio) else f"; standard deviations differ {number(ratio, 2)} times"
            rows.append((f"same scatter, {factor}", f"{check}{times}"))
        rows.append(("no trend", str(self.trend)))
        rows += [("farthest out", "; ".join(f"{r.name} {number(r.standardised, 2)}" for r in self.largest))]
        return rows + left_out(self.excluded, self.notes)


def assumptions(
    runs: Any,
    factors: str | Sequence[str] = FACTORS,
    response: str = "performance",
    order: int = 1,
    blocks: str | Sequence[str] = (),
    times: Mapping[str, float] | None = None,
) -> Assumptions:
    """Looks at the residuals of `anova`'s model: are they normal, of one variance, and without a trend?

    Which test to read: Welch's where the levels of a factor scatter by different amounts (Brown and Forsythe's test of
    the residuals by level, adjusted by Holm, p < 0.05), because F and permutations may then err; otherwise the
    permutation test where the residuals are not normal (Shapiro and Wilk, p < 0.05) or one lies beyond 3 standard
    deviations, which costs power where it is a diverged run; otherwise F. With few runs these checks see gross
    violations alone: where the three tests disagree, trust none of them much, and say so.

    Args:
        runs: See `as_summaries`.
        factors: See `anova`.
        response: See `anova`.
        order: See `anova`. An interaction that is left out of the model is in the residuals.
        blocks: See `anova`; their levels' scatter is looked at as well.
        times: Name of a run → when it was made, in any unit. None (default): the order of `runs`. A machine that got
            slower or a data set that grew shows as a trend; not where the runs were made in the order of their
            settings, of which it can't be told.

    Returns:
        An `Assumptions`. A check that the runs are too few for says so.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: As `anova`, or if `times` lacks a run.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> values = {"UNet": [0.61, 0.63, 0.66, 0.62], "Att": [0.70, 0.76, 0.71, 0.74]}
        >>> print(assumptions([
        ...     summarise({"val_jaccard": [value]}, f"{name} {seed}", factors={"architecture": name})
        ...     for name, several in values.items() for seed, value in enumerate(several)
        ... ], "architecture"))
        read                        F: normality and equal scatter were looked at, and nothing speaks against them
        normal                      Shapiro–Wilk 0.913, p = 0.379
        same scatter, architecture  Brown–Forsythe 0.771, p = 0.414; standard deviations differ 1.3 times
        no trend                    Kendall's τ 0.143, p = 0.72
        farthest out                Att 1 1.5; UNet 2 1.4; Att 0 -1.3; UNet 0 -0.93; Att 2 -0.82

    Reference:
        Shapiro and Wilk, An analysis of variance test for normality (1965); Brown and Forsythe, Robust tests for the
        equality of variances (1974); Kendall, A new measure of rank correlation (1938).
    """
    factors, blocks = names(factors), names(blocks)
    check_order(order, factors)
    check_blocks(blocks, factors)
    kept, excluded = usable(as_summaries(runs), [*factors, *blocks], response)
    model = LinearModel.of(kept, factors, response, order, blocks)
    when = _times(times, [run.name for run in kept])
    if model.untestable:
        nothing = {factor: Check("Brown–Forsythe", reason=model.untestable) for factor in (*factors, *blocks)}
        normality, trend = (Check(name, reason=model.untestable) for name in ("Shapiro–Wilk", "Kendall's τ"))
        standardised, spread = np.full(len(kept), math.nan), nothing
        ratios = dict.fromkeys(nothing, math.nan)
    else:
        standardised = standardised_residuals(model)
        normality = normality_of(standardised)
        spread, ratios = spreads_of(model, [*factors, *blocks])
        trend = trend_of(standardised, when)
    quantiles, ordered = quantiles_of(standardised)
    notes = (*comparison_notes(kept), *_notes(trend))
    fitted, left = (model.fitted, model.residuals) if len(kept) else (np.array([]), np.array([]))
    residuals = tuple(
        Residual(run.name, float(fit), float(rest), float(z))
        for run, fit, rest, z in zip(kept, fitted, left, standardised, strict=True)
    )
    read, why = _which(normality, spread, ratios, standardised)
    if trend.failed:
        why += "; but the residuals change from the first run to the last, which no test here allows for"
    return Assumptions(
        normality, spread, ratios, trend, residuals, quantiles, ordered, read, why, response, excluded, notes
    )


def _times(times: Mapping[str, float] | None, runs: Sequence[str]) -> NDArray[np.float64]:
    if times is None:
        return np.arange(len(runs), dtype=np.float64)
    lacking = [name for name in runs if name not in times]
    if lacking:
        raise ValueError(f"`times` must have every run by its name, or be None. Received: none for {lacking[0]!r}.")
    return np.array([times[name] for name in runs], dtype=np.float64)


def _notes(trend: Check) -> list[str]:
    if not trend.failed:
        return []
    return [
        "the residuals change from the first run to the last: with time, or, where runs come seed by seed, with the "
        "seed; as a block, that is allowed for"
    ]


def _which(
    normality: Check, spread: Mapping[str, Check], ratios: Mapping[str, float], standardised: NDArray[np.float64]
) -> tuple[str, str]:
    """Which test to read, and why."""
    uneven = [factor for factor, check in spread.items() if check.failed]
    if uneven:
        worst = max(uneven, key=lambda factor: ratios[factor])
        times = f"{number(ratios[worst], 2)} times"
        return "Welch", f"the levels of {', '.join(uneven)} scatter by different amounts, {worst} by {times}"
    if normality.failed:
        return "permutation", "the residuals are not normal"
    if np.any(np.abs(standardised) > FAR):
        return "permutation", f"a residual lies beyond {number(FAR)} standard deviations"
    checks = [normality, *spread.values()]
    if not all(check.determined for check in checks):
        return "permutation", "there are too few runs to look at what F supposes"
    return "F", "normality and equal scatter were looked at, and nothing speaks against them"
