"""Which settings to take: the advice, and what cannot be beaten."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from unetdyn.analysis.comparison.many_runs import left_out
from unetdyn.analysis.comparison.ranking import BestWithin, Front
from unetdyn.analysis.comparison.table_statistics import TableStatistics
from unetdyn.analysis.result import interval, number
from unetdyn.report.comparison import ComparisonDisplay
from unetdyn.report.page.pictures import picture
from unetdyn.report.sweep_page.notes import notes_of
from unetdyn.report.sweep_page.section import Folded, Grid, Section, Table, TableRow, percent

MOST_CANDIDATES = 12  # cells with their probability; those after them are counted


def advice_section(found: TableStatistics) -> Section:
    """What the page is read for, in a sentence with its evidence."""
    advice, notes = found.advice, []
    sentences = [advice.sentence]
    ill = _ill(found)
    if ill:
        sentences.append(f"Beware: {', '.join(ill)} of it {'is' if len(ill) == 1 else 'are'} ill; see all runs below.")
    if advice.recommendation is not None:
        if not np.isnan(advice.recommendation.low):
            notes.append(
                "The winner was picked by these very runs, which flatters the interval; the probability allows for it. "
                "Where much depends on it, repeat the first two with new seeds."
            )
        notes += [f"Not eligible: {text}." for _, text in left_out(advice.recommendation.excluded, ())]
    if advice.not_calm:
        bound = number(found.max_sigma)
        notes.append(f"Not eligible, because their mean σ is not below {bound}: {'; '.join(advice.not_calm)}.")
    return Section("advice", "What to take", sentences, list(_candidates(found)), notes, prominent=True)


def _ill(found: TableStatistics) -> list[str]:
    """The names of the recommended runs that are ill."""
    recommendation = found.advice.recommendation
    best = None if recommendation is None else recommendation.best
    names = set() if best is None else {run.name for run in best.runs}
    return [run.name for run in found.table.runs if run.ill and run.name in names]


def _candidates(found: TableStatistics) -> Iterator[Folded]:
    """The cells with the probability that each is the best."""
    probability = found.advice.probability
    if probability is None or not probability.determined:
        return
    shown = probability.candidates[:MOST_CANDIDATES]
    rows = [
        TableRow(
            found.table.title(list(each.settings.values())),
            [
                str(each.runs),
                number(each.mean),
                interval(each.low, each.high),
                percent(each.probability),
                number(each.expected_loss, 2),
                number(each.stability),
            ],
        )
        for each in shown
    ]
    header = ["cell", "n", f"mean {found.response}", "95 % of its true mean", "is the best", "expected loss", "mean σ"]
    count = f"{len(shown)} of {len(probability.candidates)}" if len(probability.candidates) > len(shown) else "all"
    table = Table(f"How probable it is that each cell is the best, {count} cells", header, rows)
    yield Folded("How probable it is that each cell is the best", len(shown), [table])


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
        rows = [TableRow(cell.name, [number(cell.performance), number(cell.stability)]) for cell in found.front.front]
        table = Table("Cells that no other beats", ["cell", "mean performance", "mean σ"], rows, numbers=False)
        parts.append(Grid([picture(make, f"Means of the cells: {names}", "front"), table]))
    notes = [f"{name} is not in the picture: {why}." for name, why in found.front.excluded.items()]
    yield Section("front", "Good and calm", sentences, parts, notes)


def _front_sentences(found: TableStatistics, front: Front) -> Iterator[str]:
    cells = len(front.front) + len(front.dominated)
    if not front.front:
        yield "No cell has both a performance and a σ."
        return
    of = f"{len(front.front)} of {cells} cells" if len(front.front) > 1 else f"one of {cells} cells"
    yield f"No other is better in performance and σ both than {of}, by the means of n = {len(found.table.runs)} runs."
    if isinstance(found.within, BestWithin):
        bound = f"σ < {number(found.within.max_sigma)}"
        if found.within.best is None:
            yield f"No cell has a mean {bound}."
        else:
            best = found.within.best
            numbers = f"performance {number(best.performance)}, σ {number(best.stability)}"
            below = f"{len(found.within.within)} cells below it"
            yield f"Best with a mean {bound}: {best.name} ({numbers}), of {below}{_probability(found, best.name)}."
    else:
        yield found.within


def _probability(found: TableStatistics, title: str) -> str:
    """That the cell of this title is the best of those that are calm enough; empty where nobody can say."""
    chance = found.advice.best
    if chance is None or np.isnan(chance.probability) or found.table.title(list(chance.settings.values())) != title:
        return ""
    return f"; with {percent(chance.probability)} it is the best of them"


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
        share = "" if np.isnan(each.share) else percent(each.share)
        ends = each.reason or interval(each.low, each.high)
        rows.append(TableRow(words, [number(each.variance), ends, share]))
    counts = f"n = {components.runs} runs of {components.architectures} architectures in {components.cells} settings"
    sentence = f"{counts}; {components.design}, estimated by {components.method}."
    header = ["source", "variance", f"{percent(components.confidence)} interval", "share"]
    return Section(
        "components", title, [sentence], [Table("Variance components", header, rows)], notes_of(found, components.notes)
    )
