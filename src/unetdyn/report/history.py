"""The picture of a training: loss, Jaccard and learning rate over the epochs, with the stability of the end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

import unetdyn.runs
from unetdyn._plotting import BLACK, BLUE, GREY, VERMILION, epoch_axis, log_axis, mark_not_finite
from unetdyn.analysis.best import best_epoch
from unetdyn.analysis.curves import Curves, read_history
from unetdyn.analysis.stability import DDOF, WINDOW, Stability, check_window, stability
from unetdyn.report.drawing import MANY_POINTS, Display, literal, new_axes, readable, say

Series = tuple[NDArray[Any], NDArray[np.float64]]

# Told apart with every common colour vision, and in grey by their marks.
TRAINING: dict[str, Any] = {"color": BLUE, "marker": "o", "label": "training"}
VALIDATION: dict[str, Any] = {"color": VERMILION, "marker": "s", "label": "validation"}
RATE: dict[str, Any] = {"color": BLACK, "marker": ".", "label": "learning rate"}
DECADES = 20  # factor between the largest and the smallest loss from which its axis is logarithmic


class HistoryDisplay(Display):
    """Loss, the segmentation metric and the learning rate over a common axis of epochs.

    In the loss panel the window over which stability is measured is shaded and carries σ and its class; its axis is
    logarithmic where the loss is positive and spans a factor of 20 or more, so that the end can be seen beside the
    beginning. In the metric's panel the best epoch is ringed. Panels without anything to show (no metric, no learning
    rate) are left out. NaN and infinite values leave gaps, with crosses above.

    In a notebook the object shows its picture.

    Args:
        series: by name of a logged value, its epochs (from 0) and its values, both of shape `(n,)`.
        metric: which value the second panel shows; default: `Curves.default_panel`, `"jaccard"` where it was logged.
        window: over how many observed values stability is measured, ≥ 2; 10 is what the studies used.
        ddof: 1 or 0, see `unetdyn.analysis.stability`.

    Attributes:
        stability: `unetdyn.analysis.Stability` of the validation loss (of the loss where there was no validation).
        figure_: the matplotlib figure, after `plot`.
        axes_: its axes by panel: `"loss"`, the metric's name, `"learning_rate"`.
        ax_: the first of them.

    Raises:
        ValueError: if no `loss` was logged, or `metric` was not.

    Example:
        >>> losses = [0.9, 0.5, 0.4, 0.41, 0.40]
        >>> display = HistoryDisplay.from_history({"loss": losses, "val_loss": losses}, window=3).plot()
        >>> list(display.axes_), display.stability.label
        (['loss'], 'Excellent')

    Reference:
        Colours: Okabe and Ito, Color Universal Design (2008).
    """

    def __init__(
        self, series: Mapping[str, Series], metric: str | None = None, window: int = WINDOW, ddof: int = DDOF
    ) -> None:
        check_window(window, ddof)
        known = ", ".join(series) or "nothing"
        if not {"loss", "val_loss"} & set(series):
            raise ValueError(f"A history must hold `loss` of at least one epoch. Received: {known}.")
        if metric is not None and not {metric, f"val_{metric}"} & set(series):
            raise ValueError(f"`metric` must be a logged value. Received: metric={metric!r}; logged were {known}.")
        self.series = dict(series)
        self.metric = metric or Curves(self.series).default_panel
        self.window = window
        self.stability: Stability = stability(self._watched[1], window, ddof)

    @classmethod
    def from_history(
        cls, history: Any, validation_freq: int | Sequence[int] | None = None, **kwargs: Any
    ) -> "HistoryDisplay":
        """The picture of a training, wherever it was logged.

        Args:
            history: whatever `unetdyn.analysis.read_history` takes: a `keras.callbacks.History`, its `history`
                dictionary, a file of `CSVLogger`, a run.
            validation_freq: what was passed to `fit`; None (default) infers it, see `unetdyn.analysis.read_history`.
            **kwargs: `metric`, `window`, `ddof` as above.

        Raises:
            ValueError: if `validation_freq` does not fit the number of validations, or more than one would.
        """
        return cls(read_history(history, validation_freq), **kwargs)

    @classmethod
    def from_run(cls, run: "unetdyn.runs.Run | str | Path", **kwargs: Any) -> "HistoryDisplay":
        """The picture of a run directory.

        Args:
            run: an open run, or the path of one.
            **kwargs: `metric`, `window`, `ddof` as above.
        """
        return cls(read_history(run), **kwargs)

    def plot(self, axes: Sequence[Axes] | None = None) -> "HistoryDisplay":
        """Draw.

        Args:
            axes: as many axes as there are panels; default: a new figure, which no pyplot window owns.

        Returns:
            The display itself, with `figure_` and `axes_`.

        Raises:
            ValueError: if the number of `axes` isn't that of the panels.
        """
        panels = self._panels()
        if axes is None:
            axes = new_axes(len(panels), 0.6 + 2.2 * len(panels), width=7.0, sharex=True)
        if len(axes) != len(panels):
            raise ValueError(f"`axes` must be one for each of {', '.join(panels)}. Received: {len(axes)} axes.")
        self.axes_ = dict(zip(panels, axes, strict=True))
        self.ax_, self.figure_ = axes[0], axes[0].figure
        for name, ax in self.axes_.items():
            self._draw_panel(name, ax)
        self._shade_window(self.axes_["loss"])
        if self.metric:
            self._mark_best(self.axes_[self.metric])
        for ax in self.axes_.values():
            _legend(ax)
        epoch_axis(axes[-1], np.concatenate([epochs for epochs, _ in self.series.values()]))
        return self

    @property
    def _watched(self) -> Series:
        return self.series["val_loss"] if "val_loss" in self.series else self.series["loss"]

    def _panels(self) -> list[str]:
        rate = ["learning_rate"] if "learning_rate" in self.series else []
        return ["loss", *([self.metric] if self.metric else []), *rate]

    def _draw_panel(self, name: str, ax: Axes) -> None:
        styles = (RATE,) if name == "learning_rate" else (TRAINING, VALIDATION)
        for key, style in zip((name, f"val_{name}"), styles, strict=False):
            if key in self.series:
                epochs, values = self.series[key]
                finite = np.isfinite(values)
                look = style if len(epochs) < MANY_POINTS else {**style, "marker": ""}
                ax.plot(epochs + 1, np.where(finite, values, np.nan), markersize=3.5, linewidth=1.4, **look)
                height = 0.96 if style is TRAINING else 0.88
                mark_not_finite(ax, epochs[~finite] + 1, style["color"], f"{style['label']} not finite", height)
        if name == "learning_rate" or (name == "loss" and self._loss_spans_decades()):
            log_axis(ax)
        ax.set_ylabel(literal(readable(name)))
        ax.grid(alpha=0.25)

    def _loss_spans_decades(self) -> bool:
        """On a linear axis a first epoch at 4 makes a flat line of a window around 0.01."""
        drawn = np.concatenate([self.series[key][1] for key in ("loss", "val_loss") if key in self.series])
        drawn = drawn[np.isfinite(drawn)]
        return drawn.size > 0 and drawn.min() > 0 and drawn.max() >= DECADES * drawn.min()

    def _shade_window(self, ax: Axes) -> None:
        """Shade the window; the label says what was measured, also where it can't be."""
        watched = "validation loss" if "val_loss" in self.series else "loss"
        found = self.stability
        if not found.defined:
            say(ax, f"stability not defined: {len(found.values)} of {found.window} values", "right")
            return
        epochs = self._watched[0][-self.window :] + 1
        ax.axvspan(epochs[0] - 0.5, epochs[-1] + 0.5, color=GREY, alpha=0.25, linewidth=0, zorder=0)
        sigma = f"σ = {found.sigma:.3g}" if found.finite else "σ not finite"
        text = f"{watched}, last {found.window} (shaded): {sigma}, {found.label}"
        say(ax, text, "right")

    def _mark_best(self, ax: Axes) -> None:
        """Ring the best epoch of the metric; the label says what it was and where the training ended."""
        watched = f"val_{self.metric}" if f"val_{self.metric}" in self.series else str(self.metric)
        epochs, values = self.series[watched]
        best = best_epoch(watched, values)
        if best is None:
            say(ax, "never a number", "right")
            return
        ax.plot(epochs[best] + 1, values[best], "o", markersize=11, markerfacecolor="none", color=BLACK)
        ax.axvline(epochs[best] + 1, color=BLACK, linewidth=0.8, linestyle=":")
        of = "validation" if watched.startswith("val_") else "training"
        text = f"best {of} {values[best]:.3g} at epoch {epochs[best] + 1}, {values[-1]:.3g} at the end"
        say(ax, text, "right")


def _legend(ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if len(handles) > 1 or labels in (["training"], ["validation"]):
        ax.legend(loc="best", fontsize=9, frameon=False)
