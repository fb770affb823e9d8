"""What is looked at in the residuals of a linear model: normality, scatter by level, a trend."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from unetdyn.analysis.comparison.linear_model import LinearModel
from unetdyn.analysis.comparison.multiplicity import holm
from unetdyn.analysis.result import Determinable, Result, number

ALPHA = 0.05  # below which a check counts as failed, by convention
_EXACT = 1e-9  # of 1: how near to 1 a leverage is 1


@dataclass(frozen=True)
class Check(Determinable):
    """One thing that was looked at.

    Attributes:
        name: Of the test.
        statistic: Its value; NaN where not defined.
        p: The probability of one as far out if the assumption holds; NaN where not defined.
        reason: In words, why it can't be told; empty where it can.
    """

    name: str
    statistic: float = math.nan
    p: float = math.nan
    reason: str = ""

    @property
    def failed(self) -> bool:
        """Whether p is below 0.05; False too where it can't be told."""
        return self.p < ALPHA

    def _rows(self) -> list[tuple[str, str]]:
        return [(self.name, str(self))]

    def __str__(self) -> str:
        return self._if_determined(f"{self.name} {number(self.statistic)}, p = {number(self.p)}")


@dataclass(frozen=True)
class Residual(Result):
    """What the model leaves of a run.

    Attributes:
        name: Of the run.
        fitted: What the model says of it.
        value: The response less that.
        standardised: `value` over its standard deviation, s √(1 − leverage); NaN for a run that is fitted exactly.
    """

    name: str
    fitted: float
    value: float
    standardised: float

    def _rows(self) -> list[tuple[str, str]]:
        return [(self.name, f"{number(self.value)}, {number(self.standardised)} standard deviations")]


def standardised_residuals(model: LinearModel) -> NDArray[np.float64]:
    """Residuals over their own standard deviation."""
    left = 1.0 - model.leverage
    spread = np.sqrt(model.residual_squares / model.residual_df * np.where(left > _EXACT, left, math.nan))
    return model.residuals / spread


def normality_of(standardised: NDArray[np.float64]) -> Check:
    """Shapiro and Wilk's test of those that are defined."""
    values = standardised[np.isfinite(standardised)]
    if len(values) < 3:
        return Check("Shapiro–Wilk", reason="it needs three runs that the model does not fit exactly")
    found = stats.shapiro(values)
    return Check("Shapiro–Wilk", float(found.statistic), float(found.pvalue))


def spreads_of(model: LinearModel, factors: Sequence[str]) -> tuple[dict[str, Check], dict[str, float]]:
    """Of each factor whether its levels' residuals scatter alike, and by how many times the farthest differ."""
    found: dict[str, Any] = {}
    ratios: dict[str, float] = {}
    for factor in factors:
        index = model.indices[factor]
        groups = [model.residuals[index == level] for level in range(len(model.levels[factor]))]
        deviations = [float(np.sqrt(np.mean(group**2))) for group in groups]
        least = min(deviations)
        ratios[factor] = max(deviations) / least if len(groups) > 1 and least > 0 else math.nan
        if len(groups) < 2:
            found[factor] = "it has the same value in every run"
        elif min(map(len, groups)) < 3:
            found[factor] = "a level has fewer than three runs"
        else:
            found[factor] = stats.levene(*groups, center="median")
    adjusted = holm({factor: float(test.pvalue) for factor, test in found.items() if not isinstance(test, str)})
    name = "Brown–Forsythe"
    checks = {
        factor: Check(name, reason=test)
        if isinstance(test, str)
        else Check(name, float(test.statistic), adjusted[factor])
        for factor, test in found.items()
    }
    return checks, ratios


def trend_of(standardised: NDArray[np.float64], when: NDArray[np.float64]) -> Check:
    """Kendall's τ of residuals and times."""
    sound = np.isfinite(standardised) & np.isfinite(when)
    if sound.sum() < 4 or np.ptp(when[sound]) == 0:
        return Check("Kendall's τ", reason="it needs four runs at different times")
    found = stats.kendalltau(when[sound], standardised[sound])
    return Check("Kendall's τ", float(found.statistic), float(found.pvalue))


def quantiles_of(standardised: NDArray[np.float64]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Both axes of a QQ picture, ascending: normal quantiles, and residuals.

    >>> normal, ordered = quantiles_of(np.array([1.0, -1.0, 0.0]))
    >>> [round(value, 2) for value in normal], ordered
    ([-0.82, 0.0, 0.82], (-1.0, 0.0, 1.0))
    """
    values = standardised[np.isfinite(standardised)]
    if not len(values):
        return (), ()
    normal, ordered = stats.probplot(values, fit=False)
    return tuple(normal.tolist()), tuple(ordered.tolist())
