"""One curve of several runs in one panel."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from unetdyn._plotting import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    draw_epochs,
    drawable,
    epoch_axis,
)
from unetdyn.analysis import Curve, read_history
from unetdyn.report.drawing import (
    Display,
    abbreviate,
    add_legend,
    escape_label,
    few_points,
    line_style,
    shared_name,
    wrap,
)

# Colour, line and marker together: told apart in grey too. More lines than these nobody tells apart.
STYLES = tuple(
    zip(
        (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK),
        ("-", "--", "-.", ":", "-", "--", "-."),
        ("o", "s", "^", "D", "v", "P", "X"),
        strict=True,
    )
)


class OverlayDisplay(Display):
    """The same logged value of several runs over the epochs, one line a run.

    Seven runs have a colour of their own; those after them are thin and grey.

    In a notebook the object shows its picture.

    Args:
        curves: Name of the run → `Curve`.
        label: What the value is, for the axis.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes.

    Raises:
        ValueError: If there is no curve.

    Example:
        >>> display = OverlayDisplay.from_runs({"calm": {"val_jaccard": [0.1, 0.6]}, "wild": {"jaccard": [0.5, 0.2]}})
        >>> display.plot().label
        'Jaccard, of the validation where there is one'
    """

    def __init__(self, curves: Mapping[str, Curve], label: str) -> None:
        if not curves:
            raise ValueError("`curves` must be one curve or more. Received: none.")
        self.curves = curves
        self.label = label

    @classmethod
    def from_runs(cls, runs: Mapping[str, Any], metric: str | None = None) -> "OverlayDisplay":
        """The picture of trainings, wherever they were logged.

        Args:
            runs: Name → whatever `unetdyn.analysis.read_history` takes.
            metric: Which value, without `val_`; None (default) takes each run's own metric. The validation's is drawn
                where it was logged.
        """
        found = {name: (curves := read_history(run)).watched(curves.metric(metric)) for name, run in runs.items()}
        label = shared_name(logged for logged, _ in found.values())
        return cls({name: curve for name, (_, curve) in found.items()}, label)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> "OverlayDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.
            **kwargs: How the runs' lines are drawn, as for matplotlib's `plot`: `linewidth`, `alpha`, …

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        ax = self._one_axes(ax, height=3.6)
        for place, name in enumerate(self.curves):
            if place < len(STYLES):
                self._draw_run(ax, place, name, kwargs)
            else:
                self._draw_grey(ax, place, name, kwargs)
        ax.set_ylabel(escape_label(wrap(self.label, 36)))
        epoch_axis(ax, np.concatenate([epochs for epochs, _ in self.curves.values()]))
        ax.grid(alpha=0.25)
        add_legend(ax)
        return self

    def _draw_run(self, ax: Axes, place: int, name: str, kwargs: dict[str, Any]) -> None:
        epochs, values = self.curves[name]
        color, line, marker = STYLES[place]
        look = {"color": color, "linestyle": line, "marker": few_points(marker, epochs), "markersize": 4}
        style = line_style(kwargs, **look, linewidth=1.6, label=escape_label(abbreviate(name)))
        draw_epochs(ax, epochs, values, 0.97 - 0.04 * place, **style)

    def _draw_grey(self, ax: Axes, place: int, name: str, kwargs: dict[str, Any]) -> None:
        """Those after the last colour have one label together."""
        epochs, values = self.curves[name]
        label = f"{len(self.curves) - len(STYLES)} more" if place == len(STYLES) else None
        style = line_style(kwargs, color=GREY, linewidth=0.7, zorder=1, label=label)
        ax.plot(epochs + 1, drawable(values), **style)
