"""The learning curves of all cells, as small pictures with one scale."""

from collections.abc import Mapping
from functools import partial

from unetdyn.analysis.comparison.table_statistics import TableStatistics
from unetdyn.report.cell_curves import CellCurvesDisplay, curves_of_cells
from unetdyn.report.drawing import shared_name
from unetdyn.report.page.pictures import picture
from unetdyn.report.sweep_page.section import Folded, Grid, Section

AT_ONCE = 6  # panels of a picture
MOST = 36  # panels in all: each takes a part of a second to draw, and some kilobytes of the page


def curves_section(found: TableStatistics) -> Section:
    """Each cell's runs and their mean, epoch by epoch; many cells are folded."""
    cells = list(curves_of_cells(found.table).items())
    if not cells:
        return Section("curves", "Learning curves", ["No run has logged a metric."])
    label = shared_name(run.watched for run in found.table.runs)
    groups = [dict(cells[first : first + AT_ONCE]) for first in range(0, min(len(cells), MOST), AT_ONCE)]
    every = [curve for _, curves in cells for curve in curves]
    pictures = [
        picture(partial(CellCurvesDisplay, group, label, every), _title(place, group, len(cells)), f"curves-{place}")
        for place, group in enumerate(groups)
    ]
    runs = sum(len(curves) for _, curves in cells)
    sentences = [f"{label}: n = {runs} runs in {len(cells)} cells; thin lines are runs, thick ones their mean."]
    notes = [f"The curves of {len(cells) - MOST} cells more are left out."] if len(cells) > MOST else []
    parts: list[Grid | Folded] = [Grid(pictures[:2])]
    if pictures[2:]:
        shown = sum(map(len, groups[2:]))
        parts.append(Folded("The other cells", shown, [Grid(pictures[2:])]))
    return Section("curves", "Learning curves", sentences, parts, notes)


def _title(place: int, group: Mapping[str, object], cells: int) -> str:
    first = place * AT_ONCE
    return f"Cells {first + 1} to {first + len(group)} of {cells}" if cells > AT_ONCE else "All cells"
