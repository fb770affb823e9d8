"""The picture of a few sections with what a model makes of them: a contact sheet, or the sections that score worst."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from unetdyn._plotting import (
    FALSE_NEGATIVE,
    FALSE_POSITIVE,
    ORANGE,
    SKY,
    TRUE_POSITIVE,
    error_colours,
)
from unetdyn.evaluation.section_pictures import NOT_COUNTED, SectionPictures
from unetdyn.report.drawing import WIDTH, Display, abbreviate, escape_label, line_style

_LEGEND = 0.5  # inches of its two lines; in a report's narrower pictures, they are two thirds as high


class SectionsDisplay(Display):
    """Sections below each other: the image with the outline of the prediction, and the probability beside it.

    Where masks are known, the image has the outline of the mask too, and a third column the errors: false positives in
    vermilion, false negatives in blue, what is right in grey. Pixels without a label are white there.

    In a notebook the object shows its picture.

    Args:
        image: `(sections, height, width, channels)`, whole numbers from 0 to 255, 1 channel or 3.
        probability: `(sections, height, width)`, in [0, 1].
        name: Of each section; where its Jaccard index is known, that is what its text ends with.
        threshold: A probability above it is object.
        mask: `(sections, height, width)`: 0, 1, and 255 where nothing is counted; None (default): not known.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes by section (from 0) and column, such as `0 errors`.
        ax_: The first of them.

    Example:
        >>> p = np.array([[[0.9, 0.1], [0.2, 0.3]]])
        >>> display = SectionsDisplay(np.zeros((1, 2, 2, 1)), p, ["s012"], 0.5).plot()
        >>> list(display.axes_), display.ax_.get_ylabel()
        (['0 image', '0 probability'], 's012')
    """

    keeps_shape = True

    def __init__(
        self,
        image: ArrayLike,
        probability: ArrayLike,
        name: Sequence[str],
        threshold: float,
        mask: ArrayLike | None = None,
    ) -> None:
        self.image, self.probability = np.asarray(image), np.asarray(probability)
        self.name, self.threshold = name, threshold
        self.mask = None if mask is None else np.asarray(mask)

    @classmethod
    def from_pictures(cls, found: SectionPictures, threshold: float) -> "SectionsDisplay":
        """The picture of the sections that score worst.

        Args:
            found: `RunEvaluation.pictures`.
            threshold: The evaluation's.
        """
        scored = zip(found.name, found.score, strict=True)
        names = [f"{abbreviate(name)}\nJaccard {score:.2f}" for name, score in scored]
        return cls(found.image, found.probability, names, threshold, found.mask)

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: object) -> "SectionsDisplay":
        """Draw.

        Args:
            axes: One for each section and column, row by row; default: a new figure, which no pyplot window owns.
            **kwargs: How the outlines are drawn: `linewidth`, `alpha`, `color`.

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If `axes` isn't one for each.
        """
        columns = ("image", "probability") if self.mask is None else ("image", "probability", "errors")
        panels = [f"{row} {column}" for row in range(len(self.image)) for column in columns]
        given = axes is not None
        found = self._several_axes(axes if given else self._new_axes(len(columns)), panels, 0.0)
        for place, ax in enumerate(found):
            row, column = divmod(place, len(columns))
            ax.set_xticks([])
            ax.set_yticks([])
            self._draw(ax, row, columns[column], kwargs)
            if not row:
                ax.set_title(columns[column], fontsize=8, pad=3)
            if not column:
                ax.set_ylabel(escape_label(str(self.name[row])), fontsize=7)
        if not given:
            self._add_legend(found, len(columns))
        return self

    def _draw(self, ax: Axes, row: int, column: str, kwargs: dict[str, object]) -> None:
        predicted = self.probability[row] > self.threshold
        if column == "image":
            image = self.image[row]
            ax.imshow(image if image.shape[-1] == 3 else image[..., 0], cmap="gray", vmin=0, vmax=255)
            if self.mask is not None:
                _outline(ax, self.mask[row] == 1, kwargs, color=SKY)
            _outline(ax, predicted, kwargs, color=ORANGE)
        elif column == "probability":
            ax.imshow(self.probability[row], cmap="magma", vmin=0.0, vmax=1.0)
        elif self.mask is not None:
            counted = self.mask[row] != NOT_COUNTED
            ax.imshow(error_colours(self.mask[row] == 1, predicted & counted))

    def _new_axes(self, columns: int) -> list[Axes]:
        rows, height, width = self.probability.shape
        side = (WIDTH - 0.5) / columns
        tall = rows * (side * height / width + 0.05) + 1.0
        room = _LEGEND / tall
        close = ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.04, wspace=0.01, hspace=0.01, rect=(0, room, 1, 1 - room))
        figure = Figure(figsize=(WIDTH, tall), layout=close)
        FigureCanvasAgg(figure)  # as of `drawing.new_axes`
        return figure.subplots(rows, columns, squeeze=False).ravel().tolist()

    def _add_legend(self, axes: Sequence[Axes], columns: int) -> None:
        """Below all: what the outlines and the colours of the errors say, and which probability has which."""
        figure = axes[0].figure
        assert isinstance(figure, Figure)
        meant = {f"predicted, above {self.threshold:.3g}": (ORANGE, True)}
        if self.mask is not None:
            meant |= {"mask": (SKY, True), "true positive": (TRUE_POSITIVE, False)}
            meant |= {"false positive": (FALSE_POSITIVE, False), "false negative": (FALSE_NEGATIVE, False)}
        handles = [
            Patch(facecolor="none" if line else colour, edgecolor=colour if line else "0.5", label=text)
            for text, (colour, line) in meant.items()
        ]
        figure.legend(handles=handles, loc="lower left", ncols=3, fontsize=7, frameon=False, borderaxespad=0.1)
        image = axes[1].images[0]
        bar = figure.colorbar(image, ax=list(axes), location="bottom", shrink=1 / columns, aspect=24, pad=0.01)
        bar.set_ticks([0, 0.5, 1])
        bar.ax.tick_params(labelsize=7, length=2, pad=1)


def _outline(ax: Axes, mask: NDArray[np.bool_], kwargs: dict[str, object], color: str) -> None:
    if mask.any() and not mask.all() and min(mask.shape) > 1:
        look = line_style(dict(kwargs), color=color, linewidth=0.7)
        colors, width = [look.pop("color")], look.pop("linewidth")
        ax.contour(mask.astype(np.float64), levels=[0.5], colors=colors, linewidths=width, **look)
