"""The picture of whether a predicted probability is a probability."""

from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from unetdyn._plotting import BLUE, GREY
from unetdyn.analysis.result import interval, number
from unetdyn.evaluation import Calibration, Evaluation
from unetdyn.report.drawing import Display, line_style, panel_title


class CalibrationDisplay(Display):
    """The share of object pixels over the mean probability, bin by bin; below it, how many pixels each bin holds.

    On the diagonal, of the pixels with a probability of 0.8 eight of ten are object. Below it the model is too sure of
    the object, above it not sure enough.

    In a notebook the object shows its picture.

    Args:
        calibration: From `unetdyn.evaluation.calibration`, or `Evaluation.calibration`.
        of: Which sections, for the title; may be empty.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes, `reliability` and `pixels`.
        ax_: The upper one.

    Example:
        >>> from unetdyn.evaluation import calibration
        >>> p = np.linspace(0, 1, 100).reshape(4, 5, 5)
        >>> display = CalibrationDisplay(calibration(p, p > 0.5), of="test").plot()
        >>> display.ax_.get_ylabel()
        'share of object pixels'
    """

    def __init__(self, calibration: Calibration, of: str) -> None:
        self.calibration, self.of = calibration, of

    @classmethod
    def from_evaluation(cls, evaluation: Evaluation, of: str = "") -> "CalibrationDisplay":
        """The picture of an evaluation.

        Args:
            evaluation: From `unetdyn.evaluation.evaluate_sections`.
            of: Which sections, for the title; default none.
        """
        return cls(evaluation.calibration, of)

    def plot(self, axes: Any = None, **kwargs: Any) -> "CalibrationDisplay":
        """Draw.

        Args:
            axes: Two, the upper first; default: a new figure, which no pyplot window owns.
            **kwargs: How the curve is drawn, as for matplotlib's `plot`.

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If `axes` aren't two.
        """
        ratio = {"gridspec_kw": {"height_ratios": (3, 1)}, "sharex": True}
        upper, lower = self._several_axes(axes, ("reliability", "pixels"), 4.4, **ratio)
        found = self.calibration
        mean_p, share, pixels = (np.asarray(part, dtype=float) for part in (found.mean_p, found.share, found.pixels))
        upper.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--", label="calibrated")
        look = line_style(kwargs, color=BLUE, marker="o", markersize=4, linewidth=1.4, label="the model")
        filled = pixels > 0
        upper.plot(mean_p[filled], share[filled], **look)
        upper.set_ylabel("share of object pixels")
        upper.set_ylim(-0.02, 1.02)
        upper.grid(alpha=0.25)
        upper.legend(fontsize=8, loc="upper left", framealpha=0.8, edgecolor="none")
        panel_title(upper, self._title())
        edges = np.asarray(found.edges)
        lower.bar(edges[:-1], pixels, width=np.diff(edges), align="edge", color=GREY, edgecolor="white", linewidth=0.5)
        lower.set_yscale("log")
        lower.set_ylim(bottom=0.5)
        lower.set_ylabel("pixels")
        lower.set_xlabel("predicted probability, mean of the bin")
        lower.set_xlim(0, 1)
        lower.xaxis.set_major_locator(MaxNLocator(5))
        return self

    def _title(self) -> str:
        ece, brier = self.calibration.ece, self.calibration.brier
        said = f" ({interval(ece.low, ece.high)})" if ece.determined else ""
        where = f"{self.of}, " if self.of else ""
        return f"ECE {number(ece.value)}{said}, Brier score {number(brier.value)}\n{where}n = {ece.n}"
