"""The picture of a few sections with what a model makes of them: a contact sheet, or the sections that score worst."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from numpy.typing import ArrayLike

from unetdyn._plotting import ORANGE, SKY, error_colours
from unetdyn.evaluation.section_pictures import NOT_COUNTED, SectionPictures
from unetdyn.report.drawing import Display, abbreviate, escape_label
from unetdyn.report.image_grid import ImageGrid, draw_image, draw_outline, draw_probability, error_patches


class SectionsDisplay(Display):
    """Sections below each other: the image with the outline of the prediction, and the probability beside it.

    Where masks are known, the image has the outline of the mask too, and a third column the errors: false positives in
    vermilion, false negatives in blue, what is right in grey. Pixels without a label are white there.

    In a notebook the object shows its picture.

    Args:
        image: `(sections, height, width, channels)`, whole numbers from 0 to 255, 1 channel or 3.
        probability: `(sections, height, width)`, in [0, 1].
        name: Of each section, one line or two; a long line is abbreviated.
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
        names = [f"{name}\nJaccard {score:.2f}" for name, score in scored]
        return cls(found.image, found.probability, names, threshold, found.mask)

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: Any) -> "SectionsDisplay":
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
        below = 0.7 if self.mask is None else 0.95  # of one or two lines of the legend
        size = len(self.image), len(columns)
        grid = ImageGrid(*size, self.probability.shape[1:], above=0.3, between=0.05, below=below)
        found = self._several_axes(axes if given else grid.axes(), panels, 0.0)
        for place, ax in enumerate(found):
            row, column = divmod(place, len(columns))
            ax.set_xticks([])
            ax.set_yticks([])
            self._draw(ax, row, columns[column], kwargs)
            if not row:
                ax.set_title(columns[column], fontsize=8, pad=3)
            if not column:
                name = "\n".join(map(abbreviate, str(self.name[row]).split("\n")))
                ax.set_ylabel(escape_label(name), fontsize=7)
        if not given:
            grid.add_scale(found[1 - len(columns)], 0.08)
            self._add_legend()
        return self

    def _draw(self, ax: Axes, row: int, column: str, kwargs: dict[str, Any]) -> None:
        predicted = self.probability[row] > self.threshold
        if column == "image":
            draw_image(ax, self.image[row])
            if self.mask is not None:
                draw_outline(ax, self.mask[row] == 1, kwargs, SKY)
            draw_outline(ax, predicted, kwargs, ORANGE)
        elif column == "probability":
            draw_probability(ax, self.probability[row])
        elif self.mask is not None:
            counted = self.mask[row] != NOT_COUNTED
            ax.imshow(error_colours(self.mask[row] == 1, predicted & counted))

    def _add_legend(self) -> None:
        """Below all: what the outlines and the colours of the errors say."""
        outlines = {f"predicted, above {self.threshold:.3g}": ORANGE} | ({} if self.mask is None else {"mask": SKY})
        handles = [Patch(facecolor="none", edgecolor=colour, label=text) for text, colour in outlines.items()]
        handles += [] if self.mask is None else error_patches()
        self.figure_.legend(handles=handles, loc="lower left", ncols=3, fontsize=7, frameon=False, borderaxespad=0.1)
