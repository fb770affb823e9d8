"""The picture of main effects: what the runs of each level of each factor reached, and their mean."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from unetdyn._plotting import BLUE, GREY, log_axis, spans_decades
from unetdyn.analysis.comparison.run_table import RunTable
from unetdyn.report.drawing import Display, escape_label, line_style, panel_title, wrap
from unetdyn.report.levels import Scatter, draw_mean, finite, level_axis, spread

_HEIGHT = 2.3  # inches, of a panel
_UP = 24  # characters of a label along a panel's height


class MainEffectsDisplay(Display):
    """One panel a factor: each run as a dot, the mean of each level, and what chance would make of such a mean.

    All panels have one scale, so that a steep line is a large effect. Means of levels hide what depends on two factors
    at once; `InteractionsDisplay` shows that.

    In a notebook the object shows its picture.

    Args:
        effects: Factor → level → value of each run.
        scatter: What runs of equal settings differ by, from which the intervals of the means are.
        label: What the values are, for the axes.
        sampled: Factors of numbers with a level of their own in each cell: their dots stand at these numbers.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes by the name of the factor.
        ax_: The first of them.

    Raises:
        ValueError: If there is no factor.

    Example:
        >>> effects = {"learning_rate": {0.001: [0.70, 0.72], 0.005: [0.60, 0.61]}}
        >>> display = MainEffectsDisplay(effects, Scatter(0.01, 2), "best validation Jaccard").plot()
        >>> list(display.axes_)
        ['learning_rate']
    """

    def __init__(
        self,
        effects: Mapping[str, Mapping[Any, Sequence[float]]],
        scatter: Scatter,
        label: str,
        sampled: Sequence[str] = (),
    ) -> None:
        if not effects:
            raise ValueError("`effects` must be of one factor or more. Received: none.")
        self.effects = effects
        self.scatter = scatter
        self.label = label
        self.sampled = sampled

    @classmethod
    def from_table(cls, table: RunTable, response: str, scatter: Scatter, label: str) -> "MainEffectsDisplay":
        """The picture of a table of runs.

        Args:
            table: With one factor or more.
            response: An attribute of `RunSummary`.
            scatter: See `MainEffectsDisplay`.
            label: See `MainEffectsDisplay`.
        """
        effects = {
            name: {
                level: [float(getattr(run, response)) for run in table.runs if run.factors.get(name) == level]
                for level in levels
            }
            for name, levels in table.factors.items()
        }
        return cls(effects, scatter, label, table.sampled)

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: Any) -> "MainEffectsDisplay":
        """Draw.

        Args:
            axes: One for each factor; default: a new figure, which no pyplot window owns.
            **kwargs: How the means and the line through them are drawn, as for matplotlib's `plot`.

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If `axes` isn't one for each factor.
        """
        found = self._several_axes(axes, list(self.effects), 0.3 + _HEIGHT * len(self.effects))
        values = np.concatenate([each for groups in self.effects.values() for each in finite(groups).values()])
        for ax, (name, groups) in zip(found, self.effects.items(), strict=True):
            if name in self.sampled:
                self._draw_numbers(ax, name, finite(groups), kwargs)
            else:
                self._draw_levels(ax, name, finite(groups), kwargs)
            ax.set_ylabel(escape_label(wrap(self.label, _UP)), fontsize=9)
            if len(values):
                room = 0.06 * (float(np.ptp(values)) or abs(float(values[0])) or 1.0)
                ax.set_ylim(values.min() - room, values.max() + room)
        panel_title(found[0], self._caption(len(values) // len(self.effects)))
        return self

    def _caption(self, runs: int) -> str:
        told = f"{runs} runs: dots; means with {100 * self.scatter.confidence:g} % intervals"
        return told if self.scatter.df > 0 else f"{runs} runs: dots and means, whose intervals can't be told"

    def _draw_levels(self, ax: Axes, name: str, groups: dict[Any, Any], kwargs: dict[str, Any]) -> None:
        means = [float(values.mean()) if len(values) else float("nan") for values in groups.values()]
        for place, values in enumerate(groups.values()):
            ax.plot(
                place + spread(len(values)), values, color=GREY, marker="o", markersize=3, linestyle="none", alpha=0.7
            )
            draw_mean(ax, place, means[place], self.scatter.half_width(len(values)), BLUE)
        look = line_style(kwargs, color=BLUE, marker="D", markersize=6, linewidth=1.2)
        ax.plot(range(len(means)), means, **look)
        level_axis(ax, name, list(groups))

    def _draw_numbers(self, ax: Axes, name: str, groups: dict[Any, Any], kwargs: dict[str, Any]) -> None:
        x = np.concatenate([np.full(len(values), float(level)) for level, values in groups.items()])
        y = np.concatenate(list(groups.values()))
        ax.plot(x, y, **line_style(kwargs, color=BLUE, marker="o", markersize=4, linestyle="none"))
        if spans_decades(x):
            log_axis(ax, "x")
        ax.set_xlabel(escape_label(name.replace("_", " ")), fontsize=9)
        ax.grid(alpha=0.25)
