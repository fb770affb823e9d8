"""The first table of the page: what each architecture is good at, by the evidence of these runs."""

from collections.abc import Iterable, Iterator

import numpy as np

from unetdyn.analysis.comparison.decision_matrix import BEHIND, BEST, LEVEL, DecisionMatrix, Standing
from unetdyn.analysis.comparison.run_table import factor_in_words, in_words
from unetdyn.analysis.comparison.table_advice import title_of
from unetdyn.analysis.comparison.table_statistics import TableStatistics
from unetdyn.analysis.quoted_table import QuotedTable
from unetdyn.analysis.result import interval, number
from unetdyn.report.sweep_page.notes import own_notes
from unetdyn.report.sweep_page.section import Folded, Section, Table, TableRow, percent, sentence

_SYMBOLS = {BEST: "✓ best", LEVEL: "≈ level", BEHIND: "✗ behind"}


def matrix_section(found: TableStatistics) -> Section:
    """Criteria by levels, what to take for which priority, and the studies' own matrix."""
    matrix = found.matrix
    if isinstance(matrix, str):
        return Section("matrix", "What is good at what", [matrix])
    name = factor_in_words(matrix.factor)
    rows = [
        TableRow(criterion, [_cell(standings.get(level)) for level in matrix.levels])
        for criterion, standings in matrix.criteria.items()
    ]
    if all(np.isnan(each.mean) for standings in matrix.criteria.values() for each in standings.values()):
        n = len(found.table.runs)
        why = f"No table of criteria: no settings of the other factors were run with every {name} (n = {n})."
        return Section("matrix", f"Which {name} for what", [why], [*_priorities(found, matrix), _studies(matrix)])
    counts = {each.runs for standings in matrix.criteria.values() for each in standings.values() if each.runs}
    per = f"n = {min(counts)} to {max(counts)}" if len(counts) > 1 else f"n = {max(counts, default=0)}"
    said = (
        f"Each {name} over the settings that all of them were run with, {per} runs each; in brackets "
        f"{percent(matrix.confidence)} intervals over seeds."
    )
    criteria = Table(f"Criteria by {name}", ["criterion", *map(in_words, matrix.levels)], rows)
    reasons = {each.reason for standings in matrix.criteria.values() for each in standings.values() if each.reason}
    notes = [
        "Behind: the interval of the difference from the best, for all pairs at once, excludes 0; level: it does not. "
        f"Each {name} is averaged over settings that may not suit it; the second table is of the best settings.",
        *(f"No verdict: {reason}." for reason in sorted(reasons)),
        *map(sentence, _together(own_notes(found, matrix.notes))),
    ]
    title = f"Which {name} for what"
    return Section("matrix", title, [said], [criteria, *_priorities(found, matrix), _studies(matrix)], notes)


def _together(notes: Iterable[str]) -> list[str]:
    """What is said of several criteria, once.

    >>> _together(["seconds: 5 runs are left out", "σ: 5 runs are left out"])
    ['seconds, σ: 5 runs are left out']
    """
    names: dict[str, list[str]] = {}
    for note in notes:
        name, _, text = note.partition(": ")
        names.setdefault(text, []).append(name)
    return [f"{', '.join(of)}: {text}" if text else of[0] for text, of in names.items()]


def _cell(standing: Standing | None) -> str:
    """Mean, interval and verdict; with symbols, as colour alone tells not everyone."""
    if standing is None or np.isnan(standing.mean):
        return ""
    ends = "" if np.isnan(standing.low) else f" ({interval(standing.low, standing.high)})"
    return f"{number(standing.mean)}{ends} {_SYMBOLS.get(standing.verdict, '')}".strip()


def _priorities(found: TableStatistics, matrix: DecisionMatrix) -> Iterator[Table]:
    rows = [
        TableRow(
            priority,
            [title_of(found.table, choice.best), str(len(choice.best.runs)), choice.verdict or choice.reason],
        )
        for priority, choice in matrix.choices.items()
        if choice.best is not None and priority != "sensitivity"
    ]
    if rows:
        yield Table("What to take for which priority", ["priority", "take", "n", "how sure"], rows, numbers=False)


def _studies(matrix: DecisionMatrix) -> Folded:
    """What the studies say of architectures on other data, with what contradicts it."""
    quoted: QuotedTable = matrix.tables[0]
    rows = [TableRow(str(row[0]), ["" if cell is None else str(cell) for cell in row[1:]]) for row in quoted.rows]
    wrong = [TableRow(", ".join(note.rows) or "all", [note.text]) for note in quoted.notes]
    parts = [Table(f"{quoted.title}, {quoted.source}", quoted.columns, rows)]
    if wrong:
        parts.append(Table("What is wrong in it", ["of", "what"], wrong, numbers=False))
    return Folded("The studies' decision matrix, of other data", len(rows), parts)
