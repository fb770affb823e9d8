"""The picture of importance: fANOVA's share of each factor and pair beside η² of the analysis of variance."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from unetdyn._plotting import BLUE, GREY, ORANGE
from unetdyn.analysis import Importance, Share
from unetdyn.analysis.comparison.run_table import factor_in_words
from unetdyn.report.drawing import Display, abbreviate, add_legend, escape_label, line_style, panel_title

MOST = 15  # rows; the largest shares
_BAR = 0.36  # of the way from a row to the next


class ImportanceDisplay(Display):
    """A row a factor or pair: the share of the variation by fANOVA, with its scatter over trees, and η² below it.

    Where both agree, either may be read. A share that F does not find may be chance: a forest shares out the scatter
    over seeds as well.

    In a notebook the object shows its picture.

    Args:
        shares: What `unetdyn.analysis.importance` found, the largest first.
        runs: How many runs it is of.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes.

    Example:
        >>> shares = [Share("learning_rate", 0.8, 0.05, 0.75), Share("batch_size", 0.1, 0.04, 0.02)]
        >>> display = ImportanceDisplay(shares, 12).plot()
        >>> [tick.get_text() for tick in display.ax_.get_yticklabels()]
        ['learning rate', 'batch size']
    """

    def __init__(self, shares: Sequence[Share], runs: int) -> None:
        self.shares = shares
        self.runs = runs

    @classmethod
    def from_importance(cls, found: Importance) -> "ImportanceDisplay":
        """The picture of what `unetdyn.analysis.importance` found."""
        return cls(list(found.importances.values()), found.runs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> "ImportanceDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.
            **kwargs: How the lines of the scatter over trees are drawn, as for matplotlib's `plot`.

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        shown = self.shares[:MOST]
        ax = self._one_axes(ax, height=1.3 + 0.42 * max(len(shown), 1))
        rows = np.arange(len(shown))
        shares = np.array([each.share for each in shown])
        etas = np.array([each.eta_squared for each in shown])
        ax.barh(rows - _BAR / 2, shares, height=_BAR, color=BLUE, alpha=0.75, label="fANOVA's share")
        ax.barh(rows + _BAR / 2, np.nan_to_num(etas), height=_BAR, color=ORANGE, alpha=0.85, label="η²")
        look = line_style(kwargs, color=GREY, linewidth=1.2)
        for row, each in zip(rows, shown, strict=True):
            ends = np.clip([each.share - each.scatter, each.share + each.scatter], 0, 1)
            ax.plot(ends, [row - _BAR / 2] * 2, **look)
        names = [escape_label(abbreviate(factor_in_words(each.name), 34)) for each in shown]
        ax.set_yticks(rows, names, fontsize=8)
        ax.set_ylim(len(shown) - 0.4, -0.6)
        ax.set_xlim(0, 1)
        ax.set_xlabel("share of the variation", fontsize=9)
        left = len(self.shares) - len(shown)
        panel_title(ax, f"n = {self.runs} runs; grey: ± over the trees" + (f"; {left} more left out" if left else ""))
        ax.grid(alpha=0.25, axis="x")
        if shown:
            add_legend(ax, "lower right")
        return self
