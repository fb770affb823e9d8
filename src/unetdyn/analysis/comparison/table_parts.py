"""What one kind of analysis tells of a table of runs; or in a sentence, why it tells nothing."""

from collections.abc import Callable, Sequence
from itertools import combinations, product
from typing import TypeVar

import numpy as np

from unetdyn.analysis.comparison.components import VarianceComponents, variance_components
from unetdyn.analysis.comparison.decision_matrix import DecisionMatrix, decision_matrix
from unetdyn.analysis.comparison.design import responses
from unetdyn.analysis.comparison.exponent import StabilityExponent, stability_exponent
from unetdyn.analysis.comparison.importance import Importance, importance
from unetdyn.analysis.comparison.missing_cells import MissingCells, missing_cells
from unetdyn.analysis.comparison.next_runs import NextRuns, next_runs
from unetdyn.analysis.comparison.ranking import BestWithin, Front, best_within, pareto_front
from unetdyn.analysis.comparison.run_table import RunTable, factor_in_words
from unetdyn.analysis.comparison.slopes import Sensitivity, sensitivity

MOST_LEVELS = 8  # that are compared criterion by criterion: of more, nobody reads a table of all
FEWEST = 3  # runs, below which there is nothing to test

Found = TypeVar("Found")


def if_possible(make: Callable[[], Found], table: RunTable, needs: Sequence[str] = ()) -> Found | str:
    """A result; or why there is none.

    Args:
        make: Computes it.
        table: The runs.
        needs: Settings that one run at least must have.

    Example:
        >>> if_possible(lambda: 1, RunTable("none", (), {}))
        'It needs 3 runs at least: n = 0.'
    """
    if len(table.runs) < FEWEST:
        return f"It needs {FEWEST} runs at least: n = {len(table.runs)}."
    missing = [name for name in needs if all(run.factors.get(name) is None for run in table.runs)]
    if missing:
        return f"It needs the setting {' and '.join(missing)}, which these runs do not have."
    return make()


def no_groups(table: RunTable) -> str:
    """Why there are no groups of runs to compare."""
    if len(table.runs) < 2:
        return f"There is nothing to compare: n = {len(table.runs)}."
    if table.sampled:
        return f"Each cell has its own {' and '.join(table.sampled)}: there are no groups, but slopes and importance."
    return f"No setting groups the runs (n = {len(table.runs)}): what differs, differs in every one of them."


def of_groups(test: Callable[..., Found], table: RunTable, response: str, order: int) -> Found | str:
    """What a test finds of the factors that group the runs, within blocks and seeds."""
    factors = table.grouped_by
    if not factors:
        return no_groups(table)
    sound = int(np.isfinite(responses(table.units, response)).sum())
    if sound < FEWEST <= len(table.runs):
        return f"It needs {FEWEST} {table.units_in_words} with a number for their {response} at least: n = {sound}."
    return if_possible(lambda: test(table.units, factors, response, order, table.held), table)


def missing(table: RunTable, response: str) -> MissingCells | None:
    """Of a sweep what its table has; of other runs, of every combination of levels, where most of these were run."""
    if not table.factors or not table.runs or (table.sampled and not table.plan):
        return None
    found = missing_cells(table.runs, table.plan or None, tuple(table.factors), response)
    return None if found.inferred and len(found.empty_cells) > found.cells / 2 else found


def matrix(table: RunTable) -> DecisionMatrix | str:
    """What each architecture is good at; without several of these, each level of the first factor."""
    factors = table.grouped_by
    if not factors:
        return no_groups(table)
    factor = "architecture" if "architecture" in factors else factors[0]
    many = len(table.factors[factor])
    if many > MOST_LEVELS:
        return f"What is good at what is told of up to {MOST_LEVELS} levels; {factor_in_words(factor)} has {many}."
    others = tuple(name for name in table.factors if name != factor)
    return if_possible(lambda: decision_matrix(table.without_blocks(), factor, others), table)


def components(table: RunTable, response: str) -> VarianceComponents | str:
    """Where the variance comes from: architecture, all other factors, chance."""
    settings = tuple(name for name in table.grouped_by if name != "architecture")
    if "architecture" not in table.factors or not settings:
        return "It needs several architectures, and another factor that groups the runs."
    return if_possible(lambda: variance_components(table.runs, response, settings=settings), table)


def slopes(table: RunTable, response: str) -> Sensitivity | str:
    """What learning rate and batch size do."""
    if not any(_numbers(table, name) for name in ("learning_rate", "batch_size")):
        return "It needs numbers as learning rate or batch size, and these runs have none that differ."
    return if_possible(lambda: sensitivity(table.units, response), table, ("learning_rate", "batch_size"))


def exponent(table: RunTable) -> StabilityExponent | str:
    """How σ grows with the learning rate."""
    if not _numbers(table, "learning_rate"):
        return "σ ∝ α^β needs several learning rates, and these runs have one or none."
    rates = [run.factors.get("learning_rate", float("nan")) for run in table.units]
    return if_possible(lambda: stability_exponent(rates, [run.stability for run in table.units]), table)


def front(table: RunTable) -> Front | str:
    """The cells that no other beats in performance and σ both, by the means of their runs."""
    return if_possible(lambda: pareto_front(table.cell_means()), table)


def within(table: RunTable, max_sigma: float | None) -> BestWithin | str:
    """The best cell below a bound of σ, by the means of its runs."""
    if max_sigma is None:
        return "No bound of σ was asked for (`--max-sigma`)."
    return if_possible(lambda: best_within(table.cell_means(), max_sigma), table)


def shares(table: RunTable, response: str) -> Importance | str:
    """fANOVA's importance of each factor."""
    if not table.factors:
        return no_groups(table)
    return if_possible(lambda: importance(table.runs, tuple(table.factors), response), table)


def more_runs(table: RunTable, response: str) -> NextRuns | str:
    """What one more day of runs would buy."""
    return if_possible(lambda: next_runs(table.runs, response, tuple(table.factors), blocks=table.held), table)


def default_order(table: RunTable) -> int:
    """2 where every pair of levels of every two factors was run and cells were repeated, else 1."""
    factors = table.grouped_by
    if len(factors) < 2 or table.repeated < 1 or table.sampled:
        return 1
    for one, other in combinations(factors, 2):
        run = {(each.factors.get(one), each.factors.get(other)) for each in table.runs}
        if not set(product(table.factors[one], table.factors[other])) <= run:
            return 1
    return 2


def _numbers(table: RunTable, name: str) -> bool:
    """Whether a setting is of numbers, and not the same in all runs."""
    values = {run.factors.get(name) for run in table.runs} - {None}
    return len(values) > 1 and all(isinstance(value, int | float) for value in values)
