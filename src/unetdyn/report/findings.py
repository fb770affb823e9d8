"""The picture of a diagnosis: what each finding rests on, drawn on the run's own curves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

import unetdyn.runs
from unetdyn._plotting import (
    BLACK,
    BLUE,
    GREY,
    PURPLE,
    VERMILION,
    draw_epochs,
    drawable,
    epoch_axis,
    log_axis,
    spans_decades,
)
from unetdyn.analysis import Curves, Diagnosis, Finding, read_history
from unetdyn.analysis.diagnosis import Evidence, diagnose
from unetdyn.report.drawing import (
    LINE,
    Display,
    escape_label,
    few_points,
    line_style,
    readable,
    wrap,
)

MOST = 4  # panels: the headline's first findings
COLOURS = {"ill": "#b00020", "watch": "#7a4a00", "good": "#00624a", "info": "#004f9e", "unknown": "#565c64"}
"""Of a level; those of a report's page, which stand out from white."""

_LEFT = ((BLUE, "o"), (VERMILION, "s"))  # training and validation, as in every picture
_RIGHT = ((BLACK, "^"), (PURPLE, "v"))


class FindingsDisplay(Display):
    """The evidence for a diagnosis: one panel a finding of the headline, four at most.

    Each panel has the curves that the finding shows in, with the epochs in which it shows shaded; a second kind of
    value has its axis on the right. Where only the validation of a value, or only its training, is evidence, the other
    stands beside it as a thin line. The title says what was found, its colour and symbol how ill that makes the run. A
    run that is well has one panel, with its metric.

    In a notebook the object shows its picture.

    Args:
        curves: What was logged, `unetdyn.analysis.Curves`.
        diagnosis: `unetdyn.analysis.Diagnosis` of it.
        metric: The metric that performance is read from, without `val_`: drawn where a finding shows in no curve. None
            (default): the loss.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes by the finding's code, with a number behind it where one code stands twice; `"well"` where
            there is no finding.
        ax_: The first of them.

    Example:
        >>> rise, fall = [0.1, 0.5, 0.7, 0.8, 0.8, 0.8, 0.8, 0.8], [0.8, 0.0, 0.8, 0.0, 0.8, 0.0, 0.8, 0.8]
        >>> display = FindingsDisplay.from_history({"jaccard": rise + rise, "val_jaccard": rise + fall}).plot()
        >>> "metric.falls" in display.axes_
        True
    """

    def __init__(self, curves: Curves, diagnosis: Diagnosis, metric: str | None = None) -> None:
        self.curves = curves
        self.diagnosis = diagnosis
        self.metric = metric

    @classmethod
    def from_history(
        cls,
        history: Any,
        validation_freq: int | Sequence[int] | None = None,
        *,
        metric: str | None = None,
        **kwargs: Any,
    ) -> "FindingsDisplay":
        """The picture of a training, wherever it was logged; a run's records are looked at too.

        Args:
            history: Whatever `unetdyn.analysis.diagnose` takes.
            validation_freq: What was passed to `fit`; None (default) infers it, see `unetdyn.analysis.read_history`.
            metric: The metric that performance is read from; None (default) takes `Curves.default_metric`.
            **kwargs: `window` and `ddof` of `unetdyn.analysis.diagnose`.

        Raises:
            ValueError: If `metric` was not logged, or the history can't be read.
        """
        source = history if validation_freq is None else read_history(history, validation_freq)
        evidence = Evidence.read(source, metric, **kwargs)
        return cls(evidence.curves, diagnose(evidence), evidence.metric)

    @classmethod
    def from_run(cls, run: "unetdyn.runs.Run | str | Path", **kwargs: Any) -> "FindingsDisplay":
        """The picture of a run directory, open or its path; arguments as for `from_history`."""
        return cls.from_history(run, **kwargs)

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: Any) -> "FindingsDisplay":
        """Draw.

        Args:
            axes: As many axes as there are panels; default: a new figure, which no pyplot window owns.
            **kwargs: How the curves that are evidence are drawn, as for matplotlib's `plot`: `linewidth`, `alpha`, …

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If the number of `axes` isn't that of the panels.
        """
        shown = self.diagnosis.headline[:MOST]
        panels = _panel_names([finding.code for finding in shown]) or ["well"]
        axes = self._several_axes(axes, panels, 0.4 + 2.5 * len(panels), sharex=True)
        for ax, finding in zip(axes, shown, strict=False):
            self._draw_curves(ax, finding.curves, kwargs)
            _shade(ax, finding)
            _title(ax, f"{finding.symbol} {finding.name} ({finding.code})\n{finding.why}", finding.level)
        if not shown:
            self._draw_curves(axes[0], (), kwargs)
            found = self.diagnosis
            _title(axes[0], f"{found.symbol} {found.word}\n{found.sentence}", found.level)
        if self.curves:
            epoch_axis(axes[-1], np.concatenate([curve.epochs for curve in self.curves.values()]))
        return self

    def _draw_curves(self, ax: Axes, names: Sequence[str], kwargs: dict[str, Any]) -> None:
        """The metric on the left where it is among them, another kind of value on the right."""
        evidence = [name for name in names if name in self.curves] or self._instead()
        kinds = list(dict.fromkeys(name.removeprefix("val_") for name in evidence))
        kinds.sort(key=lambda kind: kind != self.metric)
        if not kinds:
            ax.text(0.5, 0.5, "no curve was logged", ha="center", transform=ax.transAxes)
            return
        self._draw_kind(ax, kinds[0], evidence, _LEFT, kwargs)
        for name in _pair(kinds[0]):
            if name in self.curves and name not in evidence:
                epochs, values = self.curves[name]
                ax.plot(epochs + 1, drawable(values), color=GREY, linewidth=1.0, zorder=1, label=self._label(name))
        ax.grid(alpha=0.25)
        other = ax.twinx() if len(kinds) > 1 else None
        if other is not None:
            self._draw_kind(other, kinds[1], evidence, _RIGHT, kwargs)
        _legend(ax, other)

    def _instead(self) -> list[str]:
        """What is drawn where a finding names no curve that was logged."""
        for name in (self.metric, "loss"):
            if name is not None and not {name, f"val_{name}"}.isdisjoint(self.curves):
                return [key for key in (name, f"val_{name}") if key in self.curves]
        return list(self.curves)[:1]

    def _draw_kind(
        self, ax: Axes, kind: str, evidence: Sequence[str], looks: Sequence[tuple[str, str]], kwargs: dict[str, Any]
    ) -> None:
        drawn = []
        for name, (color, marker), height in zip(_pair(kind), looks, (0.96, 0.88), strict=True):
            if name in evidence:
                epochs, values = self.curves[name]
                look = {"color": color, "marker": few_points(marker, epochs), "markersize": 3.5, "linewidth": 1.4}
                draw_epochs(ax, epochs, values, height, **line_style(kwargs, **look, label=self._label(name)))
                drawn.append(values)
        if spans_decades(np.concatenate(drawn)):
            log_axis(ax)
        ax.set_ylabel(escape_label(readable(kind)))

    def _label(self, name: str) -> str:
        """A logged value in words; of a pair, the training's says that it is."""
        return escape_label(f"training {readable(name)}" if f"val_{name}" in self.curves else readable(name))


