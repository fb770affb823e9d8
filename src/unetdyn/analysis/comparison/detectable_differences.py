"""Which differences between means so many runs can show, and how many runs a difference needs."""

import math

from scipy import optimize

from unetdyn._checks import check_count, check_fraction, check_positive
from unetdyn.analysis.comparison.analysis_of_variance import anova_power

_MOST = 10_000  # seeds of a cell, beyond which it isn't worth the wait


def smallest_difference(
    sigma: float, seeds: int, cells: int = 2, confidence: float = 0.95, power: float = 0.8
) -> float:
    """The difference between two cells that a two-sided t test finds with a given probability.

    The δ at which P(|t'| > t_crit) = `power`; t' is noncentral by δ / (σ √(2 / n)), with cells · (n − 1) degrees of
    freedom.

    Args:
        sigma: Standard deviation over seeds, in the unit of the response, > 0.
        seeds: n, of each cell, 2 or more.
        cells: How many share that standard deviation, 2 or more; two of them are compared. Default 2.
        confidence: 1 less the probability of a false alarm. Default 0.95.
        power: The probability of finding it. Default 0.8, by convention.

    Returns:
        δ, in the unit of `sigma`.

    Raises:
        ValueError: If an argument is out of range.

    Example:
        >>> [round(smallest_difference(0.02, seeds), 4) for seeds in (2, 3, 5, 10)]
        [0.1131, 0.0614, 0.0405, 0.0265]

    Reference:
        Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), chapter 2.
    """
    check_positive("sigma", sigma)
    check_count("seeds", seeds, 2, unit="", otherwise="because one run a cell shows nothing of the scatter")
    check_count("cells", cells, 2, unit="")
    check_fraction("confidence", confidence)
    check_fraction("power", power)
    return detectable(sigma, seeds, cells * (seeds - 1), confidence, power)


def _power(effect: float, df: int, confidence: float) -> float:
    """Of a two-sided t test, at a difference in units of its standard error: t² is F with one degree of freedom."""
    return anova_power(effect, runs=1, df=1, residual_df=df, alpha=1 - confidence)


def found_difference(error: float, df: int, confidence: float, power: float) -> float:
    """The true difference that a two-sided t test finds with a given probability.

    Args:
        error: Standard error of the estimated difference, above 0.
        df: Degrees of freedom of the noise, at least 1.
        confidence: 1 less the probability of a false alarm.
        power: The probability of finding it, above that of a false alarm.

    Returns:
        A difference above 0, in the unit of `error`.

    Example:
        >>> round(found_difference(1.0, 1000, 0.95, 0.8), 3)  # 1.962 + 0.842
        2.804
    """
    most = 1.0
    while _power(most, df, confidence) < power:
        most *= 2
    effect = optimize.brentq(lambda size: _power(size, df, confidence) - power, 0.0, most)
    return error * float(effect)


def detectable(sigma: float, seeds: float, df: int, confidence: float, power: float) -> float:
    """The difference between two means of so many runs that is found with so much power; see `smallest_difference`."""
    return found_difference(sigma * math.sqrt(2 / seeds), df, confidence, power)


def seeds_needed(
    lead: float, sigma: float, df: int, made: int, confidence: float, power: float, held: bool = False
) -> int | None:
    """The least number of seeds of two cells at which their lead is found; None beyond 10,000.

    Args:
        lead: Of the one cell before the other.
        sigma: Of the seeds.
        df: Its degrees of freedom.
        made: How many runs the two cells have together.
        confidence: Of the interval.
        power: How often the lead is to be found.
        held: Whether seeds are a block, so that of two runs with a new seed one is for its own effect.
    """

    def found(seeds: int) -> bool:
        more = max(2 * seeds - made, 0) // (1 + held)
        return _power(lead / (sigma * math.sqrt(2 / seeds)), df + more, confidence) >= power

    low, high = 1, 2
    while not found(high):
        low, high = high, high * 2
        if high > 2 * _MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if found(middle) else (middle, high)
    return high if high <= _MOST else None
