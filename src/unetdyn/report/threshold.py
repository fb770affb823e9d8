"""The picture of what the threshold does to a segmentation's scores."""

import math
from typing import Any

from matplotlib.axes import Axes

from unetdyn._plotting import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE
from unetdyn.analysis import ThresholdCurve, threshold_curve
from unetdyn.report.drawing import Display, add_legend, line_style, panel_title

# Name of the score, colour, line: told apart in grey too.
SCORES = (
    ("jaccard", BLUE, "-"),
    ("dice", GREEN, "--"),
    ("precision", ORANGE, "-."),
    ("recall", PURPLE, ":"),
)


class ThresholdDisplay(Display):
    """Jaccard, Dice, precision and recall over all thresholds, with the best threshold and its interval.

    The shaded stretch is the interval of the best threshold, the dashed vertical the threshold in use. Where the
    Jaccard is flat between the two, the choice does not matter; where few pixels lie near the threshold, neither does
    a small change of the weights.

    In a notebook the object shows its picture.

    Args:
        curve: From `unetdyn.analysis.threshold_curve`.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes.

    Example:
        >>> import numpy as np
        >>> y_true, p = np.array([[0, 0, 1, 1]]), np.array([[0.1, 0.4, 0.35, 0.8]])
        >>> ThresholdDisplay.from_predictions(y_true, p).plot().ax_.get_xlabel()
        'threshold on the predicted probability'
    """

    def __init__(self, curve: ThresholdCurve) -> None:
        self.curve = curve

    @classmethod
    def from_predictions(cls, y_true: Any, p: Any, **kwargs: Any) -> "ThresholdDisplay":
        """The picture of masks and predicted probabilities.

        Args:
            y_true: Masks of 0 and 1, of the shape of `p`; see `unetdyn.analysis.threshold_curve`.
            p: Probabilities.
            **kwargs: Further arguments of `threshold_curve`.
        """
        return cls(threshold_curve(y_true, p, **kwargs))

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> "ThresholdDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.
            **kwargs: How the four scores are drawn, as for matplotlib's `plot`: `linewidth`, `alpha`, …

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        ax = self._one_axes(ax)
        for name, color, style in SCORES:
            label = "Jaccard" if name == "jaccard" else name.capitalize()
            width = 2.2 if name == "jaccard" else 1.4
            look = line_style(kwargs, color=color, linestyle=style, linewidth=width, label=label)
            ax.plot(self.curve.thresholds, getattr(self.curve, name), **look)
        self._mark_thresholds(ax)
        panel_title(ax, self._title())
        ax.set_xlabel("threshold on the predicted probability")
        ax.set_ylabel("score")
        ax.set_xlim(0, 1)
        ax.set_ylim(0, 1.02)
        ax.grid(alpha=0.25)
        add_legend(ax, "lower center", ncols=2)
        return self

    def _mark_thresholds(self, ax: Axes) -> None:
        curve = self.curve
        interval = curve.best_threshold_interval
        if all(map(math.isfinite, interval)):
            label = f"interval of the best, {interval[0]:.2f} to {interval[1]:.2f}"
            ax.axvspan(*interval, color=GREY, alpha=0.3, linewidth=0, zorder=0, label=label)
        if math.isfinite(curve.best_threshold):
            label = f"best Jaccard, at {curve.best_threshold:.2f}"
            ax.plot(curve.best_threshold, curve.best_jaccard, "o", color=BLUE, markersize=9, label=label)
        ax.axvline(curve.threshold, color=BLACK, linewidth=1, linestyle="--", label=f"in use, {curve.threshold:g}")

    def _title(self) -> str:
        curve = self.curve
        if math.isnan(curve.best_threshold):
            return "no object in the masks: no threshold is the best"
        return (
            f"best Jaccard {curve.best_jaccard:.3g} at {curve.best_threshold:.2f}; {curve.jaccard_at_half:.3g} at 0.5\n"
            f"{curve.share_near:.2%} of the pixels lie within ±{curve.epsilon:g} of the threshold {curve.threshold:g}"
        )
