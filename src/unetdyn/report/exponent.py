"""The picture of σ against the learning rate, with the power law through it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from unetdyn._plotting import BLACK, log_axis
from unetdyn.analysis import StabilityExponent, stability_exponent
from unetdyn.analysis.comparison.run_table import RunTable
from unetdyn.analysis.result import interval, number
from unetdyn.report.drawing import Display, abbreviate, add_legend, escape_label, line_style, panel_title, wrap
from unetdyn.report.overlay import STYLES


class ExponentDisplay(Display):
    """σ of each run at its learning rate, both on logarithmic axes, and the line σ ∝ α^β.

    In a notebook the object shows its picture.

    Args:
        groups: Name of a group, such as an architecture → learning rates and σs of its runs.
        found: What `unetdyn.analysis.stability_exponent` found of all of them.
        label: What σ is of, for the axis.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes.

    Example:
        >>> rates, sigmas = [1e-4, 1e-3, 1e-2], [0.001, 0.0033, 0.0095]
        >>> display = ExponentDisplay({"UNet": (rates, sigmas)}, stability_exponent(rates, sigmas), "σ").plot()
        >>> display.ax_.get_xscale(), display.ax_.get_yscale()
        ('log', 'log')
    """

    def __init__(
        self, groups: Mapping[str, tuple[Sequence[float], Sequence[float]]], found: StabilityExponent, label: str
    ) -> None:
        self.groups = groups
        self.found = found
        self.label = label

    @classmethod
    def from_table(cls, table: RunTable, label: str, by: str = "architecture") -> "ExponentDisplay":
        """The picture of a table of runs with learning rates.

        Args:
            table: Of the runs; of a sampled design, the means of its cells are drawn.
            label: See `ExponentDisplay`.
            by: A factor: its levels are told apart. Runs without it are one group.
        """
        groups: dict[str, tuple[list[float], list[float]]] = {}
        for run in table.units:
            rates, sigmas = groups.setdefault(str(run.factors.get(by, "runs")), ([], []))
            rates.append(float(run.factors.get("learning_rate") or "nan"))  # none of an optimizer without one
            sigmas.append(run.stability)
        both = [each for group in groups.values() for each in zip(*group, strict=True)]
        found = stability_exponent([rate for rate, _ in both], [sigma for _, sigma in both])
        return cls(groups, found, label)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> "ExponentDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.
            **kwargs: How the line is drawn, as for matplotlib's `plot`.

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        ax = self._one_axes(ax, height=3.2)
        ends: list[float] = []
        for place, (name, (rates, sigmas)) in enumerate(self.groups.items()):
            x, y = np.asarray(rates, dtype=np.float64), np.asarray(sigmas, dtype=np.float64)
            sound = np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0)
            color, _, marker = STYLES[place % len(STYLES)]
            look: dict[str, Any] = {
                "color": color,
                "marker": marker,
                "markersize": 4,
                "linestyle": "none",
                "alpha": 0.7,
            }
            ax.plot(x[sound], y[sound], label=escape_label(abbreviate(name)), **look)
            ends += x[sound].tolist()
        found = self.found
        if ends and np.isfinite(found.exponent):
            line = np.array([min(ends), max(ends)])
            ax.plot(line, found.constant * line**found.exponent, **line_style(kwargs, color=BLACK, linewidth=1.4))
        panel_title(ax, self._caption())
        ax.set_xlabel("learning rate α")
        ax.set_ylabel(escape_label(wrap(self.label, 36)))
        for which in ("x", "y"):
            log_axis(ax, which)
        ax.grid(alpha=0.25)
        if self.groups:
            add_legend(ax)
        return self

    def _caption(self) -> str:
        found = self.found
        if not np.isfinite(found.exponent):
            return f"{found.runs} runs: no line, because {found.reason}"
        ends = f" ({interval(found.low, found.high)})" if np.isfinite(found.low) else ""
        return f"β = {number(found.exponent)}{ends}, R² = {number(found.r_squared)}, n = {found.runs}"
