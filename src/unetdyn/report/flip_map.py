"""The picture of the pixels that cross the threshold again and again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

import unetdyn.runs
from unetdyn._plotting import BLUE, GREEN, ORANGE, SKY, VERMILION, draw_epochs, epoch_axis
from unetdyn.report.drawing import Display, add_legend, arrays_of, few_points, line_style, new_axes, panel_title

IMAGES = 4
_CURVES = (
    ("jaccard", VERMILION, "o", "-", "Jaccard at 0.5"),
    ("best_jaccard", BLUE, "s", "--", "at the best threshold"),
    ("soft_jaccard", GREEN, "D", ":", "soft"),
)
_NEEDED = ("epoch", *(name for name, *_ in _CURVES), "on", "off", "flip_count")


class FlipMapDisplay(Display):
    """Where pixels flip on the probe images, below the Jaccard's curves and the share of pixels that flipped.

    Above: the Jaccard at the threshold 0.5, at the best threshold and the soft one. Where the first jumps and the other
    two are calm, the network has not changed, its threshold is in the wrong place. Next: the share of pixels that went
    above and below the threshold. Below: the images whose pixels flipped most, the brighter the more often, with the
    outlines of the masks in blue. Bright lines along the outlines are boundaries that move a little, which is usual;
    bright regions elsewhere are chronic flippers.

    In a notebook the object shows its picture.

    Args:
        epoch: `(epochs,)`, from 0.
        jaccard: `(epochs,)`, NaN where not measured, as all curves.
        best_jaccard: `(epochs,)`, at the best threshold.
        soft_jaccard: `(epochs,)`.
        on: `(epochs,)`, share of pixels that went above the threshold.
        off: `(epochs,)`, below it.
        flip_count: `(images, height, width)`, how often each pixel flipped.
        target: The masks, of the same shape; None (default) for no outlines.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        axes_: Its axes, `curves`, `rates` and `map`.
        ax_: The first of them.

    Example:
        >>> scores = {"jaccard": [0.2, 0.6], "best_jaccard": [0.5, 0.6], "soft_jaccard": [0.4, 0.5]}
        >>> flips = {"on": [np.nan, 0.25], "off": [np.nan, 0.0], "flip_count": np.array([[[0, 1], [0, 0]]])}
        >>> display = FlipMapDisplay.from_record({"epoch": [0, 1]} | scores | flips)
        >>> list(display.plot().axes_)
        ['curves', 'rates', 'map']
    """

    def __init__(
        self,
        epoch: ArrayLike,
        jaccard: ArrayLike,
        best_jaccard: ArrayLike,
        soft_jaccard: ArrayLike,
        on: ArrayLike,
        off: ArrayLike,
        flip_count: ArrayLike,
        target: ArrayLike | None = None,
    ) -> None:
        self.epoch = np.asarray(epoch)
        self.jaccard = np.asarray(jaccard, dtype=np.float64)
        self.best_jaccard = np.asarray(best_jaccard, dtype=np.float64)
        self.soft_jaccard = np.asarray(soft_jaccard, dtype=np.float64)
        self.on = np.asarray(on, dtype=np.float64)
        self.off = np.asarray(off, dtype=np.float64)
        self.flip_count = np.asarray(flip_count)
        self.target = None if target is None else np.asarray(target, dtype=bool)

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "FlipMapDisplay":
        """The picture of what a `ThresholdFlipMonitor` recorded.

        Args:
            record: `ThresholdFlipMonitor().record`, or its arrays read from a run.

        Raises:
            ValueError: If `record` lacks what `ThresholdFlipMonitor` records, or has no images.
        """
        if any(name not in record for name in _NEEDED):
            raise ValueError(
                f"`record` must be what ThresholdFlipMonitor recorded, with {', '.join(_NEEDED)}. "
                f"Received: {', '.join(record) or 'nothing'}."
            )
        if not np.size(record["flip_count"]):
            raise ValueError(
                "`record` must have at least one image. Received: a record without: no epoch was measured yet, or the "
                "model's outputs are no probabilities of one class, as a message of the monitor says."
            )
        return cls(**{name: record[name] for name in _NEEDED}, target=record.get("target"))

    @classmethod
    def from_run(cls, run: "unetdyn.runs.Run | str | Path", name: str = "flips") -> "FlipMapDisplay":
        """The picture of a run directory.

        Args:
            run: An open run, or the path of one.
            name: The monitor's name.
        """
        return cls.from_record(arrays_of(run, name))

    def plot(self, axes: Sequence[Axes] | None = None, **kwargs: Any) -> "FlipMapDisplay":
        """Draw.

        Args:
            axes: Three axes; default: a new figure, which no pyplot window owns.
            **kwargs: How the curves are drawn, as for matplotlib's `plot`: `linewidth`, `alpha`, …

        Returns:
            The display itself, with `figure_`, `axes_` and `ax_`.

        Raises:
            ValueError: If `axes` isn't three axes.
        """
        tiles, columns = self._tiles()
        if axes is None:
            height = 7.0 * tiles.shape[0] / tiles.shape[1] + 0.5
            axes = new_axes(3, 4.2 + height, height_ratios=(2.4, 1.3, height))
        curves, rates, where = self._several_axes(axes, ("curves", "rates", "map"), 8.0)
        self._draw_curves(curves, kwargs)
        self._draw_rates(rates, kwargs)
        self._draw_map(where, tiles, columns)
        return self

    def _draw_curves(self, ax: Axes, kwargs: dict[str, Any]) -> None:
        for name, color, marker, line, label in _CURVES:
            look = {"color": color, "marker": few_points(marker, self.epoch), "markersize": 4, "linestyle": line}
            values = getattr(self, name)
            known = np.isfinite(values)  # an epoch that the budget left out is no gap
            draw_epochs(ax, self.epoch[known], values[known], **line_style(kwargs, **look, linewidth=1.6, label=label))
        ax.set_ylabel("Jaccard")
        ax.set_ylim(0, 1.02)
        ax.grid(alpha=0.25)
        epoch_axis(ax, self.epoch)
        ax.set_xlabel("")
        panel_title(ax, self._change())
        add_legend(ax)

    def _draw_rates(self, ax: Axes, kwargs: dict[str, Any]) -> None:
        del kwargs
        place = self.epoch + 1
        ax.bar(place, 100 * np.nan_to_num(self.on), width=0.7, color=ORANGE, label="went on")
        ax.bar(place, -100 * np.nan_to_num(self.off), width=0.7, color=BLUE, label="went off")
        ax.axhline(0, color="black", linewidth=0.7)
        ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
        ax.set_ylabel("% of pixels")
        ax.grid(alpha=0.25, axis="y")
        epoch_axis(ax, self.epoch)
        add_legend(ax, ncols=2)

    def _draw_map(self, ax: Axes, tiles: NDArray[np.float64], columns: list[int]) -> None:
        look = colormaps["magma"].with_extremes(bad="white")
        shown = np.ma.masked_invalid(tiles)
        image = ax.imshow(shown, cmap=look, vmin=0, vmax=max(1.0, float(shown.max())), interpolation="nearest")
        if self.target is not None and self._outlined():
            outlines, _ = _mosaic(_flat(self.target)[self._shown()].astype(np.float64))
            ax.contour(outlines, levels=[0.5], colors=[SKY], linewidths=1.0)
        ax.set_xticks(columns, [f"image {index + 1}" for index in self._shown()], fontsize=8)
        ax.set_yticks([])
        ax.tick_params(length=0)
        for side in ax.spines.values():
            side.set_visible(False)
        changes = int(np.isfinite(self.on).sum())
        figure = ax.figure
        assert isinstance(figure, Figure)
        bar = figure.colorbar(image, ax=ax, pad=0.01, aspect=12)
        bar.set_label(f"flips, of {changes} changes", fontsize=8)
        bar.ax.yaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel(self._which(), fontsize=9)
        panel_title(ax, self._where(changes))

    def _outlined(self) -> bool:
        return self.target is not None and bool(self.target.any()) and min(self.target.shape[-2:]) > 1

    def _shown(self) -> NDArray[np.intp]:
        """The images that flipped most, in their own order."""
        flips = self.flip_count.reshape(len(self.flip_count), -1).sum(axis=1, dtype=np.int64)
        return np.sort(np.argsort(-flips, kind="stable")[:IMAGES])

    def _tiles(self) -> tuple[NDArray[np.float64], list[int]]:
        return _mosaic(_flat(self.flip_count)[self._shown()].astype(np.float64))

    def _change(self) -> str:
        """The largest change from one measured epoch to the next."""
        known = np.flatnonzero(np.isfinite(self.jaccard))
        if len(known) < 2:
            return "measured in one epoch: there is no change yet"
        changes = np.diff(self.jaccard[known])
        most = int(np.abs(changes).argmax())
        best = np.diff(self.best_jaccard[known])[most]
        return (
            f"largest change of the Jaccard at 0.5: {changes[most]:+.3f} at epoch {self.epoch[known[most + 1]] + 1}; "
            f"at the best threshold {best:+.3f}"
        )

    def _where(self, changes: int) -> str:
        share = float((self.flip_count > changes / 2).mean()) if changes else 0.0
        return f"{share:.1%} of the pixels flipped at more than half of the changes"

    def _which(self) -> str:
        count = len(self.flip_count)
        which = f"the {IMAGES} with most flips of {count} images" if count > IMAGES else "flips of each pixel"
        return which + ("; masks outlined in blue" if self._outlined() else "")


def _flat(images: NDArray[Any]) -> NDArray[Any]:
    """`(images, height, width)`: of volumes the slice in the middle."""
    while images.ndim > 3:
        images = images[:, images.shape[1] // 2]
    return images


def _mosaic(images: NDArray[np.float64]) -> tuple[NDArray[np.float64], list[int]]:
    """Images beside each other with gaps of NaN, and the column of each one's middle."""
    height, width = images.shape[1:]
    gap = np.full((height, max(1, width // 24)), np.nan)
    parts = [part for image in images for part in (image, gap)][:-1]
    step = width + gap.shape[1]
    return np.concatenate(parts, axis=1), [index * step + width // 2 for index in range(len(images))]
