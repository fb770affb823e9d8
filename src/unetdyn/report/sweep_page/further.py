"""What else the runs say of the settings, and what more of them would: importance, and the next day's runs."""

from functools import partial

import numpy as np

from unetdyn.analysis.comparison.next_runs import NextRuns, Precision
from unetdyn.analysis.comparison.run_table import factor_in_words
from unetdyn.analysis.comparison.table_statistics import TableStatistics
from unetdyn.analysis.result import number
from unetdyn.report.importance import ImportanceDisplay
from unetdyn.report.page.pictures import picture
from unetdyn.report.sweep_page.notes import notes_of
from unetdyn.report.sweep_page.section import Grid, Section, Table, TableRow, percent


def importance_section(found: TableStatistics) -> Section:
    """fANOVA's shares beside η²."""
    title, importance = "Importance beside the tests", found.importance
    if isinstance(importance, str):
        return Section("importance", title, [importance])
    if not importance.determined:
        return Section("importance", title, [f"There are no shares: {importance.reason}."])
    first = next(iter(importance.importances.values()))
    sentences = [
        f"A random forest of n = {importance.runs} runs puts {percent(first.share)} of the variation down to "
        f"{factor_in_words(first.name)}; it finds dependences of any shape, and takes noise for some of them.",
    ]
    notes = []
    if importance.higher > 0:
        notes.append(f"Three and more factors together: {percent(importance.higher)}, the scatter over seeds among it.")
    make = partial(ImportanceDisplay.from_importance, importance)
    rows = [
        TableRow(factor_in_words(each.name), [percent(each.share), percent(each.scatter), number(each.eta_squared)])
        for each in importance.importances.values()
    ]
    table = Table("Shares of the variation", ["factor", "fANOVA", "± over trees", "η²"], rows)
    grid = Grid([picture(make, "fANOVA's shares and η²", "importance"), table])
    return Section("importance", title, sentences, [grid], [*notes, *notes_of(found, importance.notes)])


def next_section(found: TableStatistics) -> Section:
    """What one more day of runs would buy."""
    title, following = "What one more day of runs would buy", found.next_runs
    if isinstance(following, str):
        return Section("next", title, [following])
    if not following.determined:
        return Section("next", title, [f"It can't be told: {following.reason} (n = {len(found.table.runs)})."])
    sentences = [
        f"Seeds scatter by σ = {number(following.sigma)} ({following.df} degrees of freedom, {following.cells} cells, "
        f"n = {len(found.table.runs)} runs)."
    ]
    if following.runs_per_day:
        time = number(following.seconds_per_run)
        sentences.append(f"At {time} seconds a run, one after another, a day is {following.runs_per_day} runs.")
    if not np.isnan(following.lead):
        sentences.append(_lead(following))
    named = (
        ("now", following.now),
        ("a day of runs of all cells", following.after_all),
        ("a day of runs of the best two", following.after_two),
    )
    rows = [_row(label, precision) for label, precision in named if precision is not None]
    header = ["after", "runs", "seeds a cell", "± of a difference of cells", "difference that is found"]
    table = Table("What more runs can tell", header, rows)
    notes = ["Found: with p below 0.05 in four of five cases, between two cells."]
    if found.max_sigma is not None:
        notes.append("The best two are of all cells, whatever their σ.")
    return Section("next", title, sentences, [table], [*notes, *notes_of(found, following.notes)])


def _lead(following: NextRuns) -> str:
    needed = "more than 10,000" if following.seeds_to_tell is None else str(following.seeds_to_tell)
    days = "" if np.isnan(following.days_to_tell) else f", {number(following.days_to_tell, 2)} days of runs from now"
    return f"To tell the best cell from the second, {number(following.lead, 2)} apart, takes {needed} seeds each{days}."


def _row(label: str, found: Precision) -> TableRow:
    cells = [str(found.runs), number(found.seeds), number(found.half_width), number(found.smallest_difference)]
    return TableRow(label, cells)
