"""The picture of the gradient noise scale over a training, with the batch size it is to be compared with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

import unetdyn.runs
from unetdyn._plotting import log_axis
from unetdyn.report.drawing import Display, arrays_of, say

# Blue, vermilion and bluish green of Okabe and Ito (2008); the first two as in HistoryDisplay.
SCALE = "#0072B2"
BATCH = "#D55E00"
MEAN = "#009E73"
SHADE = "#999999"
COLUMNS = ("step", "trace_covariance", "gradient_sq", "noise_scale", "noise_scale_low", "noise_scale_high")


class NoiseScaleDisplay(Display):
    """The noise scale with its interval over the steps, the batch size beside it, and below what it is made of.

    Stretches of training in which the noise scale is undetermined are shaded; an upward triangle in them is a lower
    bound. Both panels have log axes, so the gap between trΣ and |G|² in the lower one is the noise scale in the upper.
    An estimate of |G|² that is not above zero has no place there: a cross at the bottom stands for it.

    In a notebook the object shows its picture.

    Args:
        record: `NoiseScaleMonitor().record`, or its arrays read from a run.

    Attributes:
        record: What was given.
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes by panel: `"noise_scale"`, `"estimates"`.
        ax_: The first of them.

    Raises:
        ValueError: If `record` lacks what `NoiseScaleMonitor` records, or has no estimates.

    Example:
        >>> record = {"step": [99, 199], "trace_covariance": [40.0, 30.0], "gradient_sq": [2.0, -0.5],
        ...           "noise_scale": [20.0, np.nan], "noise_scale_low": [15.0, 80.0],
        ...           "noise_scale_high": [30.0, np.inf], "batch_size": [8, 8]}
        >>> display = NoiseScaleDisplay(record).plot()
        >>> display.axes_["noise_scale"].get_title("left")
        'last: undetermined, but above 80 samples'

    Reference:
        McCandlish, Kaplan, Amodei et al., An Empirical Model of Large-Batch Training (2018), figure 4.
    """

    def __init__(self, record: Mapping[str, Any]) -> None:
        if any(name not in record for name in COLUMNS):
            raise ValueError(
                f"`record` must be what NoiseScaleMonitor recorded, with {', '.join(COLUMNS)}. "
                f"Received: {', '.join(record) or 'nothing'}."
            )
        if not len(record["step"]):
            raise ValueError(
                "`record` must have at least one estimate. Received: a record from before the first epoch's end."
            )
        self.record = {name: np.asarray(values) for name, values in record.items()}

    @classmethod
    def from_run(cls, run: "unetdyn.runs.Run | str | Path", name: str = "noise_scale") -> "NoiseScaleDisplay":
        """The picture of a run directory.

        Args:
            run: An open run, or the path of one.
            name: The monitor's name.
        """
        return cls(arrays_of(run, name))

    def plot(self, ax: Any = None) -> "NoiseScaleDisplay":
        """Draw.

        Args:
            ax: Two axes; default: a new figure, which no pyplot window owns.

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If `ax` isn't two axes.
        """
        what = "the noise scale and its estimates"
        upper, lower = self._two_axes(ax, ("noise_scale", "estimates"), what, 5.0, sharex=True, height_ratios=(3, 2))
        for panel in (upper, lower):
            panel.set_yscale("log")
            self._shade_undetermined(panel)
            panel.grid(alpha=0.25)
        self._draw_scale(upper)
        self._draw_estimates(lower)
        say(upper, self._summary())
        upper.set_ylabel("noise scale (samples)")
        lower.set_ylabel("squared gradient")
        lower.set_xlabel("step")
        start, end = self._edges[0], self._edges[-1]
        for panel in (upper, lower):
            bottom, top = panel.get_ylim()
            panel.set_ylim(bottom, top * (top / bottom) ** 0.35)  # room for the legend above what is drawn
            panel.set_xlim(start - 0.01 * (end - start), end + 0.01 * (end - start) + 0.5)
            log_axis(panel)
            handles, labels = panel.get_legend_handles_labels()
            if handles:
                panel.legend(handles, labels, loc="upper left", ncols=2, fontsize=8, framealpha=0.8, edgecolor="none")
        return self

    @property
    def _edges(self) -> NDArray[Any]:
        """Estimate `i` brought in the steps from edge `i` to edge `i + 1`."""
        first = self.record["raw_step"][:1] if "raw_step" in self.record else self.record["step"][:0]
        start = first if len(first) else self.record["step"][:1] * 0
        return np.concatenate([np.minimum(start, self.record["step"][:1]), self.record["step"]])

    @property
    def _determined(self) -> NDArray[np.bool_]:
        return np.isfinite(self.record["noise_scale"])

    def _shade_undetermined(self, ax: Axes) -> None:
        """One patch for each stretch, of which the first has the label."""
        unknown = np.concatenate([[False], ~self._determined, [False]])
        starts, ends = np.flatnonzero(~unknown[:-1] & unknown[1:]), np.flatnonzero(unknown[:-1] & ~unknown[1:])
        for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
            ax.axvspan(
                self._edges[start],
                self._edges[end],
                facecolor=SHADE,
                alpha=0.25,
                hatch="//",
                edgecolor="white",
                linewidth=0,
                zorder=0,
                label="undetermined" if place == 0 and ax is self.ax_ else None,
            )

    def _draw_scale(self, ax: Axes) -> None:
        step, known = self.record["step"], self._determined
        low, high = self.record["noise_scale_low"], self.record["noise_scale_high"]
        if known.any():
            # An interval that reaches zero reaches the bottom of a log axis.
            bottom = np.where(low > 0, low, self.record["noise_scale"] / 100)
            ax.vlines(step[known], bottom[known], high[known], color=SCALE, alpha=0.35, linewidth=3, label="interval")
            values = np.where(known, self.record["noise_scale"], np.nan)
            ax.plot(step, values, color=SCALE, marker="o", markersize=3.5, linewidth=1.2, label="noise scale")
        bound = ~known & (low > 0)
        if bound.any():
            ax.plot(step[bound], low[bound], "^", color=SCALE, markerfacecolor="none", label="at least")
        batch = self.record.get("batch_size", np.zeros(0))
        if (batch > 0).any():
            label = f"batch size {batch[-1]:g}"
            sizes = np.where(batch > 0, batch, np.nan).astype(np.float64)
            ax.stairs(sizes, self._edges, baseline=None, color=BATCH, linestyle="--", linewidth=1.2, label=label)

    def _draw_estimates(self, ax: Axes) -> None:
        step = self.record["step"]
        for name, color, marker, label in (
            ("trace_covariance", SCALE, "s", "trΣ, of one sample"),
            ("gradient_sq", MEAN, "D", "|G|², of the mean"),
        ):
            values = self.record[name].astype(np.float64)
            drawn = np.where(values > 0, values, np.nan)
            ax.plot(step, drawn, color=color, marker=marker, markersize=3, linewidth=1.2, label=label)
            absent = step[values <= 0]
            if len(absent):
                at = np.full(len(absent), 0.05)
                label = f"{label.split(',')[0]} estimated ≤ 0"
                ax.plot(absent, at, "x", color=color, label=label, transform=ax.get_xaxis_transform())

    def _summary(self) -> str:
        value, low, high = (float(self.record[name][-1]) for name in COLUMNS[3:])
        if np.isfinite(value):
            return f"last: {value:.3g} samples (interval {low:.3g} to {high:.3g})"
        return "last: undetermined" + (f", but above {low:.3g} samples" if low > 0 else "")
