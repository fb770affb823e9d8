"""The runs of the page: those that are missing, and all of them in one table."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from unetdyn.analysis.comparison.run_table import Absent, in_words
from unetdyn.analysis.comparison.summary import RunSummary
from unetdyn.analysis.comparison.table_statistics import TableStatistics
from unetdyn.analysis.result import number
from unetdyn.report.sweep_page.section import Folded, Section, Table, TableRow

MOST_EMPTY = 6  # cells that are named
MOST_OPEN = 40  # rows of a table that is not folded


def missing_section(found: TableStatistics) -> Iterator[Section]:
    """Which rows and cells are not in the statistics, and why; nothing where none is missing."""
    table, missing = found.table, found.missing
    empty = [] if missing is None else [table.title(tuple(cell.values())) for cell in missing.empty_cells]
    without = {} if missing is None else missing.without_number
    if not table.absent and not empty and not without:
        return
    sentences = []
    if table.absent:
        sentences.append(
            f"{len(table.absent)} of {table.planned} runs are not in what follows (n = {len(table.runs)})."
        )
    if empty:
        more = f"; and {len(empty) - MOST_EMPTY} more" if len(empty) > MOST_EMPTY else ""
        of = f"Cells without any run, {len(empty)} of {missing.cells if missing else 0}"
        sentences.append(f"{of}: {'; '.join(empty[:MOST_EMPTY])}{more}. What is said below is said of the others.")
    if without:
        some = "; ".join(f"{name}: {why}" for name, why in list(without.items())[:MOST_EMPTY])
        more = f"; and {len(without) - MOST_EMPTY} more" if len(without) > MOST_EMPTY else ""
        sentences.append(f"Finished without a number, and not in the tests: {some}{more}.")
    if missing is not None and not missing.balanced:
        sentences.append("The cells have not as many runs each: means of levels hold effects of the other factors too.")
    if not table.absent:
        yield Section("missing", "What is missing", sentences)
        return
    sentences.append(
        "Runs that fail are seldom missing by chance: where one setting fails more often, its survivors flatter it."
    )
    rows = [
        TableRow(each.name, [_cell(found, each), "" if each.seed is None else str(each.seed), each.why], "watch")
        for each in table.absent
    ]
    header = ["run", "cell", "seed", "why"]
    yield Section("missing", "What is missing", sentences, [_open_or_folded("Missing runs", header, rows, False)])


def runs_section(found: TableStatistics, folder: Path) -> Section:
    """All runs with their numbers; ill ones are marked, and what the diagnosis says of them stands below."""
    table = found.table
    names = [*table.factors, *table.blocks, "seed"]
    rows = [
        TableRow(
            run.name,
            ["✗ ill" if run.ill else "", *(in_words(run.factors.get(name)) for name in names), *_numbers(run)],
            "ill" if run.ill else "",
            _link(table.places.get(run.name), folder),
        )
        for run in table.runs
    ]
    if not rows:
        return Section("runs", "All runs", ["No run has ended well yet."])
    header = ["run", "verdict", *(name.replace("_", " ") for name in names), *_HEADER]
    ill = [TableRow(run.name, [run.ill], "ill") for run in table.runs if run.ill]
    sentences = [f"n = {len(rows)}; {len(ill)} of them are ill, as `unetdyn diagnose` says."]
    parts: list[Table | Folded] = [_open_or_folded("All runs", header, rows)]
    if ill:
        parts.append(
            Folded("Why they are ill", len(ill), [Table("Ill runs", ["run", "diagnosis"], ill, numbers=False)])
        )
    return Section("runs", "All runs", sentences, parts)


_HEADER = ("best", "last", "σ of the loss", "epochs", "seconds")


def _numbers(run: RunSummary) -> list[str]:
    seconds = "" if run.seconds is None else number(run.seconds)
    return [number(run.performance, 4), number(run.final, 4), number(run.stability), str(run.epochs), seconds]


def _cell(found: TableStatistics, absent: Absent) -> str:
    factors = found.table.factors
    if not set(factors) <= set(absent.settings):
        return ""
    return found.table.title([absent.settings[name] for name in factors])


def _open_or_folded(label: str, header: list[str], rows: list[TableRow], numbers: bool = True) -> Table | Folded:
    table = Table(label, header, rows, numbers)
    return table if len(rows) <= MOST_OPEN else Folded(label, len(rows), [table])


def _link(place: str | None, folder: Path) -> str:
    """From the folder of the page to a run directory; empty where there is no way, as from one drive to another."""
    if place is None:
        return ""
    try:
        return quote(Path(os.path.relpath(place, folder)).as_posix() + "/")
    except ValueError:
        return ""
