"""What differences a design can show, before it is run: by the noise between seeds and how its rows are spread."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_fraction, check_positive
from unetdyn.analysis.comparison.analysis_of_variance import LARGE, MEDIUM, anova_power
from unetdyn.analysis.comparison.detectable_differences import found_difference
from unetdyn.analysis.result import Determinable, number
from unetdyn.sweeps.levels import Range, same
from unetdyn.sweeps.table import Row


@dataclass(frozen=True)
class Detectable(Determinable):
    """What a design can show of one factor.

    Attributes:
        factor: Its key.
        levels: How many levels it has; 0 of a range.
        residual_df: Degrees of freedom of what main effects and blocks leave.
        difference: The smallest true difference of two of its levels (the pair that the design tells worst), or of the
            ends of its range, that a two-sided t-test finds with the wanted power; NaN where none can be.
        twice: The same with twice as many seeds.
        power_medium: The probability that an F-test finds an effect of Cohen's medium size, f = 0.25.
        power_large: The same of his large size, f = 0.40.
        reason: In words, why nothing can be told; empty where it can.
    """

    factor: str
    levels: int
    residual_df: int
    difference: float = math.nan
    twice: float = math.nan
    power_medium: float = math.nan
    power_large: float = math.nan
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        return [(self.factor, self._if_determined(self._sentence()))]

    def _sentence(self) -> str:
        of = "between the ends of its range" if not self.levels else f"between two of its {self.levels} levels"
        power = f"{100 * self.power_medium:.0f} % for a medium effect, {100 * self.power_large:.0f} % for a large one"
        return f"{number(self.difference)} {of} ({number(self.twice)} with twice as many seeds); power {power}"


def detectable(
    rows: Sequence[Row],
    sigma: float,
    ranges: Mapping[str, Range] | None = None,
    alpha: float = 0.05,
    power: float = 0.8,
) -> dict[str, Detectable]:
    """The smallest difference that each factor of a design can show.

    Under the model y = mean + main effects + blocks + noise of standard deviation σ, a difference c'β of two levels has
    the standard error σ √(c'(X'X)⁻¹c), X being the design with a column for each level but the first; of a balanced
    design that is σ √(2/n) for n rows a level. The test finds δ with probability P(|T| > t_crit), T being noncentral t
    with the residual degrees of freedom and noncentrality δ over the standard error. Interactions of factors, where
    there are any, add to the noise.

    Args:
        rows: Of the design.
        sigma: Standard deviation between runs that differ in their seed alone, in the unit of what is compared.
        ranges: Of the factors that have one, which enter as a straight line, in logarithms where the range is. Default
            None: all have levels.
        alpha: Of the two-sided test, 0.05 by convention.
        power: Wanted, 0.8 by convention.

    Returns:
        Factor → `Detectable`.

    Raises:
        ValueError: If `sigma` is not above 0, or `alpha` or `power` is not between 0 and 1.

    Example:
        >>> rows = [Row(n + 1, n % 2 + 1, n // 2, {"a": n % 2}, {}, "") for n in range(20)]
        >>> found = detectable(rows, sigma=1.0)["a"]
        >>> round(found.difference, 4), found.residual_df
        (1.3249, 18)

    Reference:
        Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), chapters 2 and 8, also for 0.05 and 0.8.
    """
    check_positive("sigma", sigma)
    check_fraction("alpha", alpha)
    check_fraction("power", power)
    ranges = ranges or {}
    columns = {key: _columns([row.settings[key] for row in rows], ranges.get(key)) for key in rows[0].settings}
    blocks = [_columns([row.blocks[key] for row in rows], None) for key in rows[0].blocks]
    design = np.hstack([np.ones((len(rows), 1)), *columns.values(), *blocks])
    information = design.T @ design
    covariance = np.linalg.pinv(information)
    df = len(rows) - int(np.linalg.matrix_rank(design))
    found, start = {}, 1
    for key, own in columns.items():
        contrasts = _contrasts(own.shape[1], key in ranges)
        weights = np.pad(contrasts, ((0, 0), (start, design.shape[1] - start - own.shape[1])))
        start += own.shape[1]
        levels = 0 if key in ranges else own.shape[1] + 1
        if df < 1:
            reason = "no run is left over to measure the noise: give more seeds"
        elif not np.allclose(weights @ covariance @ information, weights, atol=1e-8):
            reason = "its levels change only together with those of others"
        else:
            error = sigma * math.sqrt(max(weight @ covariance @ weight for weight in weights))
            sizes = (
                found_difference(error, df, 1 - alpha, power),
                found_difference(error / math.sqrt(2), df + len(rows), 1 - alpha, power),
            )
            medium, large = (anova_power(size, len(rows), own.shape[1], df, alpha) for size in (MEDIUM, LARGE))
            found[key] = Detectable(key, levels, df, *sizes, medium, large)
            continue
        found[key] = Detectable(key, levels, df, reason=reason)
    return found


def _columns(levels: Sequence[Any], of_range: Range | None) -> NDArray[np.float64]:
    """Of a range one column, from 0 to 1; else one of 0 and 1 for each level but the first."""
    if of_range is not None:
        ends = np.array([of_range.low, of_range.high])
        values = np.array(levels, dtype=np.float64)
        values, ends = (np.log(values), np.log(ends)) if of_range.log else (values, ends)
        return ((values - ends[0]) / (ends[1] - ends[0]))[:, None]
    names = [same(level) for level in levels]
    different = list(dict.fromkeys(names))
    return np.array([[float(name == other) for other in different[1:]] for name in names]).reshape(len(names), -1)


def _contrasts(width: int, is_range: bool) -> NDArray[np.float64]:
    """`(pairs, width)`: of a range from one end to the other, else of each pair of levels."""
    if is_range:
        return np.ones((1, 1))
    levels = np.vstack([np.zeros((1, width)), np.eye(width)])
    return np.array([levels[one] - levels[other] for one, other in combinations(range(width + 1), 2)])
