"""All that a table of runs tells, in one object: what a page about a sweep shows, and what a script may read."""

from collections.abc import Mapping
from dataclasses import dataclass

from unetdyn._checks import check_choice, check_count, check_positive
from unetdyn.analysis.comparison import table_parts as parts
from unetdyn.analysis.comparison.analysis_of_variance import Anova, anova
from unetdyn.analysis.comparison.assumptions import Assumptions, assumptions
from unetdyn.analysis.comparison.components import VarianceComponents
from unetdyn.analysis.comparison.decision_matrix import DecisionMatrix
from unetdyn.analysis.comparison.effect_intervals import EffectIntervals, effect_intervals
from unetdyn.analysis.comparison.exponent import StabilityExponent
from unetdyn.analysis.comparison.importance import Importance
from unetdyn.analysis.comparison.missing_cells import MissingCells
from unetdyn.analysis.comparison.multiplicity import holm
from unetdyn.analysis.comparison.next_runs import NextRuns
from unetdyn.analysis.comparison.ranking import BestWithin, Front
from unetdyn.analysis.comparison.robust_tests import RobustTests, robust_tests
from unetdyn.analysis.comparison.run_table import RunTable
from unetdyn.analysis.comparison.slopes import Sensitivity
from unetdyn.analysis.comparison.table_advice import Advice, advise
from unetdyn.analysis.result import Result

RESPONSES = ("performance", "final", "stability")
_SHOWN = 10  # runs that are named in a text with the reason why they don't count


@dataclass(frozen=True)
class TableStatistics(Result):
    """What `statistics_of` found. A text in place of a result says in a sentence why there is none.

    Attributes:
        table: The runs, and those that are not among them.
        response: What is asked about.
        order: How many factors an interaction has at most.
        max_sigma: The bound of σ; None where none was asked for.
        missing: Which cells have no run, or fewer than planned; None where there are no cells.
        advice: Which settings to take.
        matrix: What each architecture, or level of the first factor, is good at.
        anova: Whether the factors make a difference.
        sizes: How large it is, and between which levels.
        robust: Tests beside F that suppose less.
        adjusted: Name of the effect → p of F, adjusted by Holm for the number of effects.
        assumptions: What the residuals look like, and which test to read.
        components: Where the variance comes from.
        slopes: What learning rate and batch size do, each with the other held.
        exponent: β of σ ∝ α^β.
        front: The cells that no other beats in performance and σ both, by the means of their runs.
        within: The best cell below the bound of σ.
        importance: fANOVA's shares of the variation.
        next_runs: What one more day of runs would buy.
    """

    table: RunTable
    response: str
    order: int
    max_sigma: float | None
    missing: MissingCells | None
    advice: Advice
    matrix: DecisionMatrix | str
    anova: Anova | str
    sizes: EffectIntervals | str
    robust: RobustTests | str
    adjusted: Mapping[str, float]
    assumptions: Assumptions | str
    components: VarianceComponents | str
    slopes: Sensitivity | str
    exponent: StabilityExponent | str
    front: Front | str
    within: BestWithin | str
    importance: Importance | str
    next_runs: NextRuns | str

    def _rows(self) -> list[tuple[str, str]]:
        table = self.table
        rows = [("runs", f"{len(table.runs)} of {table.planned}"), ("recommended", self.advice.sentence)]
        if isinstance(self.anova, Anova):
            rows.append(("analysed", f"{self.response}, n = {self.anova.runs} runs"))
            rows += [row for effect in self.anova.effects.values() for row in effect._rows()]
        else:
            rows.append(("analysis of variance", self.anova))
        if isinstance(self.assumptions, Assumptions):
            rows.append(("test to read", f"{self.assumptions.read}: {self.assumptions.why}"))
        rows += [("not counted", f"{each.name}: {each.why}") for each in table.absent[:_SHOWN]]
        more = len(table.absent) - _SHOWN
        return rows + ([("not counted", f"and {more} more")] if more > 0 else [])


def statistics_of(
    table: RunTable, response: str = "performance", max_sigma: float | None = None, order: int | None = None
) -> TableStatistics:
    """Everything that a table of runs tells of a response.

    Args:
        table: Of the runs.
        response: `"performance"` (default), `"final"` or `"stability"`.
        max_sigma: A bound of the mean σ of a cell for the best settings, > 0; None (default): none.
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
        0.03
        >>> statistics.components
        'It needs several architectures, and another factor that groups the runs.'
    """
    check_choice("response", response, RESPONSES)
    if max_sigma is not None:
        check_positive("max_sigma", max_sigma, "or None for none")
    if order is not None:
        check_count("order", order, 1, "factors")
    order = parts.default_order(table) if order is None else min(order, max(len(table.grouped_by), 1))
    tested = parts.of_groups(anova, table, response, order)
    return TableStatistics(
        table=table,
        response=response,
        order=order,
        max_sigma=max_sigma,
        missing=parts.missing(table, response),
        advice=advise(table, response, max_sigma),
        matrix=parts.matrix(table),
        anova=tested,
        sizes=parts.of_groups(effect_intervals, table, response, order),
        robust=parts.of_groups(robust_tests, table, response, order),
        adjusted={} if isinstance(tested, str) else holm({name: each.p for name, each in tested.effects.items()}),
        assumptions=parts.of_groups(assumptions, table, response, order),
        components=parts.components(table, response),
        slopes=parts.slopes(table, response),
        exponent=parts.exponent(table),
        front=parts.front(table),
        within=parts.within(table, max_sigma),
        importance=parts.shares(table, response),
        next_runs=parts.more_runs(table, response),
    )
