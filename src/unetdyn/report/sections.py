"""The picture of a few sections with what a model makes of them: a contact sheet, or the sections that score worst."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
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

_LEGEND = 0.85  # inches of the scale and two lines; in a report's narrower pictures, they are two thirds as high
_TITLES, _LABELS, _GAP = 0.25, 0.4, 0.07  # inches above, left of, and between the panels


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
        side = (WIDTH - _LABELS - columns * _GAP) / columns
        tall = rows * (side * height / width + _GAP) + _TITLES + _LEGEND
        # No layout is solved for: a solver's would vary by rounding from one drawing to the next.
        figure = Figure(figsize=(WIDTH, tall))
        FigureCanvasAgg(figure)  # as of `drawing.new_axes`
        axes = figure.subplots(rows, columns, squeeze=False)
        figure.subplots_adjust(
            left=_LABELS / WIDTH,
            right=1 - _GAP / WIDTH,
            bottom=_LEGEND / tall,
            top=1 - _TITLES / tall,
            wspace=_GAP / side,
            hspace=_GAP / (side * height / width),
        )
        return axes.ravel().tolist()

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
        below, (height, width) = axes[1 - columns], self.probability.shape[1:]
        side = (WIDTH - _LABELS - columns * _GAP) / columns * height / width
        bar = figure.colorbar(
            below.images[0], cax=below.inset_axes((0.0, -0.16 / side, 1.0, 0.08 / side)), orientation="horizontal"
        )
        bar.set_ticks([0, 0.5, 1], labels=["0", "0.5", "1"], fontsize=7)
        bar.ax.tick_params(length=2, pad=1)


def _outline(ax: Axes, mask: NDArray[np.bool_], kwargs: dict[str, object], color: str) -> None:
    if mask.any() and not mask.all() and min(mask.shape) > 1:
        look = line_style(dict(kwargs), color=color, linewidth=0.7)
        colors, width = [look.pop("color")], look.pop("linewidth")
        ax.contour(mask.astype(np.float64), levels=[0.5], colors=colors, linewidths=width, **look)
