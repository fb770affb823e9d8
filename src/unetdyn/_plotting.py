"""What every picture shares, live or in a report: colours, epoch and log axes, crosses where a curve is not finite."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

# Okabe and Ito (2008): told apart with every common colour vision.
BLUE = "#0072B2"
VERMILION = "#D55E00"
GREEN = "#009E73"
ORANGE = "#E69F00"
PURPLE = "#CC79A7"
SKY = "#56B4E9"
YELLOW = "#F0E442"
GREY = "#999999"
BLACK = "#000000"

FEW_DECADES = 200  # up to this factor, a log axis has room for 2 and 5 between the powers of ten


def epoch_axis(ax: Axes, epochs: NDArray[Any]) -> None:
    """Whole epochs from the first to the last, as a person counts them."""
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if len(epochs):
        ax.set_xlim(epochs.min() + 0.5, epochs.max() + 1.5)


def log_axis(ax: Axes, which: str = "y") -> None:
    """A log axis with its numbers written out, 0.02, 0.05, 0.1; powers of ten alone where there are many.

    To be called when everything is drawn, because it looks at the axis' limits.
    """
    getattr(ax, f"set_{which}scale")("log")
    axis = ax.yaxis if which == "y" else ax.xaxis
    low, high = sorted(axis.get_view_interval())
    few = FEW_DECADES if which == "y" else FEW_DECADES / 8  # labels beside each other need more room
    subs: tuple[float, ...] = (1.0, 2.0, 5.0) if high < few * low else (1.0,)
    if high < 8 * low:
        subs = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.set_minor_formatter(NullFormatter())


def mark_not_finite(ax: Axes, places: NDArray[Any], color: str, label: str, height: float = 0.96) -> None:
    """Crosses at the top of the panel, where a curve has no height."""
    if len(places):
        at = np.full(len(places), height)
        ax.plot(places, at, "x", color=color, label=label, transform=ax.get_xaxis_transform())
