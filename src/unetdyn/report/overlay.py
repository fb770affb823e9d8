"""One curve of several runs in one panel."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from unetdyn._plotting import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, epoch_axis, mark_not_finite
from unetdyn.analysis import Curve, read_history
from unetdyn.report.drawing import MANY_POINTS, Display, common, in_lines, literal, short

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
        curves: What was given.
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
        self.curves = dict(curves)
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
        label = common(logged for logged, _ in found.values())
        return cls({name: curve for name, (_, curve) in found.items()}, label)

    def plot(self, ax: Axes | None = None) -> "OverlayDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        ax = self._axes(ax, height=3.6)
        for place, (name, (epochs, values)) in enumerate(self.curves.items()):
            finite = np.isfinite(values)
            drawn = np.where(finite, values, np.nan)
            if place >= len(STYLES):
                label = f"{len(self.curves) - len(STYLES)} more" if place == len(STYLES) else None
                ax.plot(epochs + 1, drawn, color=GREY, linewidth=0.7, zorder=1, label=label)
                continue
            color, line, marker = STYLES[place]
            shown = literal(short(name))
            marker = marker if len(epochs) < MANY_POINTS else ""
            ax.plot(
                epochs + 1,
                drawn,
                color=color,
                linestyle=line,
                marker=marker,
                markersize=4,
                linewidth=1.6,
                label=shown,
            )
            mark_not_finite(ax, epochs[~finite] + 1, color, f"{shown} not finite", 0.97 - 0.04 * place)
        ax.set_ylabel(literal(in_lines(self.label, 36)))
        epoch_axis(ax, np.concatenate([epochs for epochs, _ in self.curves.values()]))
        ax.grid(alpha=0.25)
        ax.legend(loc="best", fontsize=8, framealpha=0.8, edgecolor="none")
        return self
