"""Where the variance between runs comes from: architecture, optimisation settings, or chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unetdyn._checks import check_choice, check_fraction
from unetdyn.analysis.comparison.component_cells import Cells
from unetdyn.analysis.comparison.component_estimates import by_moments, by_reml
from unetdyn.analysis.comparison.design import names, recorded, responses, usable
from unetdyn.analysis.comparison.many_runs import as_summaries, comparison_notes, left_out
from unetdyn.analysis.comparison.summary import NOT_SETTINGS, RunSummary
from unetdyn.analysis.result import Determinable, Result, interval, number

SETTINGS = ("learning_rate", "batch_size")
_NAMES = ("architecture", "optimisation", "stochastic")


@dataclass(frozen=True)
class Component(Determinable):
    """A variance of `VarianceComponents`.

    Attributes:
        variance: ≥ 0; NaN where it can't be told.
        low: Lower end of its interval, ≥ 0; NaN where it can't be told.
        high: Upper end.
        share: Of the total; NaN where the total is 0 or a part of it can't be told.
        raw: The estimate as it came out; one from moments may be negative, and `variance` is 0 then.
        reason: In words, why it can't be told; empty where it can.
    """

    variance: float
    low: float
    high: float
    share: float
    raw: float
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        return [("variance", str(self))]

    def __str__(self) -> str:
        share = "" if np.isnan(self.share) else f", {100 * self.share:.0f} %"
        return self._if_determined(f"{number(self.variance)} ({interval(self.low, self.high)}){share}")


@dataclass(frozen=True)
class VarianceComponents(Result):
    """What `variance_components` found.

    Attributes:
        architecture: σ²_architecture.
        optimisation: σ²_optimisation, of the settings.
        stochastic: σ²_stochastic, of the seeds.
        total: The sum of those that can be told; NaN where none can.
        response: Whose variance it is.
        method: `"moments"` for a balanced set, `"REML"` for another.
        design: `"nested"` or `"crossed"`.
        runs: How many runs it is from.
        architectures: How many architectures they have.
        cells: How many pairs of architecture and settings.
        confidence: Of the intervals.
        excluded: Name → why a run was left out.
        notes: What to mind when reading it.
    """

    architecture: Component
    optimisation: Component
    stochastic: Component
    total: float
    response: str
    method: str
    design: str
    runs: int
    architectures: int
    cells: int
    confidence: float
    excluded: dict[str, str]
    notes: tuple[str, ...]

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("variance of", f"{self.response}, {number(self.total)} in all")]
        rows += [(f"σ² {name}", str(getattr(self, name))) for name in _NAMES]
        counts = f"{self.runs} runs of {self.architectures} architectures in {self.cells} settings"
        rows.append(("from", f"{counts}; {self.design}, {self.method}; {100 * self.confidence:g} % intervals"))
        return rows + left_out(self.excluded, self.notes)


def variance_components(
    runs: Any,
    response: str = "performance",
    architecture: str = "architecture",
    settings: str | Sequence[str] | None = None,
    design: str | None = None,
    confidence: float = 0.95,
) -> VarianceComponents:
    """σ²_total = σ²_architecture + σ²_optimisation + σ²_stochastic, from runs repeated with other seeds.

    A random-effects model of run k with settings j and architecture i:

    - nested: y_ijk = μ + a_i + b_ij + e_ijk, each architecture with settings of its own;
    - crossed: y_ijk = μ + a_i + b_j + (ab)_ij + e_ijk, the same settings tried with several architectures, whose own
      effect b_j is then common to these; σ²_optimisation = σ²_b + σ²_ab.

    In both σ²_architecture = Var(a), σ²_stochastic = Var(e); runs of one cell (i, j) differ in their seed alone. A
    nested model of a crossed set would subtract the settings' scatter from the architectures'.

    A balanced set (as many runs in each cell, and as many settings with each architecture) is estimated from mean
    squares: unbiased, so that a small component can come out negative. It is then shown as 0, with `raw` and a note.
    Its intervals are generalised confidence intervals. Other sets are estimated by restricted maximum likelihood (REML)
    with intervals from the profile of the likelihood.

    The model takes architectures and settings as drawn from many. With three or four of them, their variance is hardly
    known, and its interval says so; for differences between these very ones, use `anova`.

    Args:
        runs: See `as_summaries`.
        response: As in `anova`.
        architecture: The name of that factor.
        settings: The factor or factors that make up the settings. None (default): `learning_rate` and `batch_size`,
            those of them that any run has.
        design: `"nested"`, `"crossed"`, or None (default): crossed where any settings were run with more than one
            architecture.
        confidence: Of the intervals, between 0 and 1.

    Returns:
        A `VarianceComponents`. A component that the set says nothing of is not defined, with the reason: without
        repeated seeds none is.

    Raises:
        TypeError: As `as_summaries`.
        ValueError: If no run has the factor `architecture` or one of `settings`, `response` or `design` is unknown, or
            `confidence` is not between 0 and 1.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> jaccards = {("UNet", 8): [0.60, 0.62], ("UNet", 16): [0.66, 0.65],
        ...             ("AttentionUNet", 8): [0.71, 0.70], ("AttentionUNet", 16): [0.78, 0.75]}
        >>> found = variance_components([
        ...     summarise({"val_jaccard": [value]}, factors={"architecture": name, "batch_size": batch, "seed": seed})
        ...     for (name, batch), values in jaccards.items() for seed, value in enumerate(values)
        ... ])
        >>> round(found.stochastic.variance, 6), found.method, found.design
        (0.000188, 'moments', 'crossed')

    Reference:
        Searle, Casella and McCulloch, Variance Components (1992); generalised intervals: Weerahandi, Generalized
        Confidence Intervals (1993).
    """
    check_choice("design", design, ["nested", "crossed", None])
    check_fraction("confidence", confidence)
    summaries = as_summaries(runs)
    settings = recorded(SETTINGS, summaries) if settings is None else names(settings)
    kept, excluded = usable(summaries, [architecture, *settings], response)
    pairs = [(run.factors[architecture], tuple(run.factors[name] for name in settings)) for run in kept]
    cells = Cells.of(pairs, responses(kept, response), design)
    missing = _missing(cells)
    active = [name for name in _NAMES if name not in missing]
    estimate = by_moments if cells.balanced else by_reml
    found = estimate(cells, active, confidence) if active else {}
    total = sum(max(raw, 0.0) for raw, _, _ in found.values()) if found else float("nan")
    components = {name: _component(found.get(name), total, missing.get(name, ""), not missing) for name in _NAMES}
    notes = (*comparison_notes(kept), *_notes(components, cells), *_repetitions(kept, pairs, [architecture, *settings]))
    method = "moments" if cells.balanced else "REML"
    return VarianceComponents(
        **components,
        total=total,
        response=response,
        method=method,
        design=cells.design,
        runs=len(kept),
        architectures=cells.architectures,
        cells=len(cells.counts),
        confidence=confidence,
        excluded=excluded,
        notes=notes,
    )


def _missing(cells: Cells) -> dict[str, str]:
    """Component → why the set says nothing of it."""
    if cells.within_df == 0:
        why = "no settings were run again with another seed, so that chance can't be told from them"
        return dict.fromkeys(_NAMES, why)
    if cells.within_squares == 0:
        return dict.fromkeys(_NAMES, "runs that differ in their seed alone do not differ at all")
    missing = {}
    if cells.architectures < 2:
        missing["architecture"] = "there is only one architecture"
    if cells.settings < 2:
        missing["optimisation"] = "the settings are the same in every run"
    elif len(cells.counts) == cells.architectures:
        why = "each architecture has one setting of its own, so that the two can't be told apart"
        missing |= {"architecture": why, "optimisation": why}
    return missing


def _component(found: tuple[float, float, float] | None, total: float, reason: str, whole: bool) -> Component:
    nan = float("nan")
    if found is None:
        return Component(nan, nan, nan, nan, nan, reason)
    raw, low, high = found
    whole = whole and total > 0
    return Component(max(raw, 0.0), low, high, max(raw, 0.0) / total if whole else nan, raw)


def _notes(components: dict[str, Component], cells: Cells) -> list[str]:
    notes = []
    for name, component in components.items():
        if component.raw < 0:
            notes.append(
                f"the estimate of σ² {name} is negative ({number(component.raw)}) and shown as 0: it is too small for "
                "this set to tell from none"
            )
        elif component.raw == 0 and name != "stochastic":
            notes.append(f"σ² {name} is at its bound of 0: it is too small for this set to tell from none")
    if cells.architectures < 5 and not np.isnan(components["architecture"].variance):
        notes.append(f"{cells.architectures} architectures say little of the variance of all: see the interval")
    return notes


def _repetitions(kept: Sequence[RunSummary], pairs: Sequence[Any], modelled: Sequence[str]) -> list[str]:
    """Whether the runs of a cell differ in their seed, and in nothing else."""
    notes = []
    seeds = [run.factors.get("seed") for run in kept]
    seeded = [(pair, seed) for pair, seed in zip(pairs, seeds, strict=True) if seed is not None]
    repeated = len(seeded) - len(set(seeded))
    if repeated:
        fixed = "σ² stochastic is then of what a seed does not fix"
        notes.append(f"{repeated} runs repeat settings with the same seed: {fixed}")
    first: dict[Any, dict[str, Any]] = {}
    others: set[str] = set()
    for pair, run in zip(pairs, kept, strict=True):
        left = {k: v for k, v in run.factors.items() if k not in (*NOT_SETTINGS, *modelled)}
        same = first.setdefault(pair, left)
        others |= {name for name, _ in same.items() ^ left.items()}
    if others:
        notes.append(
            f"runs of the same settings differ in {', '.join(sorted(others))} too, which σ² stochastic then contains"
        )
    return notes
