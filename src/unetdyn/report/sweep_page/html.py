"""The page of many runs: one HTML file that opens anywhere, without a network."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

import unetdyn
import unetdyn.runs
from unetdyn.analysis.comparison.table_statistics import TableStatistics
from unetdyn.report.page.html import checked_path, environment, with_code
from unetdyn.report.sweep_page.choice import advice_section, components_section, front_section
from unetdyn.report.sweep_page.curves import curves_section
from unetdyn.report.sweep_page.differences import differences_section
from unetdyn.report.sweep_page.effects import pictures_section, slopes_section
from unetdyn.report.sweep_page.further import importance_section, next_section
from unetdyn.report.sweep_page.matrix import matrix_section
from unetdyn.report.sweep_page.notes import notes_section
from unetdyn.report.sweep_page.residuals import assumptions_section
from unetdyn.report.sweep_page.rows import missing_section, runs_section
from unetdyn.report.sweep_page.section import Section


def write_sweep_report(found: TableStatistics, path: str | Path, kind: str = "Sweep") -> Path:
    """Write the page of a sweep, or of runs that no sweep made.

    First come the runs that are missing, then which settings to take and how sure that is, then what made the
    difference and whether its assumptions hold, pictures of the effects, and all runs. The file holds everything in
    itself: no script, no font, nothing from a network. It links to the run directories, as seen from its folder.

    Args:
        found: From `unetdyn.analysis.comparison.table_statistics.statistics_of`, or `unetdyn.sweeps.analysing.analyse`.
        path: The file to write, which ends in `.html`; one that is there is replaced, all at once or not at all.
        kind: What stands before the name in the title.

    Returns:
        The file's path.

    Raises:
        FileNotFoundError: If the folder of `path` isn't there.
        ValueError: If `path` has another ending.

    Example:
        >>> import tempfile
        >>> from unetdyn.analysis.comparison.run_table import RunTable
        >>> from unetdyn.analysis.comparison.table_statistics import statistics_of
        >>> nothing = statistics_of(RunTable("rates", (), {"learning_rate": (0.001, 0.005)}, planned=6))
        >>> page = write_sweep_report(nothing, Path(tempfile.mkdtemp()) / "report.html")
        >>> "<title>Sweep: rates</title>" in page.read_text(encoding="utf-8")
        True
    """
    path = checked_path(path)
    page = render(sections_of(found, path.parent), found, kind)
    with unetdyn.runs.replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")  # a file's name may be no text
    return path


def sections_of(found: TableStatistics, folder: Path) -> list[Section]:
    """All of the page, in its order; `folder` is where it will lie."""
    return [
        *missing_section(found),
        advice_section(found),
        matrix_section(found),
        differences_section(found),
        assumptions_section(found),
        *pictures_section(found),
        components_section(found),
        slopes_section(found),
        *front_section(found),
        importance_section(found),
        curves_section(found),
        next_section(found),
        runs_section(found, folder),
        notes_section(found),
    ]


def _typeset(text: str) -> Markup:
    """With what stands between backticks as code, and no line that begins with a % sign.

    >>> _typeset("95 % of `fit`")
    Markup('95\xa0% of <code>fit</code>')
    """
    return with_code(text.replace(" %", "\N{NO-BREAK SPACE}%"))


def render(sections: Sequence[Section], found: TableStatistics, kind: str) -> str:
    """The page as HTML."""
    made = environment("unetdyn.report.sweep_page", "unetdyn.report.page")
    made.filters["with_code"] = _typeset
    return made.get_template("sweep.html").render(
        sections=sections,
        heading=f"{kind}: {found.table.name}",
        counted=f"{len(found.table.runs)} of {found.table.planned} runs.",
        made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        version=unetdyn.__version__,
    )
