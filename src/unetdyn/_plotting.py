"""What every picture shares, live or in a report: colours, epoch and log axes, gaps and crosses in a curve."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

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

# Told apart in grey too, by their marks.
TRAINING: dict[str, Any] = {"color": BLUE, "marker": "o", "label": "training"}
VALIDATION: dict[str, Any] = {"color": VERMILION, "marker": "s", "label": "validation"}

FALSE_POSITIVE, FALSE_NEGATIVE, TRUE_POSITIVE = VERMILION, BLUE, "#C8C8C8"
"""Of a segmentation's errors: told apart with every common colour vision, and in grey by their lightness."""

DECADES = 20  # factor between the largest and the smallest loss from which its axis is logarithmic
FEW_DECADES = 200  # up to this factor, a log axis has room for 2 and 5 between the powers of ten


def epoch_axis(ax: Axes, epochs: NDArray[Any]) -> None:
    """Whole epochs from the first to the last, as a person counts them."""
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if len(epochs):
        ax.set_xlim(epochs.min() + 0.5, epochs.max() + 1.5)


def mark_stages(ax: Axes, stages: Iterable[tuple[int, str]], names: bool = True) -> None:
    """A line where each stage of a training begins, left of its first epoch, with its name beside it.

    A loss begins high and ends low: so the first name is written at the bottom, and the others at the top.

    Args:
        ax: Over epochs as a person counts them, from 1.
        stages: First epoch, from 0, and name.
        names: Whether the names are written, or only the lines drawn.
    """
    for place, (epoch, name) in enumerate(stages):
        ax.axvline(epoch + 0.5, color=GREY, linewidth=1.0, linestyle="--", zorder=0.5)
        if names:
            ax.annotate(
                name,
                (epoch + 0.5, 1.0 if place else 0.0),
                xycoords=ax.get_xaxis_transform(),
                xytext=(3, -3 if place else 3),
                textcoords="offset points",
                rotation=90,
                va="top" if place else "bottom",
                fontsize=8,
                color="0.35",
            )


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


def spans_decades(values: NDArray[Any]) -> bool:
    """Whether a loss needs a log axis: on a linear one, a first epoch at 4 makes a flat line of an end around 0.01.

    >>> spans_decades(np.array([2.0, np.nan, 0.1])), spans_decades(np.array([1.9, 0.1])), spans_decades(np.zeros(2))
    (True, False, False)
    """
    finite = values[np.isfinite(values)]
    return bool(finite.size and finite.min() > 0 and finite.max() >= DECADES * finite.min())


def drawable(values: ArrayLike, log: bool = False) -> NDArray[np.float64]:
    """A curve with gaps where it has no height: where it is not finite, and on a log axis where it is not above 0.

    >>> drawable([1.0, np.inf, 0.0]).tolist(), drawable([1.0, np.inf, 0.0], log=True).tolist()
    ([1.0, nan, 0.0], [1.0, nan, nan])
    """
    values = np.asarray(values, dtype=np.float64)
    return np.where(np.isfinite(values) & ((values > 0) | (not log)), values, np.nan)


def draw_epochs(ax: Axes, epochs: NDArray[Any], values: NDArray[Any], height: float = 0.96, **kwargs: Any) -> None:
    """A logged value over the epochs, with crosses in its colour where it is not finite.

    Args:
        ax: Where.
        epochs: `(n,)`, from 0; they are drawn as a person counts them, from 1.
        values: `(n,)`, NaN and infinity allowed.
        height: Of the crosses, as a fraction of the panel's.
        **kwargs: Arguments of matplotlib's `plot`, among them a `label`.
    """
    (line,) = ax.plot(epochs + 1, drawable(values), **kwargs)
    label = f"{line.get_label()} not finite"
    mark_not_finite(ax, epochs[~np.isfinite(values)] + 1, line.get_color(), label, height)


def mark_not_finite(ax: Axes, places: NDArray[Any], color: Any, label: str, height: float = 0.96) -> None:
    """Crosses at the top of the panel, where a curve has no height."""
    mark_off_scale(ax, places, height, color=color, label=label)


def mark_off_scale(
    ax: Axes, places: NDArray[Any], height: float, marker: str = "x", along: str = "x", **kwargs: Any
) -> None:
    """Marks at a fraction of the panel's height (of its width `along="y"`), for what has no place on the axis."""
    if len(places):
        at = np.full(len(places), height)
        across = ax.get_xaxis_transform() if along == "x" else ax.get_yaxis_transform()
        points = (places, at) if along == "x" else (at, places)
        ax.plot(*points, linestyle="none", marker=marker, transform=across, **kwargs)


def error_colours(mask: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A segmentation's errors as a picture: white background, grey object, and in colours what is wrong.

    Args:
        mask: `(..., height, width)`, what is there.
        predicted: The same shape, what was found.

    Returns:
        `(..., height, width, 3)`, in [0, 1].

    Example:
        >>> picture = error_colours(np.array([[True, True, False, False]]), np.array([[True, False, True, False]]))
        >>> from matplotlib.colors import to_hex
        >>> [to_hex(colour) for colour in picture[0]]
        ['#c8c8c8', '#0072b2', '#d55e00', '#ffffff']
    """
    colours = np.array([to_rgb(colour) for colour in ("white", FALSE_POSITIVE, FALSE_NEGATIVE, TRUE_POSITIVE)])
    return colours[predicted + 2 * mask.astype(np.intp)]
