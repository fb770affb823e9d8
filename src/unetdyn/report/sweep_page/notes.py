"""What to mind when reading the page: what was asked, what was the same in all runs, what differs that should not."""

from collections.abc import Iterable

from unetdyn.analysis.comparison.many_runs import comparison_notes
from unetdyn.analysis.comparison.run_table import in_words
from unetdyn.analysis.comparison.table_statistics import TableStatistics
from unetdyn.report.sweep_page.section import Folded, Section, Table, TableRow

MOST_LEVELS = 12  # of a factor, that are written out


def notes_of(found: TableStatistics, notes: Iterable[str]) -> list[str]:
    """Those of one result, without what is said of all runs once, in the section of notes."""
    return [_sentence(found, note) for note in own_notes(found, notes)]


def own_notes(found: TableStatistics, notes: Iterable[str]) -> list[str]:
    """The same, as they were."""
    common = set(comparison_notes(found.table.runs))
    return [note for note in notes if note not in common]


def notes_section(found: TableStatistics) -> Section:
    """What was asked, what was the same in all runs, and what to mind."""
    table = found.table
    interactions = "no interactions" if found.order == 1 else f"interactions of up to {found.order} factors"
    blocks = f" and in the blocks {', '.join(table.blocks)}" if table.blocks else ""
    sentences = [
        f"Asked about: {found.response}, with {interactions}. Runs of one cell differ in their seed alone{blocks}."
    ]
    levels = [
        f"{name.replace('_', ' ')} {', '.join(map(in_words, of[:MOST_LEVELS]))}{' …' if len(of) > MOST_LEVELS else ''}"
        for name, of in {**table.factors, **table.blocks}.items()
    ]
    if levels:
        sentences.append(f"What differs: {'; '.join(levels)}.")
    same = [TableRow(name, [in_words(value)]) for name, value in table.constant.items()]
    what = "What is the same in all runs"
    parts = [Folded(what, len(same), [Table(what, ["setting", "value"], same, numbers=False)])] if same else []
    ill = {f"{run.name} is ill: {run.ill}" for run in table.runs if run.ill}
    mind = [note for note in comparison_notes(table.runs) if note not in ill]
    return Section("notes", "Notes", sentences, parts, notes=[_sentence(found, note) for note in (*table.notes, *mind)])


def _sentence(found: TableStatistics, note: str) -> str:
    """A note with a capital and a stop; the name of a setting or a run at its beginning stays as it is."""
    table = found.table
    names = {*table.factors, *table.blocks, *table.constant, *(run.name for run in table.runs)}
    first = note.split(maxsplit=1)[0].rstrip(":,")
    is_word = first.isalpha() and first.isascii() and first not in names
    return f"{note[:1].upper() if is_word else note[:1]}{note[1:]}".rstrip(".") + "."
