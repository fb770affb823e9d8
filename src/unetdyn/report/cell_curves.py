"""The picture of all learning curves of a sweep: a small panel for each cell."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from unetdyn._plotting import BLACK, BLUE, SKY, drawable
from unetdyn.analysis import Curve
from unetdyn.analysis.comparison.run_table import RunTable
from unetdyn.report.drawing import WIDTH, Display, escape_label, line_style, wrap

_COLUMNS = 3
_HEIGHT = 1.55  # inches, of a panel with its title
_ACROSS = 22  # characters of a title
_UP = 40  # characters of the label of all panels


class CellCurvesDisplay(Display):
    """One panel a cell: the metric of each of its runs over the epochs, thin, and their mean, thick.

    All panels have one scale. The mean is drawn over the epochs that all runs of the cell have: beyond them it would be
    one of fewer runs.

    In a notebook the object shows its picture.

    Args:
        cells: Title of the cell → the curves of its runs.
        label: What the curves are of, for the axis.
        among: Other curves for which the scale has room too, so that several pictures have one. Default none.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes by the title of the cell.
        ax_: The first of them.

    Raises:
        ValueError: If there is no cell.

    Example:
        >>> curve = Curve(np.arange(3), np.array([0.1, 0.5, 0.6]))
        >>> display = CellCurvesDisplay({"UNet": [curve, curve]}, "validation Jaccard").plot()
        >>> list(display.axes_)
        ['UNet']
    """

    def __init__(self, cells: Mapping[str, Sequence[Curve]], label: str, among: Sequence[Curve] = ()) -> None:
        if not cells:
            raise ValueError("`cells` must be one cell or more. Received: none.")
        self.cells = cells
        self.label = label
        self.among = among

    @classmethod
    def from_table(cls, table: RunTable, label: str) -> "CellCurvesDisplay":
        """The picture of a table of runs.

        Args:
            table: With the curves of its runs.
            label: See `CellCurvesDisplay`.
        """
        return cls(curves_of_cells(table), label)

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: Any) -> "CellCurvesDisplay":
        """Draw.

        Args:
            axes: One for each cell; default: a new figure, which no pyplot window owns.
            **kwargs: How the means are drawn, as for matplotlib's `plot`.

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If `axes` isn't one for each cell.
        """
        found = self._several_axes(_grid(len(self.cells)) if axes is None else axes, list(self.cells), 0.0)
        for ax, (title, curves) in zip(found, self.cells.items(), strict=True):
            for curve in curves:
                ax.plot(curve.epochs + 1, drawable(curve.values), color=SKY, linewidth=0.8, zorder=2)
            epochs, mean = mean_curve(curves)
            ax.plot(epochs + 1, drawable(mean), **line_style(kwargs, color=BLUE, linewidth=1.8, zorder=3))
            ax.set_title(
                escape_label(wrap(f"{title} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{len(curves)})", _ACROSS)),
                fontsize=7,
                pad=3,
            )
            ax.xaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=1))
            ax.yaxis.set_major_locator(MaxNLocator(4))
            ax.tick_params(labelsize=7, length=2)
            ax.grid(alpha=0.25)
        self._one_scale(found)
        if axes is None:
            for place, ax in enumerate(found):
                ax.tick_params(labelleft=place % _COLUMNS == 0)
            self.figure_.supxlabel("epoch", fontsize=9, color=BLACK)
            self.figure_.supylabel(escape_label(wrap(self.label, _UP)), fontsize=9)
        return self

    def _one_scale(self, axes: Sequence[Axes]) -> None:
        curves = [*self.among, *(curve for curves in self.cells.values() for curve in curves)]
        values = np.concatenate([curve.values[np.isfinite(curve.values)] for curve in curves] or [np.empty(0)])
        last = max((int(epoch) for curve in curves for epoch in curve.epochs), default=0)
        for ax in axes:
            ax.set_xlim(0.5, last + 1.5)
            if len(values):
                room = 0.06 * (float(np.ptp(values)) or abs(float(values[0])) or 1.0)
                ax.set_ylim(values.min() - room, values.max() + room)


def curves_of_cells(table: RunTable) -> dict[str, list[Curve]]:
    """Title of each cell that has any → the curves of its runs."""
    found = {
        table.title(cell): [table.curves[run.name] for run in runs if run.name in table.curves]
        for cell, runs in table.cells().items()
    }
    return {title: curves for title, curves in found.items() if curves}


def mean_curve(curves: Sequence[Curve]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The epochs that all curves have, and their mean there.

    >>> long, short = Curve(np.arange(3), np.array([0.1, 0.5, 0.9])), Curve(np.arange(2), np.array([0.3, 0.5]))
    >>> epochs, mean = mean_curve([long, short])
    >>> epochs.tolist(), mean.tolist()
    ([0, 1], [0.2, 0.5])
    """
    shared = set.intersection(*(set(curve.epochs.tolist()) for curve in curves)) if curves else set()
    epochs = np.array(sorted(shared), dtype=np.int64)
    values = [curve.values[np.searchsorted(curve.epochs, epochs)] for curve in curves]
    return epochs, np.mean(values, axis=0) if len(epochs) else np.empty(0)


def _grid(count: int) -> list[Axes]:
    """So many panels of a new figure, row by row."""
    rows = -(-count // _COLUMNS)
    figure = Figure(figsize=(WIDTH, 0.5 + _HEIGHT * rows), layout="constrained")
    FigureCanvasAgg(figure)  # as of `drawing.new_axes`
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel().tolist()
    for ax in axes[count:]:
        ax.remove()
    return axes[:count]
