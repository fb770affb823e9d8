"""The picture of six numbers that papers call IoU, of one model."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from unetdyn._plotting import BLUE
from unetdyn.evaluation import Evaluation, SixIous
from unetdyn.report.drawing import Display, line_style, panel_title

_LABELS = {
    "object": "object",
    "background": "background",
    "two_class_mean": "mean of both classes",
    "soft": "object, soft",
    "batch_mean": "object, mean of batches",
    "image_mean": "object, mean of sections",
}


class SixIousDisplay(Display):
    """Six definitions of IoU below each other, each with its interval: a reader finds the one that a paper means.

    In a notebook the object shows its picture.

    Args:
        ious: From `unetdyn.evaluation.six_ious`, or `Evaluation.ious`.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes.

    Example:
        >>> from unetdyn.evaluation import six_ious
        >>> masks = np.arange(48).reshape(3, 4, 4) % 3 == 0
        >>> display = SixIousDisplay(six_ious(masks * 0.9, masks)).plot()
        >>> [label.get_text() for label in display.ax_.get_yticklabels()][:2]
        ['object', 'background']
    """

    def __init__(self, ious: SixIous) -> None:
        self.ious = ious

    @classmethod
    def from_evaluation(cls, evaluation: Evaluation) -> "SixIousDisplay":
        """The picture of an evaluation.

        Args:
            evaluation: From `unetdyn.evaluation.evaluate_sections`.
        """
        return cls(evaluation.ious)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> "SixIousDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.
            **kwargs: How the intervals are drawn, as for matplotlib's `plot`.

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        ax = self._one_axes(ax, height=2.6)
        table = self.ious.table()
        for place, (_, estimate, _) in enumerate(table):
            if np.isfinite([estimate.low, estimate.high]).all():
                ax.plot([estimate.low, estimate.high], [place] * 2, **line_style(kwargs, color=BLUE, linewidth=2))
            if np.isfinite(estimate.value):
                ax.plot(estimate.value, place, "o", color=BLUE, markersize=6)
                # Beside the interval, on the side where there is room.
                end = estimate.value if np.isnan(estimate.low) else estimate.low
                ax.annotate(
                    f"{estimate.value:.3f}",
                    (min(end, estimate.value), place),
                    xytext=(-8, 0),
                    textcoords="offset points",
                    ha="right",
                    va="center",
                    fontsize=8,
                )
            else:
                ax.text(0.02, place, "not determined", va="center", fontsize=8, color="0.4")
        ax.set_yticks(range(len(table)), [_LABELS[name] for name, _, _ in table], fontsize=8)
        ax.set_ylim(len(table) - 0.5, -0.5)
        ax.set_xlim(-0.12, 1.02)
        ax.set_xticks(np.linspace(0, 1, 6))
        ax.set_xlabel("IoU")
        ax.grid(axis="x", alpha=0.25)
        panel_title(ax, f"at threshold {self.ious.threshold:.3g}, n = {self.ious.object.n}")
        return self
