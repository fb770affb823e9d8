"""The picture of where a training is heading to: its curve, the fitted one, and the interval of the asymptote."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

import unetdyn.runs
from unetdyn._plotting import BLACK, BLUE, GREEN, VERMILION, drawable, epoch_axis, mark_not_finite
from unetdyn.analysis import ConvergenceFit, fit_convergence, read_history
from unetdyn.analysis.result import epoch, interval, number
from unetdyn.report.drawing import MANY_POINTS, Display, add_legend, escape_label, line_style, panel_title, readable

AHEAD = 1.25  # how far beyond the last epoch the fitted curve is drawn, as a factor of the epochs there are


class ConvergenceDisplay(Display):
    """A curve, its fit drawn a quarter further, and the asymptote J∞ with its interval as a band.

    Where the history does not tell the asymptote there is no band, the fitted curve is faint, and the title says why.

    In a notebook the object shows its picture.

    Args:
        epochs: `(n,)`, the epochs (from 0) in which the value was logged.
        values: `(n,)`, the logged value.
        fit: What `unetdyn.analysis.fit_convergence` found in it.
        name: What it is, for the axis.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes.

    Example:
        >>> values = [0.8 - 0.7 * 0.8**epoch for epoch in range(30)]
        >>> display = ConvergenceDisplay.from_values(values, name="validation Jaccard").plot()
        >>> display.fit.model, round(display.fit.asymptote, 3)
        ('exponential', 0.8)
    """

    def __init__(
        self, epochs: NDArray[Any], values: NDArray[np.float64], fit: ConvergenceFit, name: str = "value"
    ) -> None:
        self.epochs = epochs
        self.values = values
        self.fit = fit
        self.name = name

    @classmethod
    def from_values(
        cls, values: ArrayLike, epochs: ArrayLike | None = None, name: str = "value", **kwargs: Any
    ) -> "ConvergenceDisplay":
        """The picture of a logged value.

        Args:
            values: `(n,)`, oldest first; NaN and infinity allowed.
            epochs: `(n,)`, the epochs (from 0) in which it was logged; default 0, 1, 2, …
            name: What it is, for the axis.
            **kwargs: Further arguments of `unetdyn.analysis.fit_convergence`, such as `confidence`.

        Raises:
            ValueError: If `values` is not of one training; as `fit_convergence`.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.ndim != 1:
            raise ValueError(f"`values` must be of one training, (epochs,). Received: shape {values.shape}.")
        epochs = np.arange(len(values)) if epochs is None else np.asarray(epochs)
        fit = cast(ConvergenceFit, fit_convergence(values, epochs, **kwargs))  # of one history, one
        return cls(epochs, values, fit, name)

    @classmethod
    def from_history(
        cls, history: Any, metric: str | None = None, validation_freq: int | Sequence[int] | None = None, **kwargs: Any
    ) -> "ConvergenceDisplay":
        """The picture of a training, wherever it was logged.

        Args:
            history: Whatever `unetdyn.analysis.read_history` takes.
            metric: Which value, with or without `val_`, `"loss"` too; None (default) takes the metric that performance
                is read from. The validation's is taken where it was logged.
            validation_freq: What was passed to `fit`; see `read_history`.
            **kwargs: Further arguments of `unetdyn.analysis.fit_convergence`.
        """
        curves = read_history(history, validation_freq)
        logged, curve = curves.watched(curves.metric(metric))
        return cls.from_values(curve.values, curve.epochs, readable(logged), **kwargs)

    @classmethod
    def from_run(
        cls, run: "unetdyn.runs.Run | str | Path", metric: str | None = None, **kwargs: Any
    ) -> "ConvergenceDisplay":
        """The picture of a run directory, open or its path; arguments as for `from_history`."""
        return cls.from_history(run, metric, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> "ConvergenceDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.
            **kwargs: How the logged value is drawn, as for matplotlib's `plot`: `color`, `markersize`, …

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        ax = self._one_axes(ax)
        marker, line = ("o", "") if len(self.values) < MANY_POINTS else ("", "-")
        look = {"color": BLUE, "marker": marker, "linestyle": line, "markersize": 3.5}
        label = escape_label(self.name)
        (drawn,) = ax.plot(self.epochs + 1, drawable(self.values), **line_style(kwargs, **look, label=label))
        mark_not_finite(ax, self.epochs[~np.isfinite(self.values)] + 1, drawn.get_color(), "not finite")
        if self.fit.model is not None:
            self._draw_fit(ax)
        panel_title(ax, self._title())
        ax.set_ylabel(label)
        epoch_axis(ax, self._ahead())
        ax.grid(alpha=0.25)
        add_legend(ax)
        return self

    def _ahead(self) -> NDArray[np.float64]:
        """The epochs over which the fitted curve is drawn."""
        if not len(self.epochs):
            return np.zeros(0)
        first, last = float(self.epochs[0]), float(self.epochs[-1])
        return np.linspace(first, first + AHEAD * (last - first + 1), 200)

    def _draw_fit(self, ax: Axes) -> None:
        fit, ahead = self.fit, self._ahead()
        alpha = 1.0 if fit.determined else 0.4
        label = f"fitted: {fit.model}"
        ax.plot(ahead + 1, fit.predict(ahead), color=VERMILION, linewidth=1.4, alpha=alpha, label=label)
        ax.axvline(self.epochs[-1] + 1, color=BLACK, linewidth=0.8, linestyle=":", label="last epoch")
        if fit.determined:
            ax.axhspan(*fit.asymptote_interval, color=GREEN, alpha=0.2, linewidth=0, zorder=0)
            label = f"asymptote J∞, with its {100 * fit.confidence:g} % interval"
            ax.axhline(fit.asymptote, color=GREEN, linestyle="--", linewidth=1.2, label=label)

    def _title(self) -> str:
        fit = self.fit
        if not fit.determined:
            return f"asymptote undetermined: {fit.reason}"
        reached = fit.epochs_to_within
        when = f"from epoch {epoch(math.ceil(reached))} on" if math.isfinite(reached) else "never"
        return (
            f"heading to {number(fit.asymptote)} ({100 * fit.confidence:g} % interval "
            f"{interval(*fit.asymptote_interval)})\nwithin {100 * fit.within:g} % of it {when}"
        )
