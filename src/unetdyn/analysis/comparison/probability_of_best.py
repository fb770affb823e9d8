"""Which settings are best, and how probable it is that they are."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_count, check_positive
from unetdyn.analysis.comparison.block_effects import without_block_effects
from unetdyn.analysis.comparison.choices import cells, settings
from unetdyn.analysis.comparison.design import LESS_IS_BETTER, names, responses, usable
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.comparison.summary import RunSummary
from unetdyn.analysis.result import Determinable, interval, number

_SHRINKAGES = (np.arange(400) + 0.5) / 400  # of the grid over the prior, from 0 to 1
_SHOWN = 8


@dataclass(frozen=True)
class Candidate:
    """A cell: the runs with the same settings.

    Attributes:
        name: That of its first run.
        settings: Factor → level.
        runs: How many there are.
        mean: Of the response.
        stability: The mean σ; NaN where not defined.
        probability: That no other has a better true mean; NaN where it can't be told.
        low: Lower end of the 95 % interval of its true mean; NaN where it can't be told.
        high: Upper end.
        expected_loss: How much worse than the best its true mean is expected to be, ≥ 0, in the unit of the response.
    """

    name: str
    settings: dict[str, Any]
    runs: int
    mean: float
    stability: float
    probability: float = math.nan
    low: float = math.nan
    high: float = math.nan
    expected_loss: float = math.nan

    def __str__(self) -> str:
        shown = f"mean of {self.runs}: {number(self.mean)}"
        if math.isnan(self.probability):
            return shown
        best = f"best with {100 * self.probability:.0f} %, expected loss {number(self.expected_loss, 2)}"
        return f"{shown} ({interval(self.low, self.high)}); {best}"


@dataclass(frozen=True)
class ProbabilityOfBest(Determinable):
    """What `probability_of_best` found.

    Attributes:
        candidates: The cells that keep the bound, the best mean first.
        response: What is best.
        max_sigma: The bound of σ; None for any.
        excluded: Name → why a run has no part in it.
        reason: In words, why there is no probability; empty where there is.
        notes: What to mind when reading it.
    """

    candidates: tuple[Candidate, ...]
    response: str
    max_sigma: float | None
    excluded: dict[str, str]
    reason: str = ""
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Candidate | None:
        """The one with the best mean; None where no cell keeps the bound."""
        return self.candidates[0] if self.candidates else None

    def _rows(self) -> list[tuple[str, str]]:
        bound = "" if self.max_sigma is None else f" with σ < {number(self.max_sigma)}"
        rows = [(f"best {self.response}{bound}", self.candidates[0].name if self.candidates else "none")]
        rows += [(candidate.name, str(candidate)) for candidate in self.candidates[:_SHOWN]]
        more = len(self.candidates) - _SHOWN
        rows += [("others", f"{more} more")] if more > 0 else []
        rows += [("how sure", self._if_determined(""))] if self.reason else []
        return rows + left_out(self.excluded, self.notes)


def probability_of_best(
    runs: Any,
    max_sigma: float | None = None,
    response: str = "performance",
    factors: str | Sequence[str] | None = None,
    draws: int = 20_000,
    seed: int = 0,
    blocks: str | Sequence[str] = (),
) -> ProbabilityOfBest:
    """The cell with the best mean over its seeds, the probability that it is the best, and what choosing it may cost.

    With two or three seeds a bootstrap of each cell's own runs says too often that it is sure: three runs show
    too little of their scatter. So the cells share one variance, and true means are drawn from their posterior: runs
    normal around their cell's mean, cells normal around a common mean, both variances unknown. Means are drawn towards
    each other as far as the runs don't speak against it; without that, the best of many alike cells looks better than
    it is.

    How often it is right (`benchmarks/sweep_truth.py`; 12 cells of 2 or 3 seeds, whose true means scatter by 0 to 3
    times as much as the seeds): of the choices that are said to be best with some 30, 50, 70 or 95 %, as many are,
    within 10 %. Where true means don't differ at all it says some 25 % instead of 8, and nothing is lost. Where cells
    scatter by different amounts, up to four times, it is too sure by up to 10 %.

    Args:
        runs: See `as_summaries`.
        max_sigma: Only cells whose mean σ is below it; None (default): any.
        response: As in `anova`; of stability, coefficient of variation and seconds less is better.
        factors: The settings that make a cell. None (default): all that are recorded but seed, name and directory.
        draws: From the posterior. Default 20,000: a probability is then within ± 0.007.
        seed: Of the draws.
        blocks: What adds the same to all cells, such as `"seed"` where all were run with the same seeds: a seed that
            is good or bad everywhere is then no chance between them. Its effect is taken out by least squares, exactly
            where every cell has every block once. Intervals are of means over these blocks. Default: nothing.

    Returns:
        A `ProbabilityOfBest`. Where no cell has a second run, it names the best and no probability.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: If `response` is unknown, no run has one of `factors` or `blocks`, `max_sigma` is not above 0, or
            `draws` is below 100.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> values = {8: [0.61, 0.66, 0.63], 16: [0.68, 0.66, 0.69], 32: [0.60, 0.55, 0.58]}
        >>> print(probability_of_best([
        ...     summarise({"val_jaccard": [value]}, f"batch {batch}, seed {seed}", {"batch_size": batch, "seed": seed})
        ...     for batch, several in values.items() for seed, value in enumerate(several)
        ... ]))
        best performance  batch 16, seed 0
        batch 16, seed 0  mean of 3: 0.677 (0.621 to 0.7); best with 91 %, expected loss 0.0012
        batch 8, seed 0   mean of 3: 0.633 (0.598 to 0.667); best with 8 %, expected loss 0.033
        batch 32, seed 0  mean of 3: 0.577 (0.553 to 0.635); best with 1 %, expected loss 0.076

    Reference:
        The prior of how far cells are drawn together: Daniels, A prior for the variance in hierarchical models (1999);
        expected loss as what to choose by: Chick and Inoue, New two-stage and sequential procedures for selecting the
        best simulated system (2001).
    """
    if max_sigma is not None:
        check_positive("max_sigma", max_sigma, "or None for any")
    check_count("draws", draws, 100, unit="")
    summaries = as_summaries(runs)
    wanted = None if factors is None else names(factors)
    blocks = names(blocks)
    kept, excluded = usable(summaries, (*(wanted or ()), *blocks), response)
    found_cells = [cell for cell in cells(kept, wanted, blocks) if _keeps(cell, max_sigma, excluded)]
    sign = -1.0 if response in LESS_IS_BETTER else 1.0
    found_cells.sort(key=lambda cell: -sign * float(responses(cell, response).mean()))
    values = [responses(cell, response) for cell in found_cells]
    found = [
        Candidate(cell[0].name, _settings(cell, wanted, blocks), len(cell), float(y.mean()), _mean_sigma(cell))
        for cell, y in zip(found_cells, values, strict=True)
    ]
    left = without_block_effects(found_cells, [sign * y for y in values], blocks)
    reason = _reason(values)
    notes = comparison_notes([run for cell in found_cells for run in cell])
    if not reason:
        notes += [left.note] if left.note else []
        found = _judged(found, _posterior(left.values, left.df, draws, np.random.default_rng(seed)), sign)
        alone = sum(len(y) == 1 for y in values)
        notes += [f"{alone} cells have one run; their scatter is taken from the others"] if alone else []
    return ProbabilityOfBest(tuple(found), response, max_sigma, excluded, reason, tuple(notes))


def _settings(cell: Sequence[RunSummary], factors: Sequence[str] | None, blocks: Sequence[str]) -> dict[str, Any]:
    known = [name for name, _ in settings(cell[0], blocks)] if factors is None else factors
    return {name: cell[0].factors[name] for name in known}


def _mean_sigma(cell: Sequence[RunSummary]) -> float:
    return float(np.mean([run.stability for run in cell]))


def _keeps(cell: Sequence[RunSummary], max_sigma: float | None, excluded: dict[str, str]) -> bool:
    """Whether the mean σ of a cell is below the bound; otherwise its runs are excluded, with the reason."""
    sigma = _mean_sigma(cell)
    if max_sigma is None or sigma < max_sigma:
        return True
    what = "it has no σ" if math.isnan(sigma) else f"its settings' mean σ {number(sigma)} is not below"
    excluded |= {run.name: what if math.isnan(sigma) else f"{what} {number(max_sigma)}" for run in cell}
    return False


def _reason(values: Sequence[NDArray[np.float64]]) -> str:
    if not values:
        return "no settings have what was asked for: see why each was left out"
    if len(values) == 1:
        return "there is nothing to compare it with"
    if max(map(len, values)) == 1:
        return "no settings were run with a second seed, so that chance can't be told from them"
    if all(np.ptp(y) == 0 for y in values):
        return "repeated runs do not differ at all, which tells nothing"
    return ""


def _posterior(
    values: Sequence[NDArray[np.float64]], lost: int, draws: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """`(draws, cells)` true means. The ratio ρ of the cells' variance to σ² is on a grid, all else in closed form.

    With n₀ the harmonic mean of the counts, the shrinkage 1 / (1 + n₀ ρ) is uniform a priori, σ² ∝ 1 / σ², the common
    mean flat. Given ρ: w = 1 / (ρ + 1 / n), SS = Σ (y − ȳ)² + Σ w (ȳ − μ̂)², μ̂ = Σ w ȳ / Σ w, and with N runs
    p(ρ | y) ∝ √(Π w / Σ w) · SS^(−(N − 1) / 2), σ² = SS / χ²_{N − 1}. What blocks have cost, `lost`, N is less.
    """
    counts = np.array([len(y) for y in values], dtype=np.float64)
    means = np.array([y.mean() for y in values])
    within = sum(float(np.sum((y - y.mean()) ** 2)) for y in values)
    total = int(counts.sum()) - lost
    ratio = (1.0 / _SHRINKAGES - 1.0) * np.mean(1.0 / counts)
    w = 1.0 / (ratio[:, None] + 1.0 / counts)
    middle = w @ means / w.sum(axis=1)
    squares = within + np.sum(w * (means - middle[:, None]) ** 2, axis=1)
    log = 0.5 * (np.log(w).sum(axis=1) - np.log(w.sum(axis=1))) - 0.5 * (total - 1) * np.log(squares)
    weight = np.exp(log - log.max())
    place = rng.choice(len(ratio), draws, p=weight / weight.sum())
    variance = squares[place] / rng.chisquare(total - 1, draws)
    centre = middle[place] + np.sqrt(variance / w[place].sum(axis=1)) * rng.standard_normal(draws)
    rho = ratio[place, None]
    shrunk = (rho * means + centre[:, None] / counts) / (rho + 1.0 / counts)
    spread = np.sqrt(variance[:, None] * rho / counts / (rho + 1.0 / counts))
    return shrunk + spread * rng.standard_normal((draws, len(values)))


def _judged(found: Sequence[Candidate], true: NDArray[np.float64], sign: float) -> list[Candidate]:
    """Each with its share of the draws in which it is the best, its interval, and its expected loss."""
    best = true.max(axis=1)
    won = np.bincount(true.argmax(axis=1), minlength=len(found)) / len(true)
    ends = np.sort(sign * np.quantile(true, [0.025, 0.975], axis=0), axis=0)
    loss = np.mean(best[:, None] - true, axis=0)
    return [
        Candidate(
            one.name,
            one.settings,
            one.runs,
            one.mean,
            one.stability,
            float(won[place]),
            float(ends[0, place]),
            float(ends[1, place]),
            float(loss[place]),
        )
        for place, one in enumerate(found)
    ]
