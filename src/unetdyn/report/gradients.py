"""The picture of a training's gradient norms, step by step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

import unetdyn.runs
from unetdyn._plotting import log_axis
from unetdyn.report.drawing import Display, arrays_of, say

# Blue and vermilion of Okabe and Ito (2008), as in HistoryDisplay.
LINE = "#0072B2"
ALARM = "#D55E00"
FAINT = "#999999"


class GradientDisplay(Display):
    """The norm of the gradient at every step, on a log axis, with thresholds and what went wrong first.

    The threshold above which gradients explode is always in view and the region above it is shaded, so that runs can be
    told apart at a glance; the threshold below which they vanish is in view where norms come near it. The first
    explosion and the first spike are marked. Steps whose gradient was not finite leave gaps, with crosses above.

    In a notebook the object shows its picture.

    Args:
        record: `GradientMonitor().record`, or its arrays read from a run.
        blocks: Also a faint line for each block. Default False.

    Attributes:
        record: What was given.
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes.

    Raises:
        ValueError: If `record` lacks what `GradientMonitor` records, or has no steps.

    Example:
        >>> norms = np.array([1.0, 2.0, 20.0, np.nan])
        >>> record = {"step": np.arange(4), "grad_norm": norms, "explode": 10.0, "vanish": 1e-6}
        >>> GradientDisplay(record).plot().ax_.get_yscale()
        'log'
    """

    def __init__(self, record: Mapping[str, Any], blocks: bool = False) -> None:
        missing = [name for name in ("step", "grad_norm") if name not in record]
        if missing:
            raise ValueError(
                "`record` must be what GradientMonitor recorded, with step and grad_norm. "
                f"Received: {', '.join(record)}."
            )
        if not len(record["step"]):
            raise ValueError(
                "`record` must have at least one step. Received: a record from before the first epoch's end."
            )
        self.record = record
        self.blocks = blocks

    @classmethod
    def from_run(cls, run: "unetdyn.runs.Run | str | Path", name: str = "gradient", **kwargs: Any) -> "GradientDisplay":
        """The picture of a run directory.

        Args:
            run: An open run, or the path of one.
            name: The monitor's name.
            **kwargs: `blocks` as above.
        """
        return cls(arrays_of(run, name), **kwargs)

    def plot(self, ax: Axes | None = None) -> "GradientDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        ax = self._axes(ax)
        steps, norms = np.asarray(self.record["step"]), np.asarray(self.record["grad_norm"], dtype=np.float64)
        self._draw_thresholds(ax, norms)
        if self.blocks:
            self._draw_blocks(ax, steps)
        ax.plot(steps, _drawable(norms), color=LINE, linewidth=0.9, label="gradient norm")
        ax.set_yscale("log")
        self._ring(ax, norms > self._explode, "s", "first explosion")
        self._ring(ax, np.asarray(self.record.get("spike", []), dtype=bool), "o", "first spike")
        self._mark_not_finite(ax, steps, norms)
        say(ax, self._summary(norms))
        ax.set_xlabel("step")
        ax.set_ylabel("gradient norm, before clipping")
        ax.set_xlim(steps[0] - 0.5, steps[-1] + 0.5)
        log_axis(ax)
        ax.grid(alpha=0.25)
        ax.legend(loc="best", fontsize=8, framealpha=0.8, edgecolor="none")
        return self

    @property
    def _explode(self) -> float:
        """The monitor's threshold; infinite where it has none, so that nothing counts as an explosion."""
        return float(self.record.get("explode", np.inf))

    def _draw_thresholds(self, ax: Axes, norms: NDArray[np.float64]) -> None:
        drawn = _drawable(norms)
        drawn = drawn[np.isfinite(drawn)]
        low, high = (drawn.min(), drawn.max()) if len(drawn) else (1.0, 1.0)
        explode, vanish = self._explode, self.record.get("vanish")
        if np.isfinite(explode):
            high = max(high, explode)
            ax.axhline(explode, color=ALARM, linestyle="--", linewidth=1, label=f"exploding > {explode:g}")
            ax.axhspan(explode, high * 1e3, color=ALARM, alpha=0.12, linewidth=0)
        if vanish is not None and low < 100 * float(vanish):
            low = min(low, float(vanish))
            ax.axhline(float(vanish), color=ALARM, linestyle=":", linewidth=1, label=f"vanishing < {float(vanish):g}")
        ax.set_ylim(low / 2, high * 3)

    def _draw_blocks(self, ax: Axes, steps: NDArray[Any]) -> None:
        """Faint lines, all in view but for their lowest moments."""
        bottom, top = ax.get_ylim()
        for values in self.record.get("block_grad_norm", {}).values():
            drawn = _drawable(values)
            ax.plot(steps, drawn, color=FAINT, linewidth=0.5, alpha=0.5)
            if np.isfinite(drawn).any():
                bottom = min(bottom, float(np.nanpercentile(drawn, 5)) / 2)
        ax.set_ylim(bottom, top)

    def _ring(self, ax: Axes, found: NDArray[np.bool_], marker: str, what: str) -> None:
        """Ring the first of the steps found, and say how many there are."""
        where = np.flatnonzero(found)
        if len(where):
            step, norm = self.record["step"][where[0]], self.record["grad_norm"][where[0]]
            label = f"{what}: step {step}" + (f", {len(where)} in all" if len(where) > 1 else "")
            top = ax.get_ylim()[1]
            height = min(float(norm), top)  # an infinite norm has its ring at the edge
            ax.plot(step, height, marker, color=ALARM, markersize=11, markerfacecolor="none", label=label)

    def _mark_not_finite(self, ax: Axes, steps: NDArray[Any], norms: NDArray[np.float64]) -> None:
        """Crosses at the top of the panel, where the curve has no height."""
        bad = steps[~np.isfinite(norms)]
        if len(bad):
            label = f"not finite at {len(bad)} steps, first {bad[0]}"
            ax.plot(bad, np.full(len(bad), 0.96), "x", color="black", label=label, transform=ax.get_xaxis_transform())

    def _summary(self, norms: NDArray[np.float64]) -> str:
        finite = norms[np.isfinite(norms)]
        if not len(finite):
            return "no finite gradient"
        text = f"median {np.median(finite):.3g}, largest {finite.max():.3g}"
        if np.isfinite(self._explode):
            text += f"; above {self._explode:g} at {(norms > self._explode).sum()} of {len(norms)} steps"
        return text


def _drawable(norms: Any) -> NDArray[np.float64]:
    """A log axis has no place for zeros; they are drawn as gaps, as what is not finite."""
    norms = np.asarray(norms, dtype=np.float64)
    return np.where(np.isfinite(norms) & (norms > 0), norms, np.nan)
