"""The picture of the gradient noise scale over a training, with the batch size it is to be compared with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

import unetdyn.runs
from unetdyn._plotting import BLUE, GREEN, GREY, VERMILION, drawable, log_axis, mark_off_scale
from unetdyn.report.drawing import Display, add_legend, arrays_of, line_style, panel_title

COLUMNS = ("noise_scale", "noise_scale_low", "noise_scale_high", "trace_covariance", "gradient_sq")


class NoiseScaleDisplay(Display):
    """The noise scale with its interval over the steps, the batch size beside it, and below what it is made of.

    Stretches of training in which the noise scale is undetermined are shaded; an upward triangle in them is a lower
    bound. Both panels have log axes, so the gap between trΣ and |G|² in the lower one is the noise scale in the upper.
    An estimate of |G|² that is not above zero has no place there: a cross at the bottom stands for it.

    In a notebook the object shows its picture.

    Args:
        edges: `(n + 1,)`, the steps between which each estimate was made: it ends at edge `i + 1`, where it is drawn.
        noise_scale: `(n,)`, in samples; NaN where it is undetermined.
        noise_scale_low: `(n,)`, lower end of its interval; above 0 where undetermined, it is a lower bound.
        noise_scale_high: `(n,)`, upper end of its interval.
        trace_covariance: `(n,)`, trΣ, the variance of one sample's gradient.
        gradient_sq: `(n,)`, |G|², the squared norm of the mean gradient.
        batch_size: `(n,)`, 0 where it is not known; default: it never is.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes by panel: `"noise_scale"`, `"estimates"`.
        ax_: The first of them.

    Example:
        >>> record = {"step": [99, 199], "trace_covariance": [40.0, 30.0], "gradient_sq": [2.0, -0.5],
        ...           "noise_scale": [20.0, np.nan], "noise_scale_low": [15.0, 80.0],
        ...           "noise_scale_high": [30.0, np.inf], "batch_size": [8, 8]}
        >>> display = NoiseScaleDisplay.from_record(record).plot()
        >>> display.axes_["noise_scale"].get_title("left")
        'last: undetermined, but above 80 samples'

    Reference:
        McCandlish, Kaplan, Amodei et al., An Empirical Model of Large-Batch Training (2018), figure 4.
    """

    def __init__(
        self,
        edges: ArrayLike,
        noise_scale: ArrayLike,
        noise_scale_low: ArrayLike,
        noise_scale_high: ArrayLike,
        trace_covariance: ArrayLike,
        gradient_sq: ArrayLike,
        batch_size: ArrayLike = (),
    ) -> None:
        self.edges = np.asarray(edges)
        self.noise_scale = np.asarray(noise_scale)
        self.noise_scale_low = np.asarray(noise_scale_low)
        self.noise_scale_high = np.asarray(noise_scale_high)
        self.trace_covariance = np.asarray(trace_covariance)
        self.gradient_sq = np.asarray(gradient_sq)
        self.batch_size = np.asarray(batch_size)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "NoiseScaleDisplay":
        """The picture of what a `NoiseScaleMonitor` recorded.

        Args:
            record: `NoiseScaleMonitor().record`, or its arrays read from a run.

        Raises:
            ValueError: If `record` lacks what `NoiseScaleMonitor` records, or has no estimates.
        """
        needed = ("step", *COLUMNS)
        if any(name not in record for name in needed):
            raise ValueError(
                f"`record` must be what NoiseScaleMonitor recorded, with {', '.join(needed)}. "
                f"Received: {', '.join(record) or 'nothing'}."
            )
        step = np.asarray(record["step"])
        if not len(step):
            raise ValueError(
                "`record` must have at least one estimate. Received: a record from before the first epoch's end."
            )
        measured = record.get("raw_step", ())
        edges = np.append(min(measured[0], step[0]) if len(measured) else 0, step)
        columns = {name: record[name] for name in COLUMNS}
        return cls(edges, **columns, batch_size=record.get("batch_size", ()))

    @classmethod
    def from_run(cls, run: "unetdyn.runs.Run | str | Path", name: str = "noise_scale") -> "NoiseScaleDisplay":
        """The picture of a run directory.

        Args:
            run: An open run, or the path of one.
            name: The monitor's name.
        """
        return cls.from_record(arrays_of(run, name))

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: Any) -> "NoiseScaleDisplay":
        """Draw.

        Args:
            axes: Two axes; default: a new figure, which no pyplot window owns.
            **kwargs: How the lines of the noise scale and its two estimates are drawn, as for matplotlib's `plot`:
                `linewidth`, `alpha`, …

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If `axes` isn't two axes.
        """
        panels = ("noise_scale", "estimates")
        upper, lower = self._several_axes(axes, panels, 5.0, sharex=True, height_ratios=(3, 2))
        for panel in (upper, lower):
            panel.set_yscale("log")
            self._shade_undetermined(panel)
            panel.grid(alpha=0.25)
        self._draw_scale(upper, kwargs)
        self._draw_batch_size(upper)
        self._draw_estimates(lower, kwargs)
        panel_title(upper, self._summary())
        upper.set_ylabel("noise scale (samples)")
        lower.set_ylabel("squared gradient")
        lower.set_xlabel("step")
        for panel in (upper, lower):
            self._finish(panel)
        return self

    def _finish(self, ax: Axes) -> None:
        bottom, top = ax.get_ylim()
        ax.set_ylim(bottom, top * (top / bottom) ** 0.35)  # room for the legend above what is drawn
        start, end = self.edges[0], self.edges[-1]
        ax.set_xlim(start - 0.01 * (end - start), end + 0.01 * (end - start) + 0.5)
        log_axis(ax)
        if ax.get_legend_handles_labels()[1]:
            add_legend(ax, "upper left", ncols=2)

    def _shade_undetermined(self, ax: Axes) -> None:
        """One patch for each stretch, of which the first has the label."""
        unknown = np.concatenate([[False], ~np.isfinite(self.noise_scale), [False]])
        starts, ends = np.flatnonzero(~unknown[:-1] & unknown[1:]), np.flatnonzero(unknown[:-1] & ~unknown[1:])
        for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
            ax.axvspan(
                self.edges[start],
                self.edges[end],
                facecolor=GREY,
                alpha=0.25,
                hatch="//",
                edgecolor="white",
                linewidth=0,
                zorder=0,
                label="undetermined" if place == 0 and ax is self.ax_ else None,
            )

    def _draw_scale(self, ax: Axes, kwargs: dict[str, Any]) -> None:
        step, scale, low = self.edges[1:], self.noise_scale, self.noise_scale_low
        known = np.isfinite(scale)
        if known.any():
            # An interval that reaches zero reaches the bottom of a log axis.
            bottom, high = np.where(low > 0, low, scale / 100), self.noise_scale_high
            ax.vlines(step[known], bottom[known], high[known], color=BLUE, alpha=0.35, linewidth=3, label="interval")
            look = {"color": BLUE, "marker": "o", "markersize": 3.5, "linewidth": 1.2, "label": "noise scale"}
            ax.plot(step, drawable(scale), **line_style(kwargs, **look))
        bound = ~known & (low > 0)
        if bound.any():
            ax.plot(step[bound], low[bound], "^", color=BLUE, markerfacecolor="none", label="at least")

    def _draw_batch_size(self, ax: Axes) -> None:
        if (self.batch_size > 0).any():
            label = f"batch size {self.batch_size[-1]:g}"
            sizes = np.where(self.batch_size > 0, self.batch_size, np.nan).astype(np.float64)
            ax.stairs(sizes, self.edges, baseline=None, color=VERMILION, linestyle="--", linewidth=1.2, label=label)

    def _draw_estimates(self, ax: Axes, kwargs: dict[str, Any]) -> None:
        step = self.edges[1:]
        for values, color, marker, name, of in (
            (self.trace_covariance, BLUE, "s", "trΣ", "of one sample"),
            (self.gradient_sq, GREEN, "D", "|G|²", "of the mean"),
        ):
            look = {"color": color, "marker": marker, "markersize": 3, "linewidth": 1.2, "label": f"{name}, {of}"}
            (line,) = ax.plot(step, drawable(values, log=True), **line_style(kwargs, **look))
            mark_off_scale(ax, step[values <= 0], 0.05, color=line.get_color(), label=f"{name} estimated ≤ 0")

    def _summary(self) -> str:
        found = (self.noise_scale, self.noise_scale_low, self.noise_scale_high)
        value, low, high = (float(values[-1]) for values in found)
        if np.isfinite(value):
            return f"last: {value:.3g} samples (interval {low:.3g} to {high:.3g})"
        return "last: undetermined" + (f", but above {low:.3g} samples" if low > 0 else "")
