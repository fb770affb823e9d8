"""The picture of a training's gradient norms, step by step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

import unetdyn.runs
from unetdyn._plotting import BLACK, BLUE, GREY, VERMILION, drawable, log_axis, mark_not_finite
from unetdyn.report.drawing import Display, add_legend, arrays_of, line_style, panel_title


class GradientDisplay(Display):
    """The norm of the gradient at every step, on a log axis, with thresholds and what went wrong first.

    The threshold above which gradients explode is always in view and the region above it is shaded, so that runs can be
    told apart at a glance; the threshold below which they vanish is in view where norms come near it. The first
    explosion and the first spike are marked. Steps whose gradient was not finite leave gaps, with crosses above.

    In a notebook the object shows its picture.

    Args:
        step: `(n,)`, numbers of the steps.
        grad_norm: `(n,)`, the norm of the gradient at each; NaN and infinity allowed.
        explode: The norm above which gradients explode; infinite (default) where nothing counts as an explosion.
        vanish: The norm below which they vanish; None (default) for none.
        spike: `(n,)`, whether the step is a spike; default: none is.
        block_grad_norm: Block → `(n,)`, its norms, for a faint line each; default: none.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes.

    Example:
        >>> norms = np.array([1.0, 2.0, 20.0, np.nan])
        >>> record = {"step": np.arange(4), "grad_norm": norms, "explode": 10.0, "vanish": 1e-6}
        >>> GradientDisplay.from_record(record).plot().ax_.get_yscale()
        'log'
    """

    def __init__(
        self,
        step: ArrayLike,
        grad_norm: ArrayLike,
        *,
        explode: float = np.inf,
        vanish: float | None = None,
        spike: ArrayLike = (),
        block_grad_norm: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        self.step = np.asarray(step)
        self.grad_norm = np.asarray(grad_norm, dtype=np.float64)
        self.explode = explode
        self.vanish = vanish
        self.spike = np.asarray(spike, dtype=bool)
        self.block_grad_norm = block_grad_norm

    @classmethod
    def from_record(cls, record: Mapping[str, Any], blocks: bool = False) -> "GradientDisplay":
        """The picture of what a `GradientMonitor` recorded.

        Args:
            record: `GradientMonitor().record`, or its arrays read from a run.
            blocks: Also a faint line for each block. Default False.

        Raises:
            ValueError: If `record` lacks what `GradientMonitor` records, or has no steps.
        """
        if any(name not in record for name in ("step", "grad_norm")):
            raise ValueError(
                "`record` must be what GradientMonitor recorded, with step and grad_norm. "
                f"Received: {', '.join(record)}."
            )
        if not len(record["step"]):
            raise ValueError(
                "`record` must have at least one step. Received: a record from before the first epoch's end."
            )
        return cls(
            record["step"],
            record["grad_norm"],
            explode=float(record.get("explode", np.inf)),
            vanish=float(record["vanish"]) if "vanish" in record else None,
            spike=record.get("spike", ()),
            block_grad_norm=record.get("block_grad_norm") if blocks else None,
        )

    @classmethod
    def from_run(
        cls, run: "unetdyn.runs.Run | str | Path", name: str = "gradient", blocks: bool = False
    ) -> "GradientDisplay":
        """The picture of a run directory.

        Args:
            run: An open run, or the path of one.
            name: The monitor's name.
            blocks: Also a faint line for each block. Default False.
        """
        return cls.from_record(arrays_of(run, name), blocks)

    def plot(self, ax: Axes | None = None, **kwargs: Any) -> "GradientDisplay":
        """Draw.

        Args:
            ax: Where; default: a new figure, which no pyplot window owns.
            **kwargs: How the line of the norm is drawn, as for matplotlib's `plot`: `color`, `linewidth`, …

        Returns:
            The display itself, with `figure_` and `ax_`.
        """
        ax = self._one_axes(ax)
        drawn = drawable(self.grad_norm, log=True)
        self._draw_thresholds(ax, drawn[np.isfinite(drawn)])
        self._draw_blocks(ax)
        ax.plot(self.step, drawn, **line_style(kwargs, color=BLUE, linewidth=0.9, label="gradient norm"))
        ax.set_yscale("log")
        self._ring(ax, self.grad_norm > self.explode, "s", "first explosion")
        self._ring(ax, self.spike, "o", "first spike")
        bad = self.step[~np.isfinite(self.grad_norm)]
        if len(bad):
            mark_not_finite(ax, bad, BLACK, f"not finite at {len(bad)} steps, first {bad[0]}")
        panel_title(ax, self._summary())
        ax.set_xlabel("step")
        ax.set_ylabel("gradient norm, before clipping")
        ax.set_xlim(self.step[0] - 0.5, self.step[-1] + 0.5)
        log_axis(ax)
        ax.grid(alpha=0.25)
        add_legend(ax)
        return self

    def _draw_thresholds(self, ax: Axes, drawn: NDArray[np.float64]) -> None:
        low, high = (drawn.min(), drawn.max()) if len(drawn) else (1.0, 1.0)
        if np.isfinite(self.explode):
            high = max(high, self.explode)
            label = f"exploding > {self.explode:g}"
            ax.axhline(self.explode, color=VERMILION, linestyle="--", linewidth=1, label=label)
            ax.axhspan(self.explode, high * 1e3, color=VERMILION, alpha=0.12, linewidth=0)
        if self.vanish is not None and low < 100 * self.vanish:
            low = min(low, self.vanish)
            label = f"vanishing < {self.vanish:g}"
            ax.axhline(self.vanish, color=VERMILION, linestyle=":", linewidth=1, label=label)
        ax.set_ylim(low / 2, high * 3)

    def _draw_blocks(self, ax: Axes) -> None:
        """Faint lines, all in view but for their lowest moments."""
        bottom, top = ax.get_ylim()
        for values in (self.block_grad_norm or {}).values():
            drawn = drawable(values, log=True)
            ax.plot(self.step, drawn, color=GREY, linewidth=0.5, alpha=0.5)
            if np.isfinite(drawn).any():
                bottom = min(bottom, float(np.nanpercentile(drawn, 5)) / 2)
        ax.set_ylim(bottom, top)

    def _ring(self, ax: Axes, found: NDArray[np.bool_], marker: str, what: str) -> None:
        """Ring the first of the steps found, and say how many there are."""
        where = np.flatnonzero(found)
        if len(where):
            step, norm = self.step[where[0]], self.grad_norm[where[0]]
            label = f"{what}: step {step}" + (f", {len(where)} in all" if len(where) > 1 else "")
            top = ax.get_ylim()[1]
            height = min(float(norm), top)  # an infinite norm has its ring at the edge
            ax.plot(step, height, marker, color=VERMILION, markersize=11, markerfacecolor="none", label=label)

    def _summary(self) -> str:
        norms = self.grad_norm
        finite = norms[np.isfinite(norms)]
        if not len(finite):
            return "no finite gradient"
        text = f"median {np.median(finite):.3g}, largest {finite.max():.3g}"
        if np.isfinite(self.explode):
            text += f"; above {self.explode:g} at {(norms > self.explode).sum()} of {len(norms)} steps"
        return text
