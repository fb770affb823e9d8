"""Blocks over steps, as colours: where in the network and when."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm
from numpy.typing import NDArray

import unetdyn.runs
from unetdyn._checks import check_choice, check_count
from unetdyn._plotting import VERMILION
from unetdyn.analysis import declarations
from unetdyn.analysis.diagnosis.causes.exploding import EXPLODE
from unetdyn.report.drawing import Display, arrays_of, escape_label, panel_title

COLUMNS = 400
NOT_FINITE = "black"
TOO_LARGE = VERMILION


class Kind(NamedTuple):
    """What is shown: of which monitor, under which key of its record, with which label and colours.

    The limits are fixed, so that two runs can be compared.
    """

    monitor: str
    key: str
    label: str
    colours: str
    limits: tuple[float, float]


_GRADIENT, _UPDATE = declarations.GRADIENT.name, declarations.UPDATE.name
KINDS = {
    "gradient": Kind(_GRADIENT, "block_grad_norm", "gradient norm ‖g‖", "viridis", (1e-4, EXPLODE)),
    "update": Kind(_UPDATE, "update_norm", "update norm ‖Δw‖", "viridis", (1e-5, 1e0)),
    "ratio": Kind(_UPDATE, "update_ratio", "update-to-weight ratio ‖Δw‖/‖w‖", "RdBu_r", (1e-5, 1e-1)),
    "rate": Kind(_UPDATE, "effective_rate", "effective update, radians a step", "RdBu_r", (1e-5, 1e-1)),
}


class BlockHeatmapDisplay(Display):
    """A value of every block at every step, on a logarithmic scale of colours.

    Blocks run from the top in the order of the network, steps from left to right. More than 400 steps are put together
    in bins of equal numbers of steps, each drawn as the median or the largest of its values. A bin in which any value
    is not finite is black: binning never hides it. Steps that updated no weights are left out of updates and ratios.

    Gradients have one scale of colours for all runs, from 1e-4 (white below) to 10 or the monitor's own `explode`
    (vermilion above: exploding); updates one from 1e-5 to 1; ratios another, white at 1e-3 and saturated at 1e-5 (blue:
    hardly learns) and 0.1 (red: thrown about), with the healthy band marked on its scale, and in the title how many of
    the values lie above and below it. So two pictures can be compared.

    In a notebook the object shows its picture.

    Args:
        blocks: Names of the rows.
        edges: `(bins + 1,)`, the steps at which bins begin, and one past the last.
        values: `(blocks, bins)`, what is drawn; NaN where a bin has a value that is not finite.
        kind: `"gradient"`, `"update"` (norms), `"ratio"` (update-to-weight) or `"rate"` (effective rate of
            scale-invariant kernels).
        limits: Least and largest value that colours tell apart; default: see above.
        marks: What is marked on the scale of colours: the healthy band of ratios.
        not_finite: The first step at which any block's value is not finite; None (default) where all are.
        outside: Shares of the finite values, of all blocks and steps, below and above that band; None (default)
            without a band.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes.

    Example:
        >>> record = {"step": np.arange(3), "block_grad_norm": {"enc1": [1.0, 2.0, 3.0], "head": [4.0, 5.0, np.nan]}}
        >>> BlockHeatmapDisplay.from_record(record, columns=2, statistic="max").values.tolist()
        [[2.0, 3.0], [5.0, nan]]
    """

    def __init__(
        self,
        blocks: Sequence[str],
        edges: NDArray[Any],
        values: NDArray[np.float64],
        kind: str = "gradient",
        *,
        limits: tuple[float, float] | None = None,
        marks: Sequence[float] = (),
        not_finite: int | None = None,
        outside: tuple[float, float] | None = None,
    ) -> None:
        self.blocks = blocks
        self.edges = edges
        self.values = values
        self.kind = kind
        self.limits = limits or KINDS[kind].limits
        self.marks = marks
        self.not_finite = not_finite
        self.outside = outside

    @classmethod
    def from_record(
        cls,
        record: Mapping[str, Any],
        kind: str = "gradient",
        *,
        statistic: str = "median",
        limits: tuple[float, float] | None = None,
        columns: int = COLUMNS,
    ) -> "BlockHeatmapDisplay":
        """The picture of what a monitor recorded.

        Args:
            record: The record of a `GradientMonitor` (for `"gradient"`) or an `UpdateMonitor`, or its arrays from a
                run.
            kind: As above.
            statistic: `"median"` (default), what is usual in a bin; `"max"`, so that one spike is seen.
            limits: As above; default: the kind's, or up to the `explode` of the monitor.
            columns: Largest number of bins. Default 400: more would be narrower than a pixel.

        Raises:
            ValueError: If `kind` or `statistic` is unknown, `columns` is not a whole number of 1 or more, or `record`
                has nothing of that kind.
        """
        check_choice("kind", kind, KINDS)
        check_choice("statistic", statistic, ("median", "max"))
        check_count("columns", columns, least=1, unit="bins")
        key = KINDS[kind].key
        if not record.get(key) or not len(record["step"]):
            raise ValueError(f"`record` must have {key} of at least one step and block. Received: {', '.join(record)}.")
        table = np.stack([np.asarray(values, dtype=np.float64) for values in record[key].values()])
        steps = np.asarray(record["step"])
        if kind != "gradient":
            steps, table = _applied(record, steps, table)
        bad = ~np.isfinite(table).all(axis=0)
        marks = [float(record[mark]) for mark in ("low", "high") if kind in ("ratio", "rate") and mark in record]
        return cls(
            list(record[key]),
            *binned(steps, table, statistic, columns),
            kind,
            limits=limits or _limits(record, kind),
            marks=marks,
            not_finite=int(steps[bad][0]) if bad.any() else None,
            outside=_outside(table, marks),
        )

    @classmethod
    def from_run(
        cls, run: "unetdyn.runs.Run | str | Path", kind: str = "gradient", name: str | None = None, **kwargs: Any
    ) -> "BlockHeatmapDisplay":
        """The picture of a run directory.

        Args:
            run: An open run, or the path of one.
            kind: As above.
            name: The monitor's name; default `"gradient"` or `"update"`, as `kind` needs.
            **kwargs: `statistic`, `limits`, `columns` of `from_record`.
        """
        check_choice("kind", kind, KINDS)
        return cls.from_record(arrays_of(run, name or KINDS[kind].monitor), kind, **kwargs)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> "BlockHeatmapDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.
            **kwargs: How the cells are drawn, as for matplotlib's `pcolormesh`: `cmap`, `edgecolors`, …

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        ax = self._one_axes(ax, height=1.2 + 0.24 * max(len(self.blocks), 6))
        ax.set_facecolor(NOT_FINITE)
        look: dict[str, Any] = {"norm": LogNorm(*self.limits), "cmap": _colours(self.kind), "rasterized": True}
        mesh = ax.pcolormesh(
            self.edges,
            np.arange(len(self.blocks) + 1),
            np.ma.masked_invalid(np.maximum(self.values, np.finfo(np.float64).tiny)),
            **(look | kwargs),
        )
        ax.set_yticks(np.arange(len(self.blocks)) + 0.5, [escape_label(block) for block in self.blocks], fontsize=8)
        ax.invert_yaxis()
        ax.set_xlabel("step")
        panel_title(ax, self._title())
        bar = ax.figure.colorbar(mesh, ax=ax, extend="both", pad=0.01)
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        for mark in self.marks:
            bar.ax.axhline(mark, color="black", linewidth=1.2)
        return self

    def _title(self) -> str:
        title = KINDS[self.kind].label
        if self.outside is not None:
            below, above = self.outside
            title += f"; above the band {above:.0%}, below it {below:.0%}"
        return title + ("" if self.not_finite is None else f"; black: not finite, first at step {self.not_finite}")


def binned(
    steps: NDArray[Any], table: NDArray[np.float64], statistic: str, columns: int
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Put steps together so that at most `columns` remain.

    Args:
        steps: `(steps,)`, at least one.
        table: `(blocks, steps)`.
        statistic: `"median"` or `"max"`.
        columns: At most so many bins.

    Returns:
        Edges `(bins + 1,)` and values `(blocks, bins)`; NaN where any value of the bin is not finite. All bins hold the
        same number of steps, but for the last, which may hold fewer.
    """
    size = -(-table.shape[1] // columns)
    starts = np.arange(0, table.shape[1], size)
    reduce = np.median if statistic == "median" else np.max
    parts = [table[:, start : start + size] for start in starts]
    values = [np.where(np.isfinite(part).all(axis=1), reduce(part, axis=1), np.nan) for part in parts]
    return np.append(steps[starts], steps[-1] + 1), np.stack(values, axis=1)


def _applied(
    record: Mapping[str, Any], steps: NDArray[Any], table: NDArray[np.float64]
) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """The steps that updated the weights, of which there must be one."""
    applied = np.asarray(record.get("applied", np.ones(len(steps), bool)))
    if not applied.any():
        raise ValueError(
            "`record` must have a step that updated the weights. "
            f"Received: {len(steps)} steps, all of them skipped: the gradients were not finite, or it is too early."
        )
    return steps[applied], table[:, applied]


def _limits(record: Mapping[str, Any], kind: str) -> tuple[float, float]:
    """The kind's own, but for gradients, whose colours end where the monitor calls them exploding."""
    low, high = KINDS[kind].limits
    explode = float(record.get("explode", np.inf))
    if kind == "gradient" and np.isfinite(explode):  # infinite: nothing counts as an explosion
        return min(low, explode / 10), explode
    return low, high


def _outside(table: NDArray[np.float64], band: list[float]) -> tuple[float, float] | None:
    finite = table[np.isfinite(table)]
    if len(band) < 2 or not len(finite):
        return None
    return float((finite < band[0]).mean()), float((finite > band[1]).mean())


def _colours(kind: str) -> Colormap:
    extremes = {"under": "white"} if kind in ("gradient", "update") else {}
    if kind == "gradient":
        extremes["over"] = TOO_LARGE
    return colormaps[KINDS[kind].colours].with_extremes(bad=NOT_FINITE, **extremes)
