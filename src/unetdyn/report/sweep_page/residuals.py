"""Whether the runs are what an analysis of variance supposes, and which test to read."""

from functools import partial

import numpy as np

from unetdyn.analysis.comparison.residual_checks import Check
from unetdyn.analysis.comparison.run_table import factor_in_words
from unetdyn.analysis.comparison.table_parts import FEWEST
from unetdyn.analysis.comparison.table_statistics import TableStatistics
from unetdyn.analysis.result import number
from unetdyn.report.page.pictures import picture
from unetdyn.report.residuals import ResidualsDisplay
from unetdyn.report.sweep_page.effects import label_of
from unetdyn.report.sweep_page.notes import notes_of
from unetdyn.report.sweep_page.section import Grid, Section, Table, TableRow

_READ = {"F": "Read p of F", "Welch": "Read Welch's p", "permutation": "Read the permutation's p"}


def assumptions_section(found: TableStatistics) -> Section:
    """What the residuals look like, in words, numbers and pictures."""
    title = "What the tests suppose"
    assumptions = found.assumptions
    if isinstance(assumptions, str):
        return Section("assumptions", title, [assumptions])
    sound = [each for each in assumptions.residuals if np.isfinite(each.standardised)]
    rows = [_row("residuals are normal", assumptions.normality)]
    for factor, check in assumptions.spread.items():
        ratio = assumptions.ratios[factor]
        times = "" if np.isnan(ratio) else f"; standard deviations differ {number(ratio, 2)} times"
        rows.append(_row(f"levels of {factor_in_words(factor)} scatter alike", check, times))
    rows.append(_row("no trend from the first run to the last", assumptions.trend))
    table = Table("What was looked at", ["supposed", "test", "seen"], rows, numbers=False)
    sentences = [
        f"{_READ[assumptions.read]}: {assumptions.why} (n = {len(assumptions.residuals)} {found.table.units_in_words})."
    ]
    if len(sound) >= FEWEST:
        far = ", ".join(f"{each.name} ({number(each.standardised, 2)})" for each in assumptions.largest)
        sentences.append(f"Farthest from what their settings have in common, in standard deviations: {far}.")
        make = partial(ResidualsDisplay, assumptions, f"fitted {label_of(found)}")
        parts: list[Table | Grid] = [Grid([picture(make, "Residuals", "residuals"), table])]
    else:
        sentences.append("There are too few runs for a picture of the residuals.")
        parts = [table]
    notes = ["With few runs these checks see gross violations alone: where the three tests disagree, trust none much."]
    return Section("assumptions", title, sentences, parts, [*notes, *notes_of(found, assumptions.notes)])


def _row(supposed: str, check: Check, more: str = "") -> TableRow:
    if not check.determined:
        return TableRow(supposed, [check.name, check.reason])
    seen = "against it" if check.failed else "nothing against it"
    level = "watch" if check.failed else ""
    return TableRow(supposed, [f"{check.name} {number(check.statistic)}, p = {number(check.p)}", seen + more], level)
