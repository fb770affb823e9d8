"""Images in rows and columns, and what is drawn on them: outlines of masks, errors, probabilities and their scale."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from unetdyn._plotting import FALSE_NEGATIVE, FALSE_POSITIVE, TRUE_POSITIVE
from unetdyn.report.drawing import WIDTH, line_style

_LEFT, _GAP = 0.55, 0.05  # inches left of the panels, which is two lines, and between columns and right of them


@dataclass(frozen=True)
class ImageGrid:
    """Panels of one size in a figure of their own, placed in inches.

    No layout is solved for: a solver's varies by rounding from one drawing to the next. The margins have room for their
    text also in a report, whose pictures are two thirds as wide and high while letters keep their size.

    Attributes:
        rows: How many.
        columns: How many.
        shape: Height and width of an image, in pixels.
        above: Inches for titles.
        between: Inches between rows.
        below: Inches for scale and legend.

    Example:
        >>> axes = ImageGrid(2, 3, (64, 128), above=0.3, between=0.05, below=0.5).axes()
        >>> [round(float(length), 3) for length in axes[0].figure.get_size_inches()]
        [7.5, 3.117]
    """

    rows: int
    columns: int
    shape: tuple[int, ...]
    above: float
    between: float
    below: float

    @property
    def panel(self) -> tuple[float, float]:
        """Height and width of a panel, in inches."""
        width = (WIDTH - _LEFT - self.columns * _GAP) / self.columns
        return width * self.shape[0] / self.shape[1], width

    def axes(self) -> list[Axes]:
        """Those of a new figure, which no pyplot window owns, row by row."""
        height, width = self.panel
        tall = self.above + self.rows * height + (self.rows - 1) * self.between + self.below
        figure = Figure(figsize=(WIDTH, tall))
        FigureCanvasAgg(figure)  # as of `drawing.new_axes`
        axes = figure.subplots(self.rows, self.columns, squeeze=False)
        figure.subplots_adjust(
            left=_LEFT / WIDTH,
            right=1 - _GAP / WIDTH,
            bottom=self.below / tall,
            top=1 - self.above / tall,
            wspace=_GAP / width,
            hspace=self.between / height,
        )
        return axes.ravel().tolist()

    def add_scale(self, ax: Axes, gap: float) -> None:
        """Which probability has which colour, so many inches below a panel with probabilities."""
        height, _ = self.panel
        place = ax.inset_axes((0.0, -(gap + 0.08) / height, 1.0, 0.08 / height))
        bar = ax.figure.colorbar(ax.images[0], cax=place, orientation="horizontal")
        bar.set_ticks([0, 0.5, 1], labels=["0", "0.5", "1"], fontsize=7)
        bar.ax.tick_params(length=2, pad=1)


def draw_image(ax: Axes, image: NDArray[Any]) -> None:
    """`(height, width, channels)`, from 0 to 255, 1 channel or 3."""
    ax.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=255)


def draw_probability(ax: Axes, probability: NDArray[Any], **kwargs: Any) -> None:
    """In the colours of the scale; `kwargs` are those of `imshow`."""
    ax.imshow(probability, cmap="magma", vmin=0.0, vmax=1.0, **kwargs)


def draw_outline(ax: Axes, mask: NDArray[np.bool_], kwargs: dict[str, Any], color: str) -> None:
    """Around the object, as `kwargs` of a line say; nothing and everything have none."""
    if mask.any() and not mask.all() and min(mask.shape) > 1:
        look = line_style(kwargs, color=color, linewidth=0.7)
        colors, width = [look.pop("color")], look.pop("linewidth")
        ax.contour(mask.astype(np.float64), levels=[0.5], colors=colors, linewidths=width, **look)


def error_patches() -> list[Patch]:
    """For a legend: what the colours of `error_colours` say."""
    meant = {"true positive": TRUE_POSITIVE, "false positive": FALSE_POSITIVE, "false negative": FALSE_NEGATIVE}
    return [Patch(facecolor=colour, edgecolor="0.5", label=text) for text, colour in meant.items()]
