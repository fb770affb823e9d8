"""The picture of several runs beside each other: how good each was, how calm, and which are worth having."""

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from unetdyn._plotting import BLACK, BLUE, GREY, log_axis
from unetdyn.analysis import Front, Ranking, RunSummary, as_summaries, combined_score, pareto_front
from unetdyn.analysis.comparison.ranking import WEIGHTS
from unetdyn.analysis.result import number
from unetdyn.analysis.stability_classes import WINDOW
from unetdyn.report.drawing import (
    Display,
    abbreviate,
    add_legend,
    escape_label,
    line_style,
    shared_name,
    wrap,
)

MOST_ROWS = 20  # runs with a row and a number; the others are dots
_ALONG, _UP = 40, 30  # characters of a label along an axis, which beside long names has less room than a title
_LOG_FROM = 8  # factor between the σs from which their axis is logarithmic: below, its numbers would overprint
_NUMBER_SIZE = 11.0  # points, of a run's number in the upper panel and the room that it needs
# Where a number may stand beside its point, nearest first: above, right, below, left, and further out.
_PLACES = [
    (distance * x, distance * y)
    for distance in (10.0, 20.0, 30.0)
    for x, y in ((0, 1), (1, 0), (0, -1), (-1, 0), (0.8, 0.8), (0.8, -0.8), (-0.8, -0.8), (-0.8, 0.8))
]


