"""The picture of interactions: whether what one factor does depends on another."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from unetdyn.analysis.comparison.run_table import RunTable, in_words
from unetdyn.report.drawing import Display, abbreviate, escape_label, line_style, panel_title, wrap
from unetdyn.report.levels import Scatter, draw_mean, finite, level_axis
from unetdyn.report.overlay import STYLES

MOST_PAIRS = 6  # panels; of more factors the first pairs
_HEIGHT = 2.5  # inches, of a panel
_ASIDE = 0.09  # of the way from a level to the next: by how much lines stand beside each other
_UP = 24  # characters of a label along a panel's height

Pair = tuple[str, str]


class InteractionsDisplay(Display):
    """One panel a pair of factors: the mean of each pair of levels, a line for each level of the second factor.

    Lines that run beside each other: the two factors add up. Lines that cross or open: what the one does depends on
    the other, and a main effect alone misleads. Means of few runs scatter, so that only the intervals say whether it
    is more than that.

    In a notebook the object shows its picture.

    Args:
        pairs: Two factors → their levels → value of each run.
        scatter: What runs of equal settings differ by, from which the intervals of the means are.
        label: What the values are, for the axes.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes by the names of the pair, joined by ×.
        ax_: The first of them.

    Raises:
        ValueError: If there is no pair.

    Example:
        >>> means = {(0.001, 8): [0.7], (0.001, 16): [0.6], (0.005, 8): [0.5], (0.005, 16): [0.8]}
        >>> display = InteractionsDisplay({("learning_rate", "batch_size"): means}, Scatter(0.01, 2), "Jaccard").plot()
        >>> list(display.axes_)
        ['learning_rate × batch_size']
    """

    def __init__(
        self, pairs: Mapping[Pair, Mapping[tuple[Any, Any], Sequence[float]]], scatter: Scatter, label: str
    ) -> None:
        if not pairs:
            raise ValueError("`pairs` must be one pair of factors or more. Received: none.")
        self.pairs = pairs
        self.scatter = scatter
        self.label = label

    @classmethod
    def from_table(cls, table: RunTable, response: str, scatter: Scatter, label: str) -> "InteractionsDisplay":
        """The picture of a table of runs; of each pair, the factor with more levels is along the axis.

        Args:
            table: With two factors or more that group its runs.
            response: An attribute of `RunSummary`.
            scatter: See `InteractionsDisplay`.
            label: See `InteractionsDisplay`.
        """
        pairs = {}
        for two in list(combinations(table.grouped_by, 2))[:MOST_PAIRS]:
            one, other = sorted(two, key=lambda name: -len(table.factors[name]))
            pairs[one, other] = {
                (a, b): [
                    float(getattr(run, response))
                    for run in table.runs
                    if (run.factors.get(one), run.factors.get(other)) == (a, b)
                ]
                for a in table.factors[one]
                for b in table.factors[other]
            }
        return cls(pairs, scatter, label)

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: Any) -> "InteractionsDisplay":
        """Draw.

        Args:
            axes: One for each pair; default: a new figure, which no pyplot window owns.
            **kwargs: How the lines are drawn, as for matplotlib's `plot`.

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If `axes` isn't one for each pair.
        """
        panels = [" × ".join(pair) for pair in self.pairs]
        found = self._several_axes(axes, panels, 0.3 + _HEIGHT * len(panels))
        for ax, (pair, groups) in zip(found, self.pairs.items(), strict=True):
            self._draw(ax, pair, finite(groups), kwargs)
            ax.set_ylabel(escape_label(wrap(self.label, _UP)), fontsize=9)
        lows, highs = zip(*(ax.get_ylim() for ax in found), strict=True)
        for ax in found:
            ax.set_ylim(min(lows), max(highs))
        runs = sum(len(values) for values in next(iter(self.pairs.values())).values())
        intervals = f" with {100 * self.scatter.confidence:g} % intervals" if self.scatter.df > 0 else ""
        panel_title(found[0], f"means of {runs} runs{intervals}; parallel lines: no interaction")
        return self

    def _draw(self, ax: Axes, pair: Pair, groups: dict[Any, Any], kwargs: dict[str, Any]) -> None:
        along = list(dict.fromkeys(a for a, _ in groups))
        lines = list(dict.fromkeys(b for _, b in groups))
        for place, (level, style) in enumerate(zip(lines, STYLES, strict=False)):
            color, line, marker = style
            x = np.arange(len(along)) + _ASIDE * (place - (min(len(lines), len(STYLES)) - 1) / 2)
            values = [groups[a, level] for a in along]
            means = np.array([each.mean() if len(each) else np.nan for each in values])
            look = line_style(kwargs, color=color, linestyle=line, marker=marker, markersize=5, linewidth=1.4)
            ax.plot(x, means, label=escape_label(abbreviate(in_words(level))), **look)
            for at, mean, each in zip(x, means, values, strict=True):
                dots: dict[str, Any] = {"color": color, "marker": ".", "markersize": 3, "linestyle": "none"}
                ax.plot(np.full(len(each), at), each, alpha=0.5, **dots)
                draw_mean(ax, float(at), float(mean), self.scatter.half_width(len(each)), color)
        level_axis(ax, pair[0], along)
        more = f", {len(lines) - len(STYLES)} more are not drawn" if len(lines) > len(STYLES) else ""
        title = escape_label(pair[1].replace("_", " ")) + more
        ax.legend(title=title, fontsize=8, title_fontsize=8, framealpha=0.8, edgecolor="none", ncols=min(len(lines), 2))
