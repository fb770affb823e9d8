"""What the displays with one panel share: a figure of their own, a file, a picture in the notebook."""

import io
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import unetdyn.runs


class Display:
    """Base of the displays that draw one panel with `plot(ax=None)`."""

    figure_: Any
    ax_: Axes

    def plot(self, ax: Axes | None = None) -> "Display":
        """Draw into `ax`, or a new figure; every display has its own."""
        raise TypeError(f"{type(self).__name__} must define `plot`. Received: ax={ax!r}.")

    def save(self, path: str | Path, dpi: int = 120) -> None:
        """Write a PNG, all at once or not at all; draws first where `plot` was not called.

        Args:
            path: A file name that ends in `.png`.
            dpi: Dots an inch.

        Raises:
            ValueError: If `path` has another suffix.
        """
        if Path(path).suffix.lower() != ".png":
            raise ValueError(f"`path` must end in .png. Received: {path}.")
        with unetdyn.runs.replacing(path) as temporary:
            self._drawn().savefig(temporary, format="png", dpi=dpi)

    def _axes(self, ax: Axes | None, height: float = 3.2) -> Axes:
        """The axes to draw into, which become the display's own."""
        if ax is None:
            figure = Figure(figsize=(7.5, height), layout="constrained")
            # A canvas of its own: drawing then never asks pyplot for a window system.
            FigureCanvasAgg(figure)
            ax = figure.subplots()
        self.ax_, self.figure_ = ax, ax.figure
        return ax

    def _drawn(self) -> Any:
        if not hasattr(self, "figure_"):
            self.plot()
        return self.figure_

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self._drawn().savefig(buffer, format="png", dpi=96)
        return buffer.getvalue()


def arrays_of(run: "unetdyn.runs.Run | str | Path", name: str) -> dict[str, Any]:
    """What the monitor `name` recorded in a run, which is open or a path."""
    return (run if isinstance(run, unetdyn.runs.Run) else unetdyn.runs.open(run)).arrays(name)
