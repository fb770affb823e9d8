"""The picture of the scores of single sections beside those of all together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from unetdyn._plotting import BLACK, BLUE, GREY, VERMILION, drawable, mark_off_scale
from unetdyn.analysis.result import interval, number
from unetdyn.evaluation import Evaluation
from unetdyn.report.drawing import Display, few_points, line_style, panel_title

SCORES = ("jaccard", "hd95", "assd", "nsd", "pq")
"""What is drawn where it is known: an overlap, the boundary's distances, and the objects."""

NAMES = {"jaccard": "Jaccard", "hd95": "HD95", "assd": "ASSD", "nsd": "NSD", "pq": "PQ", "dice": "Dice"}
DISTANCES = ("hd95", "assd", "hausdorff")


class SectionScoresDisplay(Display):
    """A panel for each score: each section in its order, and the score of all with its interval.

    Crosses at the top are infinite distances, of objects that were missed or invented. A section without a score leaves
    a gap.

    In a notebook the object shows its picture.

    Args:
        evaluation: From `unetdyn.evaluation.evaluate_sections`.
        scores: Which; None for Jaccard, HD95 and ASSD, and NSD and PQ where they were asked for.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes by score.
        ax_: The first of them.

    Example:
        >>> from unetdyn.evaluation import evaluate_sections
        >>> masks = np.arange(48).reshape(3, 4, 4) % 3 == 0
        >>> list(SectionScoresDisplay.from_evaluation(evaluate_sections(masks * 0.9, masks)).plot().axes_)
        ['jaccard', 'hd95', 'assd']
    """

    def __init__(self, evaluation: Evaluation, scores: Sequence[str] | None) -> None:
        self.evaluation, self.scores = evaluation, scores

    @classmethod
    def from_evaluation(cls, evaluation: Evaluation, scores: Sequence[str] | None = None) -> "SectionScoresDisplay":
        """The picture of an evaluation.

        Args:
            evaluation: From `unetdyn.evaluation.evaluate_sections`.
            scores: As of the class; default None.
        """
        return cls(evaluation, scores)

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: Any) -> "SectionScoresDisplay":
        """Draw.

        Args:
            axes: One for each score; default: a new figure, which no pyplot window owns.
            **kwargs: How the sections are drawn, as for matplotlib's `plot`.

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If `axes` isn't one for each, or a score is not in the evaluation.
        """
        known = [name for name in self.evaluation.whole if name in self.evaluation.table()[0]]
        shown = list(self.scores) if self.scores is not None else [name for name in SCORES if name in known]
        if unknown := [name for name in shown if name not in known]:
            raise ValueError(f"`scores` must be of {', '.join(known)}. Received: {unknown[0]!r}.")
        found = self._several_axes(axes, shown, 1.3 * len(shown) + 0.6, sharex=True)
        for name, ax in zip(shown, found, strict=True):
            self._draw(ax, name, kwargs)
        found[-1].set_xlabel("section, in its order")
        found[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        return self

    def _draw(self, ax: Axes, name: str, kwargs: dict[str, Any]) -> None:
        values = np.array([row.get(name, np.nan) for row in self.evaluation.table()], dtype=float)
        places = np.arange(len(values)) + 1
        whole = self.evaluation.whole[name]
        if np.isfinite([whole.low, whole.high]).all():
            ax.axhspan(whole.low, whole.high, color=GREY, alpha=0.3, linewidth=0, zorder=0)
        if np.isfinite(whole.value):
            ax.axhline(whole.value, color=BLACK, linewidth=1, linestyle="--")
        marker = few_points("o", values) or "."
        ax.plot(
            places,
            drawable(values),
            **line_style(kwargs, color=BLUE, linestyle="none", linewidth=1, marker=marker, markersize=4),
        )
        mark_off_scale(ax, places[np.isinf(values)], 0.93, color=VERMILION)
        ax.set_xlim(0.5, len(values) + 0.5)
        ax.set_ylabel(NAMES.get(name, name))
        ax.grid(alpha=0.25)
        finite = values[np.isfinite(values)]
        if name in DISTANCES:
            ax.set_ylim(0, 1.25 * max(finite, default=1.0) or 1.0)
        else:
            low = min(finite, default=0.0)
            ax.set_ylim(low - 0.12 * (1.05 - low), 1.05)
        panel_title(ax, self._title(name))

    def _title(self, name: str) -> str:
        whole = self.evaluation.whole[name]
        unit = f" {self.evaluation.unit}" if name in DISTANCES and self.evaluation.unit else ""
        within = f" within {self.evaluation.tolerance:g} {self.evaluation.unit}" if name == "nsd" else ""
        ends = f" ({interval(whole.low, whole.high)})" if whole.determined else ""
        return f"{NAMES.get(name, name)}{within}: {number(whole.value)}{unit}{ends}, n = {whole.n}"
