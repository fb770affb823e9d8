"""What pictures of factors share: levels beside each other, runs as dots, and means with their intervals."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy import stats

from unetdyn.analysis.comparison.run_table import in_words
from unetdyn.report.drawing import abbreviate, escape_label, wrap

RESPONSES = {
    "performance": "best {watched}",
    "final": "last {watched}",
    "stability": "σ of the {loss}",
    "coefficient_of_variation": "σ / mean of the {loss}",
    "seconds": "seconds",
}
"""How a response is called on an axis."""

_DOTS = 0.16  # of the way from a level to the next: how far the dots of a level spread to either side


class Scatter(NamedTuple):
    """What runs of equal settings differ by.

    Attributes:
        sd: Standard deviation; NaN where nothing tells it.
        df: Its degrees of freedom.
        confidence: Of the intervals that are drawn with it.
    """

    sd: float
    df: int
    confidence: float = 0.95

    def half_width(self, n: int) -> float:
        """Of the interval of a mean of `n` runs: t · sd / √n; NaN without degrees of freedom.

        >>> round(Scatter(0.02, 10).half_width(4), 4)
        0.0223
        """
        if self.df < 1 or n < 1:
            return float("nan")
        return float(stats.t.isf((1 - self.confidence) / 2, self.df)) * self.sd / float(np.sqrt(n))


def level_axis(ax: Axes, name: str, levels: Sequence[Any]) -> None:
    """The levels of a factor beside each other, with its name below."""
    most = max(6, 60 // max(len(levels), 1))
    labels = [escape_label(wrap(abbreviate(in_words(level), 2 * most), most)) for level in levels]
    ax.set_xticks(range(len(levels)), labels, fontsize=8)
    ax.set_xlim(-0.5, len(levels) - 0.5)
    ax.set_xlabel(escape_label(name.replace("_", " ")), fontsize=9)
    ax.grid(alpha=0.25, axis="y")


def spread(count: int) -> NDArray[np.float64]:
    """How far to the side each dot of a level stands, so that few cover each other: steps of the golden ratio.

    >>> spread(3).round(2).tolist()
    [0.0, -0.12, 0.08]
    """
    return _DOTS * (2 * ((0.5 + np.arange(count) * (np.sqrt(5) - 1) / 2) % 1) - 1)


def draw_mean(ax: Axes, x: float, mean: float, half: float, color: str, label: str | None = None) -> None:
    """A bar of the interval around a mean; nothing where there is none."""
    if np.isfinite(half):
        ax.errorbar(x, mean, half, color=color, capsize=4, linewidth=1.6, fmt="none", label=label, zorder=3)


def finite(groups: Mapping[Any, Sequence[float]]) -> dict[Any, NDArray[np.float64]]:
    """Level → its values that are numbers.

    >>> finite({"a": [0.5, float("nan")]})["a"].tolist()
    [0.5]
    """
    arrays = {level: np.asarray(values, dtype=np.float64) for level, values in groups.items()}
    return {level: values[np.isfinite(values)] for level, values in arrays.items()}
