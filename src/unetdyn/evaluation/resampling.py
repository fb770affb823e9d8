"""Intervals of scores: sections are drawn with replacement, because pixels of one section are not independent."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from unetdyn._checks import check_count, check_fraction, unknown_choice
from unetdyn.analysis.result import Determinable, interval, number
from unetdyn.evaluation.confusion import SCORES, PixelCounts, score_arrays

RESAMPLES = 2000
"""The 50th smallest and largest of 2,000 bound a 95 % interval; its ends then move little from seed to seed."""

FEW_SECTIONS = 10
"""Below so many an interval is too narrow; see docs/evaluation.md for how much."""

_BLOCK = 2**20  # numbers drawn at once: 8 MB

Statistic = str | Callable[..., Any]


@dataclass(frozen=True)
class Estimate(Determinable):
    """A figure with its interval.

    Attributes:
        value: Of the sections as they are; NaN where none has a value.
        low: Lower end of the interval; NaN where there are fewer than two sections.
        high: Upper end.
        n: Sections that it rests on.
        left_out: Sections that have no value (NaN), and are not among `n`.
        confidence: Of the interval.
        method: "BCa"; "percentile" where BCa is not defined; "none" where there is no interval.
        of: What it is, in words, such as "the summed counts" or "the mean over sections"; may be empty.
        reason: Why there is no interval; empty where there is one.
    """

    value: float
    low: float
    high: float
    n: int
    left_out: int = 0
    confidence: float = 0.95
    method: str = "BCa"
    of: str = ""
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        few = f"; too narrow, as from {self.n} sections only" if self.n < FEW_SECTIONS else ""
        bounds = f"{100 * self.confidence:g} % interval {interval(self.low, self.high)} ({self.method}{few})"
        without = f", {self.left_out} without a value left out" if self.left_out else ""
        rows = [("value", number(self.value)), ("interval", self._if_determined(bounds))]
        return [*rows, ("sections", f"{self.n}{without}")] + ([("of", self.of)] if self.of else [])


def bootstrap_over_sections(
    per_section: ArrayLike | Sequence[PixelCounts],
    statistic: Statistic = "mean",
    *,
    empty: float | str = 1.0,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    of: str = "",
) -> Estimate:
    """A figure of several sections (images, volumes), its interval, and how many sections it rests on.

    Sections are drawn with replacement, whole, and the figure is made anew of each draw. The interval is
    bias-corrected and accelerated (BCa), by `scipy.stats.bootstrap`. Where that is not defined (all draws alike, as
    where all sections are equal, or infinite distances), it is the percentile interval, whose ends are order statistics
    of the draws, and `method` says so. Neighbouring sections of one volume are not independent either: then the
    interval is too narrow, and the volumes are what should be drawn.

    Args:
        per_section: A score a section, `(sections,)`; or several columns, `(sections, columns)`, such as sums and
            numbers; or `PixelCounts`, one a section. Sections with NaN are left out, and counted in `left_out`.
        statistic: "mean" (default) or "median" of scores; with `PixelCounts` the name of a score, such as "jaccard",
            which is of the summed counts; or a function as `scipy.stats.bootstrap` takes one: it gets one array for
            each column, sections along `axis`, and returns a number for each of the others.
        empty: As in `PixelCounts.scores`, for resamples without an object; default 1.0.
        confidence: Of the interval, in (0, 1). Default 0.95.
        resamples: How many draws, ≥ 100. Default 2000.
        seed: Of the draws, ≥ 0; the same data give the same interval.
        of: In words, what a function makes; the names say it by themselves.

    Returns:
        An `Estimate`.

    Raises:
        ValueError: If there is no section, the shape is another, or an argument is out of range.

    Example:
        >>> counts = [PixelCounts(tp=90 + i, fp=10, fn=10 - i, tn=900) for i in range(10)]
        >>> print(bootstrap_over_sections(counts, "jaccard"))
        value     0.859
        interval  95 % interval 0.843 to 0.875 (BCa)
        sections  10
        of        the summed counts

    Reference:
        Efron, "Better bootstrap confidence intervals", JASA 82, 1987. Of groups: Field and Welsh, "Bootstrapping
        clustered data", Journal of the Royal Statistical Society B 69, 2007.
    """
    check_bootstrap(confidence, resamples, seed)
    columns, are_counts = _columns(per_section)
    function, said = _statistic(statistic, are_counts, empty)
    of = of or said
    kept = columns[:, ~np.isnan(columns).any(axis=0)]
    n, left_out = kept.shape[1], columns.shape[1] - kept.shape[1]
    value = float(function(*kept, axis=-1)) if n else np.nan
    if n < 2:
        reason = "no section has a value" if n == 0 else "one section, whose pixels are not independent"
        return Estimate(value, np.nan, np.nan, n, left_out, confidence, "none", of, reason)
    low, high, method = _interval(kept, function, confidence, resamples, seed)
    reason = "the figure is not defined in any resample" if method == "none" else ""
    return Estimate(value, low, high, n, left_out, confidence, method, of, reason)


def check_bootstrap(confidence: float, resamples: int, seed: int) -> None:
    """Refuse what is out of range."""
    check_fraction("confidence", confidence)
    check_count("resamples", resamples, least=100, unit="resamples")
    check_count("seed", seed, least=0, unit="")


def _columns(per_section: ArrayLike | Sequence[PixelCounts]) -> tuple[NDArray[np.float64], bool]:
    """`(columns, sections)`, and whether they are TP, FP, FN and TN."""
    if isinstance(per_section, Sequence) and len(per_section) and isinstance(per_section[0], PixelCounts):
        return np.array([(c.tp, c.fp, c.fn, c.tn) for c in per_section], dtype=np.float64).T, True  # type: ignore[union-attr]
    array = np.asarray(per_section, dtype=np.float64)
    if array.ndim not in (1, 2) or not array.size:
        raise ValueError(
            "`per_section` must hold a score a section, (sections,), or columns, (sections, columns), or PixelCounts. "
            f"Received: shape {array.shape}."
        )
    return np.atleast_2d(array.T), False


def _statistic(statistic: Statistic, are_counts: bool, empty: float | str) -> tuple[Callable[..., Any], str]:
    if callable(statistic):
        parameters = inspect.signature(statistic).parameters
        if "axis" not in parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            raise ValueError(
                "`statistic` must take an array for each column and `axis`, as `numpy.mean` does. Received: a function "
                f"of {', '.join(parameters) or 'nothing'}."
            )
        return statistic, ""
    known = SCORES if are_counts else ("mean", "median")
    if statistic not in known:
        raise ValueError(
            f"{unknown_choice('statistic', statistic, known)} "
            "Scores of pixels need `PixelCounts`, means do not take them; a function may stand there too."
        )
    if are_counts:
        return functools.partial(_score_of_sums, statistic, empty), "the summed counts"
    return (np.mean, "the mean over sections") if statistic == "mean" else (np.median, "the median over sections")


def _score_of_sums(name: str, empty: Any, *columns: NDArray, axis: int) -> NDArray:
    return score_arrays(*(column.sum(axis=axis) for column in columns), empty)[name]  # type: ignore[call-arg]


def _interval(
    columns: NDArray, function: Callable[..., Any], confidence: float, resamples: int, seed: int
) -> tuple[float, float, str]:
    def each(*samples: NDArray, axis: int) -> NDArray:
        return np.asarray(function(*samples, axis=axis))

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # the percentiles are taken then
        found = stats.bootstrap(
            tuple(columns),
            each,
            n_resamples=resamples,
            batch=max(1, _BLOCK // columns.size),
            vectorized=True,
            paired=True,
            confidence_level=confidence,
            method="BCa",
            random_state=np.random.default_rng(seed),
        )
    low, high = (float(end) for end in found.confidence_interval)
    drawn = found.bootstrap_distribution
    if np.isfinite([low, high]).all() and np.isfinite(drawn).all():
        return low, high, "BCa"
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size:
        return np.nan, np.nan, "none"
    tail = (1 - confidence) / 2
    low = float(np.quantile(drawn, tail, method="lower"))
    return low, float(np.quantile(drawn, 1 - tail, method="higher")), "percentile"
