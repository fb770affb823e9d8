"""The picture of a threshold that was chosen on some sections, and what it does to others."""

import math
from typing import Any

from matplotlib.axes import Axes

from unetdyn._plotting import BLACK, BLUE, GREY, VERMILION
from unetdyn.analysis import ThresholdCurve
from unetdyn.evaluation import RunEvaluation
from unetdyn.report.drawing import Display, add_legend, line_style, panel_title


class ThresholdChoiceDisplay(Display):
    """The Jaccard over all thresholds, of the sections where the threshold was chosen and of those it is used on.

    The shaded stretch is the interval of the best threshold on validation; the dot is its best Jaccard there, the
    square what the same threshold gives on the other sections. Their own best is no score: nothing was held out of
    that choice.

    In a notebook the object shows its picture.

    Args:
        chosen_on: The curve on which the best threshold was chosen.
        used_on: The curve of the sections that are evaluated, whose `threshold` is the one in use.
        of: Which sections these are.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes.

    Example:
        >>> import numpy as np
        >>> from unetdyn.analysis import threshold_curve
        >>> curve = threshold_curve(np.array([[0, 0, 1, 1]]), np.array([[0.1, 0.4, 0.35, 0.8]]))
        >>> ThresholdChoiceDisplay(curve, curve, "test").plot().ax_.get_ylabel()
        'Jaccard'
    """

    def __init__(self, chosen_on: ThresholdCurve, used_on: ThresholdCurve, of: str) -> None:
        self.chosen_on, self.used_on, self.of = chosen_on, used_on, of

    @classmethod
    def from_evaluation(cls, evaluation: RunEvaluation) -> "ThresholdChoiceDisplay":
        """The picture of a run's evaluation, whose threshold was chosen on validation.

        Args:
            evaluation: From `unetdyn.evaluation.evaluation_of`.

        Raises:
            ValueError: If nothing was evaluated on validation beside it.
        """
        if evaluation.validation is None:
            raise ValueError(
                "`evaluation` must have scores on validation beside those of other sections. Received: one of "
                f"{evaluation.of!r} alone."
            )
        return cls(evaluation.validation.thresholds, evaluation.found.thresholds, evaluation.of)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> "ThresholdChoiceDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.
            **kwargs: How the two curves are drawn, as for matplotlib's `plot`.

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        ax = self._one_axes(ax)
        chosen, used = self.chosen_on, self.used_on
        validation = line_style(kwargs, color=VERMILION, linestyle="--", linewidth=1.6, label="validation")
        ax.plot(chosen.thresholds, chosen.jaccard, **validation)
        ax.plot(used.thresholds, used.jaccard, **line_style(kwargs, color=BLUE, linewidth=1.6, label=self.of))
        if all(map(math.isfinite, chosen.best_threshold_interval)):
            low, high = chosen.best_threshold_interval
            label = f"interval of the best, {low:.2f} to {high:.2f}"
            ax.axvspan(low, high, color=GREY, alpha=0.3, linewidth=0, zorder=0, label=label)
        if math.isfinite(chosen.best_threshold):
            ax.plot(chosen.best_threshold, chosen.best_jaccard, "o", color=VERMILION, markersize=8)
        ax.plot(used.threshold, self._score(), "s", color=BLUE, markersize=7)
        ax.axvline(used.threshold, color=BLACK, linewidth=1, linestyle=":", label=f"in use, {used.threshold:.3g}")
        panel_title(ax, self._title())
        ax.set_xlabel("threshold on the predicted probability")
        ax.set_ylabel("Jaccard")
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1.36)  # with room for the legend above whatever curves there are
        ax.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        ax.grid(alpha=0.25)
        add_legend(ax, "upper left", ncols=2)
        return self

    def _score(self) -> float:
        """Of the threshold in use, which is one of the curve's where it was chosen on such a curve."""
        places = abs(self.used_on.thresholds - self.used_on.threshold)
        return float(self.used_on.jaccard[int(places.argmin())])

    def _title(self) -> str:
        chosen, used = self.chosen_on, self.used_on
        if math.isnan(chosen.best_threshold):
            return "no object in the masks of the validation: no threshold is the best"
        return (
            f"best on validation: {chosen.best_jaccard:.3g} at {chosen.best_threshold:.2f}\n"
            f"{self.of}: {self._score():.3g} at {used.threshold:.3g}; {used.jaccard_at_half:.3g} at 0.5"
        )
