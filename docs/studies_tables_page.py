"""Writes docs/studies_tables.md from the tables of the studies that `unetdyn.analysis` holds.

python docs/studies_tables_page.py
"""

from collections.abc import Mapping
from pathlib import Path

from unetdyn.analysis import STUDIES_TABLES, QuotedTable

PAGE = Path(__file__).parent / "studies_tables.md"

_BEGINNING = """\
# The tables of the studies

Made from `unetdyn.analysis.STUDIES_TABLES` by `make docs-studies`. They are quoted from [the studies](studies.md), each
with its place in them; below each, what is wrong or easily misread in it. Where experiments differ
their tables contradict each other, and what the Jaccards around 0.93 are a mean of, the object alone or both classes,
is not said.

`recommend(priority=...)` prints those that bear on a priority, below what your own runs say. What answers the same
question from your runs: `recommend` and `best_within` for the matrix, the guide and the configurations;
`improvement_factor` for before and after; `sensitivity` and `anova` for the hyperparameters; `threshold_curve` and
`jaccard_sensitivity` for the threshold; `collapses` for the collapse; `update_variance_ratio` for the variance of an
update."""


def studies_tables_page(tables: Mapping[str, QuotedTable]) -> str:
    """The page of all tables."""
    parts = [_BEGINNING]
    for name, table in tables.items():
        parts += [f"## {table.title}", f"`STUDIES_TABLES[{name!r}]`; {table.source}.", table.markdown()]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(studies_tables_page(STUDIES_TABLES), encoding="utf-8")
