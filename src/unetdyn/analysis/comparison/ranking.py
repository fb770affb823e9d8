"""Which run is best, when performance and stability pull apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetdyn._checks import check_positive
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.comparison.summary import RunSummary
from unetdyn.analysis.result import Result, number

WEIGHTS = (0.7, 0.3)


@dataclass(frozen=True)
class Ranking(Result):
    """What `combined_score` found.

    Attributes:
        scores: Name → score, the best first.
        weights: Of performance and of stability.
        runs: The runs that were scored, the best first.
        excluded: Name → why it has no score.
        notes: What makes these runs hard to compare, and which of them are ill, and why.
    """

    scores: dict[str, float]
    weights: tuple[float, float]
    runs: tuple[RunSummary, ...]
    excluded: dict[str, str]
    notes: tuple[str, ...] = ()

    def _rows(self) -> list[tuple[str, str]]:
        rows = [(run.name, f"score {number(self.scores[run.name])}: {_numbers(run)}") for run in self.runs]
        return rows + left_out(self.excluded, self.notes)


@dataclass(frozen=True)
class Front(Result):
    """What `pareto_front` found.

    Attributes:
        front: The runs that no other beats, the highest performance first.
        dominated: Name → the name of a run on the front that beats it.
        excluded: Name → why it can't be compared.
        notes: What makes these runs hard to compare.
    """

    front: tuple[RunSummary, ...]
    dominated: dict[str, str]
    excluded: dict[str, str]
    notes: tuple[str, ...] = ()

    def _rows(self) -> list[tuple[str, str]]:
        rows = [(run.name, f"on the front: {_numbers(run)}") for run in self.front]
        rows += [(name, f"beaten by {by}") for name, by in self.dominated.items()]
        return rows + left_out(self.excluded, self.notes)


@dataclass(frozen=True)
class BestWithin(Result):
    """What `best_within` found.

    Attributes:
        best: The run; None where no run is stable enough.
        max_sigma: The bound.
        within: The names of all runs below it, the highest performance first.
        excluded: Name → why it was not eligible.
        notes: What makes these runs hard to compare.
    """

    best: RunSummary | None
    max_sigma: float
    within: tuple[str, ...]
    excluded: dict[str, str]
    notes: tuple[str, ...] = ()

    def _answer(self) -> bool:
        return self.best is not None

    def _rows(self) -> list[tuple[str, str]]:
        bound = f"σ < {number(self.max_sigma)}"
        best = "none" if self.best is None else f"{self.best.name}: {_numbers(self.best)}"
        rows = [(f"best with {bound}", best), ("runs within", str(len(self.within)))]
        return rows + left_out(self.excluded, self.notes)


def combined_score(runs: Any, w: Sequence[float] = WEIGHTS) -> Ranking:
    """One score from performance and stability, each scaled to the range of the runs compared: `min_max_score`.

    Its caveats: it depends on which runs are compared, so one that diverged makes all others look alike in stability,
    and leaving out the worst can change which is best; the smallest difference counts in full where it is the largest
    there is; and of two runs, one with the better performance and one the calmer, the first always has w₀ and the
    second w₁. `pareto_front` and `best_within` have none of these faults. None of them knows how the best epoch was
    reached: a run that is ill is ranked, and `notes` say so.

    Args:
        runs: See `as_summaries`.
        w: Weights of performance and stability, ≥ 0. Default (0.7, 0.3), the studies'.

    Returns:
        A `Ranking`. Runs without a J or a σ are excluded, with the reason, before the ranges are taken.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: If `w` is not two weights ≥ 0 with a sum above 0.

    Example:
        >>> calm = {"val_jaccard": [0.6] * 10, "val_loss": [0.3, 0.31] * 5}
        >>> wild = {"val_jaccard": [0.7] * 10, "val_loss": [0.3, 0.6] * 5}
        >>> fair = {"val_jaccard": [0.68] * 10, "val_loss": [0.3, 0.35] * 5}
        >>> print(combined_score({"calm": calm, "wild": wild, "fair": fair}))
        fair  score 0.819: performance 0.68, σ 0.0264
        wild  score 0.7: performance 0.7, σ 0.158
        calm  score 0.3: performance 0.6, σ 0.00527

    Reference:
        The studies (docs/studies.md).
    """
    summaries, excluded, notes = _comparable(runs)
    scored = min_max_score([run.performance for run in summaries], [run.stability for run in summaries], w)
    scores = {run.name: float(score) for run, score in zip(summaries, scored, strict=True)}
    ranked = sorted(summaries, key=lambda run: -scores[run.name])
    weights = (float(w[0]), float(w[1]))
    return Ranking({run.name: scores[run.name] for run in ranked}, weights, tuple(ranked), excluded, notes)


def min_max_score(performances: ArrayLike, sigmas: ArrayLike, w: Sequence[float] = WEIGHTS) -> NDArray[np.float64]:
    """The combined score of numbers: w₀ · (J − J_min) / (J_max − J_min) + w₁ · (1 − (σ − σ_min) / (σ_max − σ_min)).

    Where all J are equal, or all σ, no run is behind in it: each has the whole of that weight.

    Args:
        performances: `(runs,)`, J of each, of which more is better.
        sigmas: `(runs,)`, σ of each, of which less is better.
        w: Weights of performance and stability, ≥ 0. Default (0.7, 0.3), the studies'.

    Returns:
        `(runs,)` scores from 0, worst in both, to w₀ + w₁, best in both.

    Raises:
        ValueError: If the two are not one-dimensional, finite and of one length, or `w` is not two weights ≥ 0 with a
            sum above 0.

    Example:
        >>> min_max_score([0.929, 0.923, 0.927], [1.348, 0.044, 0.037]).round(4).tolist()  # the studies' own runs
        [0.7, 0.2984, 0.7667]

    Reference:
        The studies (docs/studies.md).
    """
    weights = np.array(w, dtype=np.float64)
    if weights.shape != (2,) or not np.isfinite(weights).all() or weights.min() < 0 or weights.sum() == 0:
        raise ValueError(f"`w` must be two weights, of performance and of stability, 0 or more. Received: w={w!r}.")
    j, sigma = np.asarray(performances, dtype=np.float64), np.asarray(sigmas, dtype=np.float64)
    if j.ndim != 1 or j.shape != sigma.shape:
        raise ValueError(
            "`performances` and `sigmas` must have one value a run, both of shape (runs,). "
            f"Received: shapes {j.shape} and {sigma.shape}."
        )
    if not (np.isfinite(j).all() and np.isfinite(sigma).all()):
        raise ValueError(
            "`performances` and `sigmas` must be finite: leave out the runs that have none. "
            f"Received: performances={j.tolist()}, sigmas={sigma.tolist()}."
        )
    return weights[0] * _place(j) + weights[1] * _place(-sigma)


def _place(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where each lies between the lowest, 0, and the highest, 1; all 1 where they are equal."""
    if len(values) == 0 or np.ptp(values) == 0:
        return np.ones_like(values)
    return (values - values.min()) / np.ptp(values)


