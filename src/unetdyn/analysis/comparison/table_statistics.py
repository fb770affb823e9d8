"""All that a table of runs tells, in one object: what a page about a sweep shows, and what a script may read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, TypeVar

import numpy as np

from unetdyn._checks import check_choice, check_count, check_positive
from unetdyn.analysis.comparison.analysis_of_variance import Anova, anova
from unetdyn.analysis.comparison.choices import Choice
from unetdyn.analysis.comparison.components import VarianceComponents, variance_components
from unetdyn.analysis.comparison.effect_intervals import EffectIntervals, effect_intervals
from unetdyn.analysis.comparison.exponent import StabilityExponent, stability_exponent
from unetdyn.analysis.comparison.missing_cells import MissingCells, missing_cells
from unetdyn.analysis.comparison.multiplicity import holm
from unetdyn.analysis.comparison.ranking import BestWithin, Front, best_within, pareto_front
from unetdyn.analysis.comparison.recommendation import Recommendation, recommend
from unetdyn.analysis.comparison.robust_tests import RobustTests, robust_tests
from unetdyn.analysis.comparison.run_table import RunTable
from unetdyn.analysis.comparison.slopes import Sensitivity, sensitivity
from unetdyn.analysis.result import Result, interval, number

RESPONSES = ("performance", "final", "stability")
FEWEST = 3  # runs, below which there is nothing to test

Found = TypeVar("Found")


@dataclass(frozen=True)
class TableStatistics(Result):
    """What `statistics_of` found. A text in place of a result says in a sentence why there is none.

    Attributes:
        table: The runs, and those that are not among them.
        response: What is asked about.
        order: How many factors an interaction has at most.
        max_sigma: The bound of σ; None where none was asked for.
        missing: Which cells have no run, or fewer than planned; None where there are no cells.
        anova: Whether the factors make a difference.
        sizes: How large it is, and between which levels.
        robust: Tests beside F that suppose less.
        adjusted: Name of the effect → p of F, adjusted by Holm for the number of effects.
        components: Where the variance comes from.
        slopes: What learning rate and batch size do, each with the other held.
        exponent: β of σ ∝ α^β.
        front: The cells that no other beats in performance and σ both, by the means of their runs.
        within: The best cell below the bound of σ.
        recommendation: Which settings to take.
        not_calm: The cells whose mean σ is not below the bound, which are not recommended.
    """

    table: RunTable
    response: str
    order: int
    max_sigma: float | None
    missing: MissingCells | None
    anova: Anova | str
    sizes: EffectIntervals | str
    robust: RobustTests | str
    adjusted: Mapping[str, float]
    components: VarianceComponents | str
    slopes: Sensitivity | str
    exponent: StabilityExponent | str
    front: Front | str
    within: BestWithin | str
    recommendation: Recommendation | str
    not_calm: tuple[str, ...] = ()

    def title_of(self, choice: Choice) -> str:
        """The settings of a choice, in words."""
        return self.table.title([choice.runs[0].factors.get(name) for name in self.table.factors])

    @property
    def advice(self) -> str:
        """Which settings to take and how sure that is, in a sentence or two, each number with its n."""
        found = self.recommendation
        if isinstance(found, str):
            return found
        if found.best is None:
            return f"No settings can be recommended: {found.reason}."
        what = "σ" if self.response == "stability" else "performance"
        text = f"Take {self.title_of(found.best)}: mean {what} {number(found.best.value)} (n = {len(found.best.runs)})"
        if found.runner_up is None:
            return f"{text}; {found.verdict}."
        more = "less" if self.response == "stability" else "more"
        ends = "" if np.isnan(found.low) else f", 95 % interval {interval(found.low, found.high)}"
        text += f", {number(found.difference)} {more} than {self.title_of(found.runner_up)}"
        return f"{text} (n = {len(found.runner_up.runs)}{ends}). {found.verdict[:1].upper()}{found.verdict[1:]}."

    def _rows(self) -> list[tuple[str, str]]:
        table = self.table
        rows = [("runs", f"{len(table.runs)} of {table.planned}"), ("recommended", self.advice)]
        if isinstance(self.anova, Anova):
            rows += [row for effect in self.anova.effects.values() for row in effect._rows()]
        else:
            rows.append(("analysis of variance", self.anova))
        return rows + [("not counted", f"{each.name}: {each.why}") for each in table.absent]


def statistics_of(
    table: RunTable, response: str = "performance", max_sigma: float | None = None, order: int | None = None
) -> TableStatistics:
    """Everything that a table of runs tells of a response.

    Args:
        table: Of the runs.
        response: `"performance"` (default), `"final"` or `"stability"`.
        max_sigma: A bound of σ for the best settings, > 0; None (default): none.
        order: How many factors an interaction may have at most, 1 or more; None (default): 2 where every pair of levels
            was run and cells were repeated, else 1.

    Returns:
        A `TableStatistics`.

    Raises:
        ValueError: If an argument is none of those.

    Example:
        >>> from unetdyn.analysis.comparison.summary import summarise
        >>> found = {(0.001, 0): 0.70, (0.001, 1): 0.72, (0.005, 0): 0.60, (0.005, 1): 0.61}
        >>> runs = [
        ...     summarise({"val_jaccard": [value]}, f"{rate}-{seed}", {"learning_rate": rate, "seed": seed})
        ...     for (rate, seed), value in found.items()
        ... ]
        >>> table = RunTable("rates", tuple(runs), {"learning_rate": (0.001, 0.005)}, planned=4)
        >>> statistics = statistics_of(table)
        >>> round(statistics.anova.effects["learning_rate"].p, 3)
        0.011
        >>> statistics.components
        'It needs the factor architecture, which these runs do not have.'
    """
    check_choice("response", response, RESPONSES)
    if max_sigma is not None:
        check_positive("max_sigma", max_sigma, "or None for none")
    if order is not None:
        check_count("order", order, 1, "factors")
    factors = table.grouped_by
    order = _order(table) if order is None else min(order, max(len(factors), 1))
    not_calm = _not_calm(table, max_sigma)
    tested = _of_factors(anova, table, response, order)
    return TableStatistics(
        table=table,
        response=response,
        order=order,
        max_sigma=max_sigma,
        missing=_missing(table, response),
        anova=tested,
        sizes=_of_factors(effect_intervals, table, response, order),
        robust=_of_factors(robust_tests, table, response, order),
        adjusted={} if isinstance(tested, str) else holm({name: effect.p for name, effect in tested.effects.items()}),
        components=_if_possible(lambda: variance_components(table.runs, response), table, ("architecture",)),
        slopes=_slopes(table, response),
        exponent=_exponent(table),
        front=_if_possible(lambda: pareto_front(table.cell_means()), table),
        within=_within(table, max_sigma),
        recommendation=_recommendation(table, response, not_calm),
        not_calm=tuple(map(table.title, not_calm)),
    )


def _of_factors(test: Callable[..., Found], table: RunTable, response: str, order: int) -> Found | str:
    """What a test finds of the factors that group the runs, within blocks."""
    factors = table.grouped_by
    if not factors:
        return no_groups(table)
    return _if_possible(lambda: test(table.runs, factors, response, order, tuple(table.blocks)), table)


def _missing(table: RunTable, response: str) -> MissingCells | None:
    """Of a sweep what its table has; of other runs, of every combination of levels, where most of these were run."""
    if not table.factors or not table.runs or (table.sampled and not table.plan):
        return None
    found = missing_cells(table.runs, table.plan or None, tuple(table.factors), response)
    return None if found.inferred and len(found.empty_cells) > found.cells / 2 else found


def no_groups(table: RunTable) -> str:
    """Why there are no groups of runs to compare."""
    if len(table.runs) < 2:
        return f"There is nothing to compare: n = {len(table.runs)}."
    if table.sampled:
        return f"Each cell has its own {' and '.join(table.sampled)}: there are no groups, but slopes and importance."
    return f"No setting groups the runs (n = {len(table.runs)}): what differs, differs in every one of them."


def _if_possible(make: Callable[[], Found], table: RunTable, needs: Sequence[str] = ()) -> Found | str:
    """A result; or why there is none, in a sentence."""
    if len(table.runs) < FEWEST:
        return f"It needs {FEWEST} runs at least: n = {len(table.runs)}."
    missing = [name for name in needs if all(run.factors.get(name) is None for run in table.runs)]
    if missing:
        return f"It needs the factor {' and '.join(missing)}, which these runs do not have."
    return make()


def _slopes(table: RunTable, response: str) -> Sensitivity | str:
    varied = [name for name in ("learning_rate", "batch_size") if _numbers(table, name)]
    if not varied:
        return "It needs numbers as learning rate or batch size, and these runs have none that differ."
    return _if_possible(lambda: sensitivity(table.runs, response), table, ("learning_rate", "batch_size"))


def _exponent(table: RunTable) -> StabilityExponent | str:
    if not _numbers(table, "learning_rate"):
        return "It needs several learning rates, and these runs have one or none."
    pairs = [(run.factors["learning_rate"], run.stability) for run in table.runs if "learning_rate" in run.factors]
    return _if_possible(lambda: stability_exponent([rate for rate, _ in pairs], [sigma for _, sigma in pairs]), table)


def _numbers(table: RunTable, name: str) -> bool:
    """Whether a setting is of numbers, and not the same in all runs."""
    values = {run.factors.get(name) for run in table.runs} - {None}
    return len(values) > 1 and all(isinstance(value, int | float) for value in values)


def _within(table: RunTable, max_sigma: float | None) -> BestWithin | str:
    if max_sigma is None:
        return "No bound of σ was asked for (`--max-sigma`)."
    return _if_possible(lambda: best_within(table.cell_means(), max_sigma), table)


def _not_calm(table: RunTable, max_sigma: float | None) -> list[tuple[Any, ...]]:
    """The cells whose mean σ is not below the bound: whole ones, or those of their runs that are would flatter them."""
    means = zip(table.cells(), table.cell_means(), strict=True)
    return [cell for cell, mean in means if max_sigma is not None and not mean.stability < max_sigma]


def _recommendation(table: RunTable, response: str, not_calm: Sequence[tuple[Any, ...]]) -> Recommendation | str:
    if not table.runs:
        return "Nothing can be recommended: no run has ended well yet."
    if len(table.runs) == 1:
        return "Nothing can be recommended of one run (n = 1): there is nothing to compare it with."
    priority = "stability" if response == "stability" else "performance"
    eligible = [
        run for run in table.without_blocks() if tuple(run.factors.get(name) for name in table.factors) not in not_calm
    ]
    if not eligible:
        return "Nothing can be recommended: no cell has a mean σ below the bound."
    return recommend(eligible, priority)


def _order(table: RunTable) -> int:
    """2 where every pair of levels of every two factors was run and cells were repeated, else 1."""
    factors = table.grouped_by
    if len(factors) < 2 or table.repeated < 1 or table.sampled:
        return 1
    for place, one in enumerate(factors):
        for other in factors[place + 1 :]:
            run = {(each.factors.get(one), each.factors.get(other)) for each in table.runs}
            if not set(product(table.factors[one], table.factors[other])) <= run:
                return 1
    return 2