def _pair(kind: str) -> tuple[str, str]:
    return kind, f"val_{kind}"


def _panel_names(codes: Sequence[str]) -> list[str]:
    """The codes, each once.

    >>> _panel_names(["loss.flat", "metric.flat", "loss.flat"])
    ['loss.flat', 'metric.flat', 'loss.flat (2)']
    """
    before = [codes[:place].count(code) for place, code in enumerate(codes)]
    return [f"{code} ({count + 1})" if count else code for code, count in zip(codes, before, strict=True)]


def _shade(ax: Axes, finding: Finding) -> None:
    for first, last in finding.epochs:
        ax.axvspan(first + 0.5, last + 1.5, color=COLOURS[finding.level], alpha=0.14, linewidth=0, zorder=0)


def _title(ax: Axes, text: str, level: str) -> None:
    """What was found, with room for the legend below it."""
    ax.set_title(escape_label(wrap(text, LINE)), loc="left", fontsize=9, color=COLOURS[level], pad=20)


def _legend(ax: Axes, other: Axes | None) -> None:
    """One for both axes, above the panel, so that it covers nothing."""
    handles, labels = ax.get_legend_handles_labels()
    if other is not None:
        more, words = other.get_legend_handles_labels()
        handles, labels = handles + more, labels + [f"{word} (right)" for word in words]
    look: dict[str, Any] = {"handlelength": 1.5, "columnspacing": 1.0, "handletextpad": 0.4, "borderpad": 0.2}
    place: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.1}
    ax.legend(handles, labels, ncols=len(labels), fontsize=8, frameon=False, **place, **look)
