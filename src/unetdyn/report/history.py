"""The picture of a training: loss, Jaccard and learning rate over the epochs, with the stability of the end."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

import unetdyn.runs
from unetdyn._plotting import (
    BLACK,
    GREY,
    TRAINING,
    VALIDATION,
    draw_epochs,
    epoch_axis,
    log_axis,
    mark_stages,
    spans_decades,
)
from unetdyn.analysis import Stability, read_history, stability
from unetdyn.analysis.curves import Stage
from unetdyn.report.drawing import Display, escape_label, few_points, line_style, panel_title, readable
from unetdyn.report.scatter import epochs_fallen, scatter_in_words

Series = tuple[NDArray[Any], NDArray[np.float64]]

RATE: dict[str, Any] = {"color": BLACK, "marker": ".", "label": "learning rate"}


class HistoryDisplay(Display):
    """Loss, the segmentation metric and the learning rate over a common axis of epochs.

    In the loss panel the window over which stability is measured is shaded and carries σ and its class; its axis is
    logarithmic where the loss is positive and spans a factor of 20 or more, so that the end can be seen beside the
    beginning. In the metric's panel the best epoch is ringed. Panels without anything to show (no metric, no learning
    rate) are left out. NaN and infinite values leave gaps, with crosses above. Of a training in stages, a dashed line
    in each panel is where one begins, and its name is written in the first.

    In a notebook the object shows its picture.

    Args:
        series: By name of a logged value, its epochs (from 0) and its values, both of shape `(n,)`. `loss` or
            `val_loss` must be among them.
        stability: `unetdyn.analysis.Stability` of the validation loss (of the loss where there was no validation).
        metric: Which value the second panel shows; None (default) for no such panel.
        best: Where the metric is best, as a place in its values, those of the validation where there are any; None
            (default) where it never was a number.
        fallen: In how many epochs the metric had fallen to less than half of what it had reached; from one on, the
            loss's scatter has no class. Default: 0.
        stages: Of a training in stages, the first epoch (from 0) and the name of each. Default: none.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes by panel: `"loss"`, the metric's name, `"learning_rate"`.
        ax_: The first of them.

    Example:
        >>> losses = [0.9, 0.5, 0.4, 0.41, 0.40]
        >>> display = HistoryDisplay.from_history({"loss": losses, "val_loss": losses}, window=3).plot()
        >>> list(display.axes_), display.stability.label
        (['loss'], 'Excellent')

    Reference:
        Colours: Okabe and Ito, Color Universal Design (2008).
    """

    def __init__(
        self,
        series: Mapping[str, Series],
        stability: Stability,
        metric: str | None = None,
        best: int | None = None,
        fallen: int = 0,
        stages: Sequence[Stage] = (),
    ) -> None:
        self.series = series
        self.stability = stability
        self.metric = metric
        self.best = best
        self.fallen = fallen
        self.stages = stages

    @classmethod
    def from_history(
        cls,
        history: Any,
        validation_freq: int | Sequence[int] | None = None,
        *,
        metric: str | None = None,
        **kwargs: Any,
    ) -> "HistoryDisplay":
        """The picture of a training, wherever it was logged.

        Args:
            history: Whatever `unetdyn.analysis.read_history` takes: a `keras.callbacks.History`, its `history`
                dictionary, a file of `CSVLogger`, a run.
            validation_freq: What was passed to `fit`; None (default) infers it, see `unetdyn.analysis.read_history`.
            metric: Which value the second panel shows; None (default) takes `Curves.default_panel`, `"jaccard"` where
                it was logged.
            **kwargs: `window` and `ddof` of `unetdyn.analysis.stability`.

        Raises:
            ValueError: If no `loss` was logged, or `metric` was not, or `window` or `ddof` is out of range; or if
                `validation_freq` does not fit the number of validations, or more than one would.
        """
        curves = read_history(history, validation_freq)
        known = ", ".join(curves) or "nothing"
        if not {"loss", "val_loss"} & set(curves):
            raise ValueError(f"A history must hold `loss` of at least one epoch. Received: {known}.")
        if metric is not None and not {metric, f"val_{metric}"} & set(curves):
            raise ValueError(f"`metric` must be a logged value. Received: metric={metric!r}; logged were {known}.")
        metric = metric or curves.default_panel
        best = None
        if metric:
            best = curves.best(curves.watched(metric)[0])
        found = stability(curves.watched("loss")[1].values, **kwargs)
        return cls(curves, found, metric, best, epochs_fallen(curves, metric), curves.stages)

    @classmethod
    def from_run(cls, run: "unetdyn.runs.Run | str | Path", **kwargs: Any) -> "HistoryDisplay":
        """The picture of a run directory, open or its path; arguments as for `from_history`."""
        return cls.from_history(run, **kwargs)

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: Any) -> "HistoryDisplay":
        """Draw.

        Args:
            axes: As many axes as there are panels; default: a new figure, which no pyplot window owns.
            **kwargs: How the curves of all panels are drawn, as for matplotlib's `plot`: `linewidth`, `alpha`, …

        Returns:
            The display itself, with `figure_` and `axes_`.

        Raises:
            ValueError: If the number of `axes` isn't that of the panels.
        """
        rate = ["learning_rate"] if "learning_rate" in self.series else []
        panels = ["loss", *([self.metric] if self.metric else []), *rate]
        height = 0.6 + 2.2 * len(panels)
        axes = self._several_axes(axes, panels, height, width=7.0, sharex=True)
        for name, ax in self.axes_.items():
            self._draw_panel(name, ax, kwargs)
            mark_stages(ax, [(first, escape_label(stage)) for first, stage in self.stages], names=name == "loss")
        self._shade_window(self.axes_["loss"])
        if self.metric:
            self._mark_best(self.axes_[self.metric])
        for ax in axes:
            _legend(ax)
        epoch_axis(axes[-1], np.concatenate([epochs for epochs, _ in self.series.values()]))
        return self

    def _watched(self, name: str) -> str:
        """What was logged of the validation, or of the training where there was none."""
        return f"val_{name}" if f"val_{name}" in self.series else name

    def _draw_panel(self, name: str, ax: Axes, kwargs: dict[str, Any]) -> None:
        styles = (RATE,) if name == "learning_rate" else (TRAINING, VALIDATION)
        for key, style in zip((name, f"val_{name}"), styles, strict=False):
            if key in self.series:
                epochs, values = self.series[key]
                look = {**style, "marker": few_points(style["marker"], epochs), "markersize": 3.5, "linewidth": 1.4}
                height = 0.96 if style is TRAINING else 0.88
                draw_epochs(ax, epochs, values, height, **line_style(kwargs, **look))
        losses = [self.series[key][1] for key in ("loss", "val_loss") if key in self.series]
        if name == "learning_rate" or (name == "loss" and spans_decades(np.concatenate(losses))):
            log_axis(ax)
        ax.set_ylabel(escape_label(readable(name)))
        ax.grid(alpha=0.25)

    def _shade_window(self, ax: Axes) -> None:
        """Shade the window; the label says what was measured, also where it can't be."""
        watched, found = self._watched("loss"), self.stability
        if not found.determined:
            panel_title(ax, f"stability not defined: {len(found.values)} of {found.window} values", "right")
            return
        epochs = self.series[watched][0][-found.window :] + 1
        ax.axvspan(epochs[0] - 0.5, epochs[-1] + 0.5, color=GREY, alpha=0.25, linewidth=0, zorder=0)
        words = scatter_in_words(found, self.fallen)
        panel_title(ax, f"{readable(watched)}, last {found.window} (shaded): {words}", "right")

    def _mark_best(self, ax: Axes) -> None:
        """Ring the best epoch of the metric; the label says what it was and where the training ended."""
        if self.best is None:
            panel_title(ax, "never a number", "right")
            return
        watched = self._watched(str(self.metric))
        epochs, values = self.series[watched]
        epoch, value = epochs[self.best] + 1, values[self.best]
        ax.plot(epoch, value, "o", markersize=11, markerfacecolor="none", color=BLACK)
        ax.axvline(epoch, color=BLACK, linewidth=0.8, linestyle=":")
        of = "validation" if watched.startswith("val_") else "training"
        panel_title(ax, f"best {of} {value:.3g} at epoch {epoch}, {values[-1]:.3g} at the end", "right")


def _legend(ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    if len(handles) > 1 or labels in (["training"], ["validation"]):
        ax.legend(loc="best", fontsize=9, frameon=False)
