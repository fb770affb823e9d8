"""How large effects are, with intervals: partial η², and the differences between the levels of each factor."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scipy import optimize, stats

from unetdyn._checks import check_fraction
from unetdyn.analysis.comparison.analysis_of_variance import FACTORS, anova
from unetdyn.analysis.comparison.design import names, usable
from unetdyn.analysis.comparison.level_cells import LevelCells
from unetdyn.analysis.comparison.level_differences import LevelDifference, pooled_differences, separate_differences
from unetdyn.analysis.comparison.linear_model import LinearModel
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.result import Determinable, Result, interval, number


@dataclass(frozen=True)
class EffectInterval(Determinable):
    """The size of an effect.

    Attributes:
        name: As in `anova`.
        partial_eta_squared: Its share of its own and the residual sum of squares; NaN where not defined.
        low: Lower end of the interval, ≥ 0; NaN where not defined.
        high: Upper end.
        reason: In words, why it has none; empty where it has.
    """

    name: str
    partial_eta_squared: float = math.nan
    low: float = math.nan
    high: float = math.nan
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        shown = f"{number(self.partial_eta_squared)} ({interval(self.low, self.high)})"
        return [(f"{self.name}, partial η²", self._if_determined(shown))]


@dataclass(frozen=True)
class EffectIntervals(Result):
    """What `effect_intervals` found.

    Attributes:
        effects: Name → `EffectInterval`.
        differences: Factor → the differences between its levels, each pair once.
        method: `"Tukey–Kramer"` or `"Games–Howell"`, by which these have their intervals.
        response: What was analysed.
        runs: How many runs were.
        confidence: Of the simultaneous intervals, and of each end of those of η².
        excluded: Name → why a run was left out.
        notes: What to mind when reading it.
    """

    effects: dict[str, EffectInterval]
    differences: dict[str, tuple[LevelDifference, ...]]
    method: str
    response: str
    runs: int
    confidence: float
    excluded: dict[str, str]
    notes: tuple[str, ...]

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("analysed", f"{self.response} of {self.runs} runs")]
        rows += [row for effect in self.effects.values() for row in effect._rows()]
        for factor, pairs in self.differences.items():
            rows += [(f"{factor}: {label}", shown) for pair in pairs for label, shown in pair._rows()]
        percent = 100 * self.confidence
        how = f"{percent:g} % for all pairs of a factor at once ({self.method}); η²: {2 * percent - 100:g} %"
        return [*rows, ("intervals", how), *left_out(self.excluded, self.notes)]


def effect_intervals(
    runs: Any,
    factors: str | Sequence[str] = FACTORS,
    response: str = "performance",
    order: int = 1,
    blocks: str | Sequence[str] = (),
    confidence: float = 0.95,
    equal_variances: bool = True,
) -> EffectIntervals:
    """Intervals for the size of each effect, and for the difference between each two levels of a factor.

    **Partial η²**: the noncentralities λ at which the F that was found is at the upper and at the lower
    1 − `confidence` of the noncentral F distribution, as λ / (λ + runs), the population's share. The interval of
    `confidence=0.95` is thus one of 90 %, each end of which alone errs in 5 %: η² can't be negative, so that its lower
    end is above 0 exactly where p < 0.05. An interval of 95 % would not say the same as the test.

    **Differences**: of the means over the settings of all other factors, each of which counts alike, so that lost runs
    don't shift them. For all pairs of a factor at once, all intervals hold the truth with `confidence`:

    - one variance (`equal_variances=True`): Tukey–Kramer, with the residual mean square of the model;
    - several (False): Games–Howell, with the variance of each cell and Satterthwaite's degrees of freedom, over the
      settings that every level was run with. It needs two runs in each cell, with blocks among the settings.

    They hold for one factor, not for several at once: for what was found among many see `adjusted_tests`.

    Args:
        runs: See `as_summaries`.
        factors: See `anova`.
        response: See `anova`.
        order: See `anova`.
        blocks: See `anova`.
        confidence: Between 0.5 and 1; default 0.95.
        equal_variances: Whether all settings scatter alike; `assumptions` looks at that. Default True.

    Returns:
        An `EffectIntervals`.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: As `anova`, or if `confidence` is not between 0.5 and 1.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> values = {"UNet": [0.61, 0.63, 0.64], "AttentionUNet": [0.70, 0.73, 0.71]}
        >>> print(effect_intervals([
        ...     summarise({"val_jaccard": [value]}, factors={"architecture": name})
        ...     for name, several in values.items() for value in several
        ... ], "architecture"))
        analysed                            performance of 6 runs
        architecture, partial η²            0.923 (0.521 to 0.953)
        architecture: UNet − AttentionUNet  -0.0867 (-0.121 to -0.052), p = 0.00225
        intervals                           95 % for all pairs of a factor at once (Tukey–Kramer); η²: 90 %

    Reference:
        Steiger, Beyond the F test (2004); Kramer, Extension of multiple range tests to group means with unequal numbers
        of replications (1956); Games and Howell, Pairwise multiple comparison procedures with unequal n's and/or
        variances (1976); Satterthwaite, An approximate distribution of estimates of variance components (1946).
    """
    check_fraction("confidence", confidence)
    if confidence <= 0.5:
        raise ValueError(f"`confidence` must lie between 0.5 and 1. Received: confidence={confidence!r}.")
    factors, blocks = names(factors), names(blocks)
    summaries = as_summaries(runs)
    analysed = anova(summaries, factors, response, order, blocks)
    kept, excluded = usable(summaries, [*factors, *blocks], response)
    model = LinearModel.of(kept, factors, response, order, blocks)
    effects = {
        name: EffectInterval(name, reason=effect.reason)
        if not effect.determined
        else EffectInterval(
            name,
            effect.partial_eta_squared,
            *_eta_interval(effect.f, effect.df, effect.residual_df, len(kept), 1 - confidence),
        )
        for name, effect in analysed.effects.items()
    }
    notes = comparison_notes(kept)
    differences = {}
    for factor in factors:
        if equal_variances:
            differences[factor] = pooled_differences(model, factor, confidence)
        else:
            others = [name for name in (*factors, *blocks) if name != factor]
            cells = LevelCells.of(kept, factor, others, model.y)
            differences[factor] = separate_differences(cells, confidence)
            if cells.left_out and cells.settings:
                notes.append(f"{factor}: {cells.left_out} runs have settings that not every level was run with")
    method = "Tukey–Kramer" if equal_variances else "Games–Howell"
    return EffectIntervals(effects, differences, method, response, len(kept), confidence, excluded, tuple(notes))


def _eta_interval(f: float, df: int, residual_df: int, runs: int, tail: float) -> tuple[float, float]:
    """The shares λ / (λ + runs) at which so large an F, and so small a one, has the probability `tail`."""
    ends = []
    for share in (1 - tail, tail):  # P(F' ≤ f) falls as λ grows
        if stats.f.cdf(f, df, residual_df) <= share:
            ends.append(0.0)
            continue
        most = 1.0 + f * df
        while stats.ncf.cdf(f, df, residual_df, most) > share:
            most *= 2

        def excess(size: float, share: float = share) -> float:
            within = stats.ncf.cdf(f, df, residual_df, size) if size > 0 else stats.f.cdf(f, df, residual_df)
            return float(within - share)

        ends.append(float(optimize.brentq(excess, 0.0, most)))
    low, high = (size / (size + runs) for size in ends)
    return low, high