def pareto_front(runs: Any) -> Front:
    """The runs that no other beats: more performance only at the price of a larger σ.

    A run is beaten by another with J at least as high and σ at least as low, one of them strictly. Equal runs don't
    beat each other.

    Args:
        runs: See `as_summaries`.

    Returns:
        A `Front`. Runs without a J or a σ are excluded, with the reason.

    Raises:
        TypeError: As `as_summaries`.

    Example:
        >>> flat, steps = [0.3] * 10, [0.3, 0.5] * 5
        >>> print(pareto_front({
        ...     "a": {"val_jaccard": [0.6] * 10, "val_loss": flat},
        ...     "b": {"val_jaccard": [0.7] * 10, "val_loss": steps},
        ...     "c": {"val_jaccard": [0.5] * 10, "val_loss": steps},
        ... }))
        b  on the front: performance 0.7, σ 0.105
        a  on the front: performance 0.6, σ 0
        c  beaten by b
    """
    summaries, excluded, notes = _comparable(runs)
    front: list[RunSummary] = []
    dominated = {}
    best: RunSummary | None = None  # the highest J so far, at its lowest σ
    for run in sorted(summaries, key=lambda run: (run.stability, -run.performance)):
        if best is None or run.performance > best.performance:
            best = run
        elif (run.performance, run.stability) != (best.performance, best.stability):
            dominated[run.name] = best.name
            continue
        front.append(run)
    return Front(tuple(sorted(front, key=lambda run: -run.performance)), dominated, excluded, notes)


def best_within(runs: Any, max_sigma: float) -> BestWithin:
    """The best run among those that are stable enough: argmax J subject to σ < max_sigma.

    Args:
        runs: See `as_summaries`.
        max_sigma: The bound, > 0. σ has the unit of the loss; 0.05 is where the studies' class "Good" ends.

    Returns:
        A `BestWithin`; of runs with one J the one with the smaller σ.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: If `max_sigma` is not above 0.

    Example:
        >>> calm = {"val_jaccard": [0.6] * 10, "val_loss": [0.3, 0.31] * 5}
        >>> wild = {"val_jaccard": [0.7] * 10, "val_loss": [0.3, 0.6] * 5}
        >>> print(best_within({"calm": calm, "wild": wild}, max_sigma=0.05))
        best with σ < 0.05  calm: performance 0.6, σ 0.00527
        runs within         1
        left out            wild: σ 0.158 is not below 0.05

    Reference:
        The criterion of an optimal configuration in the studies (docs/studies.md).
    """
    check_positive("max_sigma", max_sigma)
    summaries, excluded, notes = _comparable(runs)
    within = [run for run in summaries if run.stability < max_sigma]
    for run in summaries:
        if not run.stability < max_sigma:
            excluded[run.name] = f"σ {number(run.stability)} is not below {number(max_sigma)}"
    ranked = sorted(within, key=lambda run: (-run.performance, run.stability))
    names = tuple(run.name for run in ranked)
    return BestWithin(ranked[0] if ranked else None, max_sigma, names, excluded, notes)


def _comparable(runs: Any) -> tuple[list[RunSummary], dict[str, str], tuple[str, ...]]:
    """Those with a performance and a σ, why the others have none, and what makes the first hard to compare."""
    summaries = as_summaries(runs, judged=True)
    excluded = {run.name: why for run in summaries if (why := _missing(run))}
    kept = [run for run in summaries if run.name not in excluded]
    return kept, excluded, tuple(comparison_notes(kept))


def _missing(run: RunSummary) -> str | None:
    if np.isfinite([run.performance, run.stability]).all():
        return None
    return "; ".join(run.notes) or "its performance or σ is not a finite number"


def _numbers(run: RunSummary) -> str:
    return f"performance {number(run.performance)}, σ {number(run.stability)}"