class ComparisonDisplay(Display):
    """Above, the best metric of each run against σ of its loss, with the Pareto front; below, their combined scores.

    Good runs lie at the top, calm ones on the left. A run on the front (blue, joined by steps) is beaten by no other
    in both; the numbers are the places in the ranking below, where a run that is last in both has no bar. Runs without
    a score, because σ is not defined yet or a value is not finite, are named there with the reason. Of more than 20
    runs the best 20 have a number and a row.

    In a notebook the object shows its picture.

    Args:
        summaries: One `unetdyn.analysis.RunSummary` a run.
        ranking: What `unetdyn.analysis.combined_score` found.
        front: What `unetdyn.analysis.pareto_front` found.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes by panel: `"runs"`, `"scores"`.
        ax_: The first of them.

    Example:
        >>> calm = {"val_jaccard": [0.5, 0.7, 0.69], "val_loss": [0.4, 0.30, 0.31]}
        >>> wild = {"val_jaccard": [0.6, 0.1, 0.65], "val_loss": [0.4, 2.00, 0.35]}
        >>> display = ComparisonDisplay.from_runs({"calm": calm, "wild": wild}, window=3).plot()
        >>> [run.name for run in display.front.front]
        ['calm']
    """

    def __init__(self, summaries: Sequence[RunSummary], ranking: Ranking, front: Front) -> None:
        self.summaries = summaries
        self.ranking = ranking
        self.front = front

    @classmethod
    def from_runs(
        cls, runs: Any, metric: str | None = None, window: int = WINDOW, w: tuple[float, float] = WEIGHTS
    ) -> "ComparisonDisplay":
        """The picture of trainings, wherever they were logged.

        Args:
            runs: What `unetdyn.analysis.as_summaries` takes: a list of run directories, histories or summaries, or a
                dictionary name → such.
            metric: Without `val_`; default: the metric that performance is read from.
            window: Over how many values σ is measured; 10 is what the studies used. Summaries keep theirs.
            w: Weights of performance and stability, see `unetdyn.analysis.combined_score`.

        Raises:
            ValueError: If there is no run.
        """
        summaries = as_summaries(runs, metric=metric, window=window, judged=True)
        if not summaries:
            raise ValueError(f"`runs` must be one run or more. Received: {runs!r}.")
        return cls(summaries, combined_score(summaries, w), pareto_front(summaries))

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: Any) -> "ComparisonDisplay":
        """Draw.

        Args:
            axes: Two axes; default: a new figure, which no pyplot window owns.
            **kwargs: How the points of the runs are drawn, as for matplotlib's `plot`: `marker`, `markersize`, …

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If `axes` isn't two axes.
        """
        rows = min(len(self.summaries), MOST_ROWS) + (len(self.summaries) > MOST_ROWS)  # the last says "and 7 more"
        scores = 0.9 + 0.24 * rows
        upper, lower = self._several_axes(axes, ("runs", "scores"), 3.4 + scores, height_ratios=(3.4, scores))
        self._draw_runs(upper, kwargs)
        self._draw_scores(lower)
        return self

    def _draw_runs(self, ax: Axes, kwargs: dict[str, Any]) -> None:
        runs = self.ranking.runs
        front = sorted((run.stability, run.performance) for run in self.front.front)
        if not runs:
            ax.text(0.5, 0.5, "no run has both a metric and a σ", ha="center", transform=ax.transAxes)
        elif len(front) > 1:
            ax.step(*zip(*front, strict=True), where="post", color=BLUE, linewidth=1.2, label="Pareto front")
        best = {run.name for run in self.front.front}
        for place, run in reversed(list(enumerate(runs))):
            color = BLUE if run.name in best else GREY
            size = 6 if place < MOST_ROWS else 3
            look = line_style(kwargs, color=color, marker="o", linestyle="none", markersize=size)
            ax.plot(run.stability, run.performance, **look)
        self._label_runs(ax)
        ax.margins(0.12)
        sigmas = [run.stability for run in runs] or [0.0]
        if 0 < _LOG_FROM * min(sigmas) <= max(sigmas):
            log_axis(ax, "x")
        else:
            ax.xaxis.set_major_locator(MaxNLocator(4))
        ax.grid(alpha=0.25)
        if len(front) > 1:
            add_legend(ax)
        self._number(ax)

    def _label_runs(self, ax: Axes) -> None:
        performance = "best " + shared_name(run.watched for run in self.summaries)
        ax.set_ylabel(escape_label(wrap(performance, _UP)), fontsize=9)
        loss = shared_name(run.watched_loss for run in self.summaries)
        windows = {run.window for run in self.summaries}
        last = f"last {windows.pop()} values" if len(windows) == 1 else "each over its own window"
        ax.set_xlabel(wrap(f"σ of the {loss}, {last}\n← calm, restless →", _ALONG), fontsize=9)

    def _number(self, ax: Axes) -> None:
        """The place in the ranking beside each point, where it covers no other number."""
        shown = self.ranking.runs[:MOST_ROWS]
        if not shown:
            return
        points = ax.transData.transform([(run.stability, run.performance) for run in shown])
        offsets = label_offsets(points * 72 / self.figure_.dpi, _NUMBER_SIZE)
        for place, (run, offset) in enumerate(zip(shown, offsets, strict=True), start=1):
            ax.annotate(
                str(place),
                (run.stability, run.performance),
                offset,
                textcoords="offset points",
                ha="center",
                va="center",
                fontsize=8,
                arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.6, "shrinkB": 2},
            )

    def _draw_scores(self, ax: Axes) -> None:
        best = {run.name for run in self.front.front}
        labels, notes = [], []
        for place, run in enumerate(self.ranking.runs[:MOST_ROWS]):
            score = self.ranking.scores[run.name]
            ax.barh(place, score, color=BLUE if run.name in best else GREY, alpha=0.5, height=0.7)
            labels.append(escape_label(f"{place + 1}  {abbreviate(run.name)}"))
            notes.append(f"{number(score)}: {number(run.performance)}, σ {number(run.stability)}")
        for name, why in list(self.ranking.excluded.items())[: MOST_ROWS - len(labels)]:
            labels.append(escape_label(abbreviate(name)))
            notes.append(escape_label(textwrap.shorten(f"no score: {why}", 46, placeholder=" …")))
        if len(self.summaries) > MOST_ROWS:
            labels.append(f"and {len(self.summaries) - MOST_ROWS} more")
            notes.append("")
        for place, note in enumerate(notes):
            ax.text(0.01, place, note, va="center", fontsize=8, color=BLACK)
        ax.set_yticks(np.arange(len(labels)), labels, fontsize=8)
        ax.set_ylim(len(labels) - 0.5, -0.5)
        ax.set_xlim(0, sum(self.ranking.weights))
        performance, stability = self.ranking.weights
        shares = f"{performance:g} of performance, {stability:g} of stability"
        ax.set_xlabel(f"combined score:\n{shares},\neach within the range of these runs", fontsize=9)


def label_offsets(points: Any, size: float) -> list[tuple[float, float]]:
    """Where a number may stand beside each point, so that it covers neither a number before nor a point.

    Args:
        points: `(n, 2)`, in points of print.
        size: The room a number needs, in points of print.

    Returns:
        An offset for each; where all places are taken, the one furthest out.

    >>> label_offsets([(0.0, 0.0), (0.0, 10.0)], 8.0)
    [(10.0, 0.0), (0.0, 10.0)]
    """
    points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    taken = [tuple(point) for point in points]
    offsets = []
    for x, y in points:
        free = (
            (right, up)
            for right, up in _PLACES
            if all(max(abs(x + right - a), abs(y + up - b)) >= size * 0.75 for a, b in taken)
        )
        offset = next(free, _PLACES[-1])
        taken.append((x + offset[0], y + offset[1]))
        offsets.append((float(offset[0]), float(offset[1])))
    return offsets
