"""Which settings to take: the advice, and what cannot be beaten."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from unetdyn.analysis.comparison.many_runs import left_out
from unetdyn.analysis.comparison.ranking import BestWithin, Front
from unetdyn.analysis.comparison.recommendation import Recommendation
from unetdyn.analysis.comparison.table_statistics import TableStatistics
from unetdyn.analysis.result import interval, number
from unetdyn.report.comparison import ComparisonDisplay
from unetdyn.report.page.pictures import picture
from unetdyn.report.sweep_page.notes import notes_of
from unetdyn.report.sweep_page.section import Grid, Section, Table, TableRow


def advice_section(found: TableStatistics) -> Section:
    """What the page is read for, in a sentence with its evidence."""
    notes = []
    if isinstance(found.recommendation, Recommendation) and found.recommendation.best is not None:
        if not np.isnan(found.recommendation.low):
            notes.append(
                "The winner was picked by these very runs, which flatters it: repeat the first two with new seeds "
                "where much depends on it."
            )
        notes += [f"Left out: {text}." for _, text in left_out(found.recommendation.excluded, ())]
    if found.not_calm:
        bound = number(found.max_sigma)
        notes.append(f"Left out, because their mean σ is not below {bound}: {'; '.join(found.not_calm)}.")
    return Section("advice", "What to take", [found.advice], notes=notes, prominent=True)


def front_section(found: TableStatistics) -> Iterator[Section]:
    """The cells that no other beats, and the best below a bound of σ."""
    if isinstance(found.front, str):
        yield Section("front", "Good and calm", [found.front])
        return
    sentences = list(_front_sentences(found, found.front))
    parts = []
    if found.front.front:
        make = partial(ComparisonDisplay.from_runs, found.table.cell_means(short=True))
        names = " · ".join(name.replace("_", " ") for name in found.table.factors)
        parts.append(Grid([picture(make, f"Means of the cells: {names}", "front")]))
    notes = [f"{name} is not in the picture: {why}." for name, why in found.front.excluded.items()]
    yield Section("front", "Good and calm", sentences, parts, notes)


def _front_sentences(found: TableStatistics, front: Front) -> Iterator[str]:
    cells = len(front.front) + len(front.dominated)
    if not front.front:
        yield "No cell has both a performance and a σ."
        return
    names = "; ".join(
        f"{cell.name} (performance {number(cell.performance)}, σ {number(cell.stability)})" for cell in front.front
    )
    yield f"No other cell is better in both, by the means of {len(found.table.runs)} runs in {cells} cells: {names}."
    if isinstance(found.within, BestWithin):
        bound = f"σ < {number(found.within.max_sigma)}"
        if found.within.best is None:
            yield f"No cell has a mean {bound}."
        else:
            best = found.within.best
            numbers = f"performance {number(best.performance)}, σ {number(best.stability)}"
            yield f"Best with a mean {bound}: {best.name} ({numbers}), of {len(found.within.within)} cells below it."
    else:
        yield found.within


def components_section(found: TableStatistics) -> Section:
    """Where the variance comes from."""
    title = "Where the variance comes from"
    components = found.components
    if isinstance(components, str):
        return Section("components", title, [components])
    rows = []
    for name, words in (
        ("architecture", "architecture"),
        ("optimisation", "learning rate, batch size and the like"),
        ("stochastic", "chance: seeds"),
    ):
        each = getattr(components, name)
        share = "" if np.isnan(each.share) else f"{each.share:.0%}"
        ends = each.reason or interval(each.low, each.high)
        rows.append(TableRow(words, [number(each.variance), ends, share]))
    counts = f"n = {components.runs} runs of {components.architectures} architectures in {components.cells} settings"
    sentence = f"{counts}; {components.design}, estimated by {components.method}."
    header = ["source", "variance", f"{components.confidence:.0%} interval", "share"]
    return Section(
        "components", title, [sentence], [Table("Variance components", header, rows)], notes_of(found, components.notes)
    )
