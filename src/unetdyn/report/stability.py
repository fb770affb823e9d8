"""The picture of a training's stability: the standard deviation of the last epochs, after each epoch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

import unetdyn.runs
from unetdyn._plotting import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    SKY,
    VERMILION,
    YELLOW,
    drawable,
    epoch_axis,
    log_axis,
    mark_not_finite,
    mark_off_scale,
)
from unetdyn.analysis import STABILITY_CLASSES, Stability, read_history, sliding_stability, stability
from unetdyn.report.drawing import Display, add_legend, escape_label, few_points, line_style, panel_title, readable
from unetdyn.report.scatter import epochs_fallen, scatter_in_words

BANDS = dict(zip((row.label for row in STABILITY_CLASSES), (GREEN, SKY, YELLOW, ORANGE, VERMILION), strict=True))
_BORDERS = [row.lower for row in STABILITY_CLASSES[1:]]
ROOM = 1.5  # how far the axis goes beyond the lowest and highest σ, as a factor


class StabilityDisplay(Display):
    """σ of the last `window` values after each epoch, on a log axis over the bands of the five classes.

    A line that falls is a training that calms down. An epoch whose window holds a value that is not finite has a cross
    at the top, one with σ = 0 a triangle at the bottom, because neither has a height on this axis.

    In a notebook the object shows its picture.

    Args:
        epochs: `(n,)`, the epochs (from 0) in which the value was logged.
        sigma: `(n,)`, `unetdyn.analysis.sliding_stability` of its values.
        stability: `unetdyn.analysis.Stability` at the end.
        name: What was logged, for the axis. Default `"validation loss"`, for which the classes were made.
        fallen: In how many epochs the metric had fallen to less than half of what it had reached; from one on, the
            title names no class. Default: 0.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes.

    Example:
        >>> display = StabilityDisplay.from_values([0.9, 0.5, 0.4, 0.42, 0.41], window=3).plot()
        >>> display.sigma.round(3).tolist(), display.ax_.get_yscale()
        ([nan, nan, 0.265, 0.053, 0.01], 'log')

    Reference:
        The classes are those of the studies (docs/studies.md).
    """

    def __init__(
        self,
        epochs: NDArray[Any],
        sigma: NDArray[np.float64],
        stability: Stability,
        name: str = "validation loss",
        fallen: int = 0,
    ) -> None:
        self.epochs = epochs
        self.sigma = sigma
        self.stability = stability
        self.name = name
        self.fallen = fallen

    @classmethod
    def from_values(
        cls,
        values: ArrayLike,
        epochs: ArrayLike | None = None,
        name: str = "validation loss",
        fallen: int = 0,
        **kwargs: Any,
    ) -> "StabilityDisplay":
        """The picture of a logged value.

        Args:
            values: `(n,)`, oldest first; NaN and infinity allowed.
            epochs: `(n,)`, the epochs (from 0) in which it was logged; default 0, 1, 2, …
            name: What it is, for the axis.
            fallen: In how many epochs the metric had fallen, see the class.
            **kwargs: `window` and `ddof` of `unetdyn.analysis.stability`.

        Raises:
            ValueError: If `values` and `epochs` differ in length, or `window` or `ddof` is out of range.
        """
        values = np.asarray(values, dtype=np.float64)
        epochs = np.arange(len(values)) if epochs is None else np.asarray(epochs)
        if epochs.shape != values.shape:
            raise ValueError(
                "`epochs` must have one element for each of `values`. "
                f"Received: {epochs.shape} epochs, {values.shape} values."
            )
        return cls(epochs, sliding_stability(values, **kwargs), stability(values, **kwargs), name, fallen)

    @classmethod
    def from_history(
        cls, history: Any, name: str = "loss", validation_freq: int | Sequence[int] | None = None, **kwargs: Any
    ) -> "StabilityDisplay":
        """The picture of a training, wherever it was logged.

        Args:
            history: Whatever `unetdyn.analysis.read_history` takes.
            name: Which value, without `val_`: the validation's is taken where it was logged. Default `"loss"`.
            validation_freq: What was passed to `fit`; see `read_history`.
            **kwargs: `window` and `ddof` of `unetdyn.analysis.stability`.
        """
        curves = read_history(history, validation_freq)
        logged, curve = curves.watched(name.removeprefix("val_"))
        fallen = epochs_fallen(curves, curves.default_metric)
        return cls.from_values(curve.values, curve.epochs, readable(logged), fallen, **kwargs)

    @classmethod
    def from_run(cls, run: "unetdyn.runs.Run | str | Path", name: str = "loss", **kwargs: Any) -> "StabilityDisplay":
        """The picture of a run directory, open or its path; arguments as for `from_history`."""
        return cls.from_history(run, name, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> "StabilityDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.
            **kwargs: How the curve of σ is drawn, as for matplotlib's `plot`: `color`, `linewidth`, …

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        ax = self._one_axes(ax)
        ax.set_yscale("log")
        drawn = drawable(self.sigma, log=True)
        look = {"color": BLUE, "marker": few_points("o", self.epochs), "markersize": 3.5, "linewidth": 1.4}
        ax.plot(self.epochs + 1, drawn, **line_style(kwargs, **look, label="σ"))
        self._limit(ax, drawn)
        self._draw_bands(ax)
        self._mark_extremes(ax)
        log_axis(ax)
        panel_title(ax, self._title())
        ax.set_ylabel(f"σ of the {escape_label(self.name)}\n(last {self.stability.window} values)")
        epoch_axis(ax, self.epochs)
        ax.grid(alpha=0.25)
        if len(ax.get_legend_handles_labels()[1]) > 1:
            add_legend(ax, "upper right")
        return self

    def _limit(self, ax: Axes, drawn: NDArray[np.float64]) -> None:
        """All of the curve, and at least one border between two classes, so that the height means something."""
        known = drawn[np.isfinite(drawn)]
        low, high = (known.min(), known.max()) if known.size else (_BORDERS[0], _BORDERS[-1])
        nearest = min(_BORDERS, key=lambda bound: abs(np.log(bound / high)))
        ax.set_ylim(min(low, nearest) / ROOM, max(high, nearest) * ROOM)

    def _draw_bands(self, ax: Axes) -> None:
        bottom, top = ax.get_ylim()
        for row in STABILITY_CLASSES:
            low, high = max(row.lower, bottom), min(row.upper, top)
            if low < high:
                ax.axhspan(low, high, color=BANDS[row.label], alpha=0.22, linewidth=0, zorder=0)
                if high / low > (top / bottom) ** 0.06:  # a narrower band has no room for its name
                    middle = (low * high) ** 0.5
                    place = ax.get_yaxis_transform()
                    ax.text(0.01, middle, row.label, ha="left", va="center", fontsize=8, transform=place)

    def _mark_extremes(self, ax: Axes) -> None:
        full = np.arange(len(self.sigma)) >= self.stability.window - 1
        mark_not_finite(ax, self.epochs[full & np.isnan(self.sigma)] + 1, BLACK, "not finite in the window")
        mark_off_scale(ax, self.epochs[self.sigma == 0] + 1, 0.03, "v", color=BLUE, label="σ = 0")

    def _title(self) -> str:
        words = scatter_in_words(self.stability, self.fallen)
        return f"at the end: {words}" if self.stability.determined else words
