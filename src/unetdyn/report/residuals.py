"""The picture of what an analysis of variance supposes: are the residuals normal, and do they scatter alike?"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from unetdyn._plotting import BLACK, BLUE, GREY
from unetdyn.analysis import Assumptions, assumptions
from unetdyn.report.drawing import Display, abbreviate, escape_label, line_style, panel_title

_NAMED = 3  # of the farthest residuals
_FAR = 3.0  # standard deviations, marked by lines


class ResidualsDisplay(Display):
    """Above, the residuals against what a normal distribution would give (QQ); below, against the fitted values.

    On the line above: normal. A band of one width below: one variance. The three farthest are named. Few runs bend and
    fan out by chance alone.

    In a notebook the object shows its picture.

    Args:
        found: What `unetdyn.analysis.assumptions` found.
        label: What the fitted values are, for the axis.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes by panel: `"quantiles"`, `"fitted"`.
        ax_: The first of them.

    Example:
        >>> from unetdyn.analysis import summarise
        >>> values = {8: [0.61, 0.63, 0.66], 16: [0.70, 0.76, 0.71]}
        >>> runs = [
        ...     summarise({"val_jaccard": [value]}, f"{batch}-{seed}", {"batch_size": batch})
        ...     for batch, several in values.items() for seed, value in enumerate(several)
        ... ]
        >>> list(ResidualsDisplay.from_runs(runs, "batch_size").plot().axes_)
        ['quantiles', 'fitted']
    """

    def __init__(self, found: Assumptions, label: str) -> None:
        self.found = found
        self.label = label

    @classmethod
    def from_runs(
        cls, runs: Any, factors: str | Sequence[str], label: str = "fitted", **kwargs: Any
    ) -> "ResidualsDisplay":
        """The picture of runs by their factors.

        Args:
            runs: See `unetdyn.analysis.assumptions`.
            factors: See there.
            label: See `ResidualsDisplay`.
            **kwargs: `response`, `order` and `blocks`, see there.
        """
        return cls(assumptions(runs, factors, **kwargs), label)

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: Any) -> "ResidualsDisplay":
        """Draw.

        Args:
            axes: Two axes; default: a new figure, which no pyplot window owns.
            **kwargs: How the points are drawn, as for matplotlib's `plot`.

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If `axes` isn't two axes.
        """
        upper, lower = self._several_axes(axes, ("quantiles", "fitted"), 5.6)
        found = self.found
        look = line_style(kwargs, color=BLUE, marker="o", markersize=4, linestyle="none")
        if found.quantiles:
            ends = np.array([min(found.quantiles), max(found.quantiles)])
            upper.plot(ends, ends, color=GREY, linewidth=1.2)
        upper.plot(found.quantiles, found.ordered, **look)
        upper.set_xlabel("quantiles of a normal distribution", fontsize=9)
        sound = [each for each in found.residuals if np.isfinite(each.standardised)]
        lower.plot([each.fitted for each in sound], [each.standardised for each in sound], **look)
        lower.axhline(0, color=GREY, linewidth=1.0)
        if any(abs(each.standardised) > _FAR for each in sound):
            for place in (-_FAR, _FAR):
                lower.axhline(place, color=GREY, linewidth=1.0, linestyle="--")
        for each in found.largest[:_NAMED]:
            where, text = (each.fitted, each.standardised), escape_label(abbreviate(each.name))
            lower.annotate(text, where, (4, 3), textcoords="offset points", fontsize=7, color=BLACK)
        lower.set_xlabel(escape_label(self.label), fontsize=9)
        lower.margins(x=0.12, y=0.12)
        for ax in (upper, lower):
            ax.set_ylabel("standardised residual", fontsize=9)
            ax.grid(alpha=0.25)
        panel_title(upper, f"n = {len(sound)}; on the line: normal")
        panel_title(lower, "a band of one width: one variance")
        return self
