"""The picture of what a model predicts, beside images and masks, and what is wrong with it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

import unetdyn.runs
from unetdyn._checks import check_choice, check_count, check_fraction
from unetdyn._plotting import SKY, error_colours
from unetdyn.analysis.thresholds.flips import jaccard_of
from unetdyn.report.drawing import Display, arrays_of
from unetdyn.report.image_grid import ImageGrid, draw_image, draw_outline, draw_probability, error_patches
from unetdyn.runs.predictions import NAME, Predictions

VIEWS = ("tiles", "epochs", "gates")
EPOCHS = 5  # beside each other; more would be too small to see anything
_TILES = {"tiles": 8, "epochs": 2, "gates": 2}
_COLUMNS = ("image", "mask", "prediction", "errors", "probability")


class PredictionDisplay(Display):
    r"""Tiles below each other, the worst first: image, mask, prediction, errors and probability beside each other.

    Errors: false positives in vermilion, false negatives in blue, what is right in grey. Left of each tile are its
    Jaccard, 1 where mask and prediction are both empty, and why it was chosen. On the images are the outlines of the
    masks.

    With `view="epochs"` the probability over the epochs instead, and with `view="gates"` the maps of the attention
    gates, the coarsest last.

    In a notebook the object shows its picture.

    Args:
        image: `(tiles, height, width, channels)`, whole numbers from 0 to 255, 1 channel or 3.
        mask: `(tiles, height, width)`.
        probability: `(epochs, tiles, height, width)`, in [0, 1]; the last epoch is that of the other columns.
        epoch: `(epochs,)`, from 0.
        label: For each tile, why it was chosen.
        gates: Maps of the attention gates in the last of these epochs, by name, each `(tiles, ..., ...)`; None
            (default) where the model has none.
        view: `"tiles"` (default), `"epochs"` or `"gates"`.
        threshold: A probability above it (`>`) is object. Default 0.5.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes by tile (from 0) and column, such as `0 errors`.
        ax_: The first of them.

    Example:
        >>> mask = np.array([[[True, False], [False, False]]])
        >>> pictures = {"image": np.zeros((1, 2, 2, 1), dtype=np.uint8), "mask": mask}
        >>> display = PredictionDisplay(**pictures, probability=0.9 * mask[None], epoch=[4], label=["hardest"])
        >>> display.plot().axes_["0 image"].get_ylabel(), display.axes_["0 prediction"].get_title()
        ('Jaccard 1.00\nhardest', 'prediction\nepoch 5')
    """

    keeps_shape = True

    def __init__(
        self,
        image: ArrayLike,
        mask: ArrayLike,
        probability: ArrayLike,
        epoch: ArrayLike,
        label: Sequence[str],
        gates: Mapping[str, ArrayLike] | None = None,
        view: str = "tiles",
        threshold: float = 0.5,
    ) -> None:
        check_choice("view", view, VIEWS)
        check_fraction("threshold", threshold, zero=True, one=True)
        self.image, self.mask = np.asarray(image), np.asarray(mask, dtype=bool)
        self.probability, self.epoch = np.asarray(probability), np.asarray(epoch)
        self.label, self.gates, self.view, self.threshold = label, gates, view, threshold

    @classmethod
    def from_predictions(
        cls,
        found: Predictions,
        epoch: int | None = None,
        tiles: int | None = None,
        view: str = "tiles",
        threshold: float = 0.5,
    ) -> "PredictionDisplay":
        """The picture of what was kept.

        Args:
            found: `Run.predictions`, or `PredictionRecorder().predictions`.
            epoch: From 0; None (default) for the best that is kept, and the last where that is not known, or with
                `view="epochs"`, which shows those up to it.
            tiles: How many at most, half of them the worst of this epoch and half of them the best; None (default) for
                8, and for 2, the worst, of the other views.
            view: As of the class.
            threshold: As of the class; what is kept is within 1/512, and on the right side of 0.5.

        Raises:
            ValueError: If nothing is kept of this epoch, no prediction is kept at all, or no gates with
                `view="gates"`.
            RunError: A ValueError: if what is kept is damaged.
        """
        check_choice("view", view, VIEWS)
        check_fraction("threshold", threshold, zero=True, one=True)
        if tiles is not None:
            check_count("tiles", tiles, least=1, unit="tiles")
        if not found.epochs or not all(found.shape):
            raise ValueError(
                "There must be predictions to draw. Received: none; PredictionRecorder keeps them, and says in a "
                "finding where it can't."
            )
        last = found.epochs[-1] if found.best is None or view == "epochs" else found.best
        shown = last if epoch is None else epoch
        if shown not in found.epochs:
            raise ValueError(f"`epoch` must be one that is kept, of {list(found.epochs)}. Received: {epoch}.")
        gates = found.gates(shown)
        if view == "gates" and not gates:
            raise ValueError("`view` can be 'gates' for a model with attention gates only. Received: one without.")
        mask, p = found.mask, found.probability(shown)
        most = _TILES[view] if tiles is None else tiles
        rows = worst_and_best(jaccards(mask, p > threshold), most, best=view == "tiles")
        epochs = chosen_epochs(found.epochs, shown) if view == "epochs" else [shown]
        return cls(
            found.image[rows],
            mask[rows],
            np.stack([found.probability(each)[rows] for each in epochs]),
            np.array(epochs),
            [found.kinds[row] for row in rows],
            {name: alpha[rows] for name, alpha in gates.items()} or None,
            view,
            threshold,
        )

    @classmethod
    def from_record(cls, record: Mapping[str, Any], **kwargs: Any) -> "PredictionDisplay":
        """The picture of what a `PredictionRecorder` recorded.

        Args:
            record: `PredictionRecorder().record`, or its arrays read from a run.
            **kwargs: As of `from_predictions`.

        Raises:
            ValueError: As of `from_predictions`.
        """
        return cls.from_predictions(Predictions.from_record(record), **kwargs)

    @classmethod
    def from_run(cls, run: "unetdyn.runs.Run | str | Path", name: str = NAME, **kwargs: Any) -> "PredictionDisplay":
        """The picture of a run directory.

        Args:
            run: An open run, or the path of one.
            name: The monitor's name.
            **kwargs: As of `from_predictions`.
        """
        return cls.from_record(arrays_of(run, name), **kwargs)

    @classmethod
    def over_epochs(cls, run: "unetdyn.runs.Run | str | Path", **kwargs: Any) -> "PredictionDisplay":
        """The probability over the epochs, of the tiles that are worst in the end: `from_run` with `view="epochs"`.

        Args:
            run: An open run, or the path of one.
            **kwargs: As of `from_run`.
        """
        return cls.from_run(run, view="epochs", **kwargs)

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: Any) -> "PredictionDisplay":
        """Draw.

        Args:
            axes: One for each tile and column, row by row; default: a new figure, which no pyplot window owns.
            **kwargs: How the outlines of the masks are drawn: `linewidth`, `alpha`, `color`.

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If `axes` isn't one for each.
        """
        columns = self._columns()
        panels = [f"{row} {column}" for row in range(len(self.mask)) for column in columns]
        given = axes is not None
        # Under each panel of an epoch is its Jaccard; the other views have titles of two lines.
        above, space = (0.3, 0.22) if self.view == "epochs" else (0.45, 0.05)
        size = len(self.mask), len(columns)
        grid = ImageGrid(*size, self.mask.shape[1:], above=above, between=space, below=0.5 + space)
        found = self._several_axes(axes if given else grid.axes(), panels, 0.0)
        for place, ax in enumerate(found):
            row, column = divmod(place, len(columns))
            ax.set_xticks([])
            ax.set_yticks([])
            self._draw(ax, row, columns[column], kwargs)
            if not row:
                ax.set_title(self._heading(columns[column]), fontsize=7, pad=3)
            if not column:
                score = jaccard_of(self.mask[row], self.probability[-1, row] > self.threshold)
                ax.set_ylabel(f"Jaccard {score:.2f}\n{self.label[row]}", fontsize=7, parse_math=False)
        if not given:
            grid.add_scale(found[-1], 0.05 + space)
            if "errors" in columns:
                look: dict[str, Any] = {"ncols": 3, "fontsize": 7, "frameon": False, "handlelength": 1.2}
                self.figure_.legend(handles=error_patches(), loc="lower left", borderaxespad=0.1, **look)
        return self

    def _columns(self) -> tuple[str, ...]:
        if self.view == "tiles":
            return _COLUMNS
        more = [f"epoch {epoch + 1}" for epoch in self.epoch] if self.view == "epochs" else sorted(self.gates or {})
        return ("image", *more)

    def _heading(self, column: str) -> str:
        """Of a column, with the epoch where that is not the column itself."""
        return f"{column}\nepoch {self.epoch[-1] + 1}" if column in ("prediction", *(self.gates or {})) else column

    def _draw(self, ax: Axes, row: int, column: str, kwargs: dict[str, Any]) -> None:
        mask, latest = self.mask[row], self.probability[-1, row]
        if column == "image":
            draw_image(ax, self.image[row])
            draw_outline(ax, mask, kwargs, SKY)
        elif column in ("mask", "prediction"):
            ax.imshow(mask if column == "mask" else latest > self.threshold, cmap="gray", vmin=0, vmax=1)
        elif column == "errors":
            ax.imshow(error_colours(mask, latest > self.threshold))
        elif column == "probability":
            draw_probability(ax, latest)
        elif self.view == "gates":
            extent = (-0.5, mask.shape[1] - 0.5, mask.shape[0] - 0.5, -0.5)
            draw_probability(ax, np.asarray((self.gates or {})[column])[row], extent=extent)
        else:
            p = self.probability[self._columns().index(column) - 1, row]
            draw_probability(ax, p)
            draw_outline(ax, mask, kwargs, SKY)
            ax.set_xlabel(f"{jaccard_of(mask, p > self.threshold):.2f}", fontsize=7, labelpad=2)


def jaccards(mask: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Of each tile; 1 where mask and prediction are both empty."""
    return np.array([jaccard_of(*pair) for pair in zip(mask, predicted, strict=True)])


def worst_and_best(scores: NDArray[np.float64], most: int, best: bool = True) -> list[int]:
    """Which tiles are shown: the worst first, and where there are too many the worst half and the best half.

    Args:
        scores: Of all tiles.
        most: How many at most.
        best: Whether any of the best are; else the worst only.

    Example:
        >>> worst_and_best(np.array([0.5, 0.1, 0.9, 0.3, 0.7]), 3), worst_and_best(np.array([0.5, 0.1]), 1, best=False)
        ([1, 3, 2], [1])
    """
    order = [int(place) for place in np.argsort(scores, kind="stable")]
    if len(order) <= most:
        return order
    of_best = most // 2 if best else 0
    return order[: most - of_best] + order[len(order) - of_best :]


def chosen_epochs(epochs: Sequence[int], last: int) -> list[int]:
    """Which of those that are kept are shown beside each other: the first, `last`, and others evenly between.

    >>> chosen_epochs([0, 4, 9, 14, 19, 24, 29, 30], 29)
    [0, 9, 14, 19, 29]
    """
    known = [epoch for epoch in epochs if epoch <= last]
    return [known[int(place)] for place in np.unique(np.linspace(0, len(known) - 1, EPOCHS).round())]
