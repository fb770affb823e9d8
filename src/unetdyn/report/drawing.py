"""What the displays share: colours, a figure of their own, a file, a picture in the notebook."""

import io
import textwrap
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import unetdyn.runs
from unetdyn.analysis.logged_names import readable

WIDTH = 7.5  # inches
LINE = 58  # characters above a panel, in a report's narrow figures too
MANY_POINTS = 60  # from so many on, a marker at each would make a thick band of the line


class Display:
    """Base of the displays: drawn by `plot`, saved, shown in a notebook."""

    figure_: Any
    ax_: Axes
    axes_: dict[str, Axes]

    def plot(self, *args: Any, **kwargs: Any) -> Any:
        """Draw into given axes, or a new figure; every display has its own."""
        raise TypeError(f"{type(self).__name__} must define `plot`. Received: {args} {kwargs}.")

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
            write_figure(self._drawn(), temporary, format="png", dpi=dpi)

    def _axes(self, ax: Axes | None, height: float = 3.2) -> Axes:
        """The axes to draw into, which become the display's own."""
        if ax is None:
            ax = new_axes(1, height)[0]
        self.ax_, self.figure_ = ax, ax.figure
        return ax

    def _two_axes(self, axes: Any, names: tuple[str, str], what: str, height: float, **kwargs: Any) -> list[Axes]:
        """Two panels, the upper first, which become the display's own under these names."""
        if axes is None:
            axes = new_axes(2, height, **kwargs)
        if isinstance(axes, Axes) or len(axes) != 2:
            count = 1 if isinstance(axes, Axes) else len(axes)
            raise ValueError(f"`ax` must be two axes, for {what}. Received: {count} axes.")
        self.axes_ = dict(zip(names, axes, strict=True))
        self.ax_, self.figure_ = axes[0], axes[0].figure
        return [axes[0], axes[1]]

    def _drawn(self) -> Any:
        if not hasattr(self, "figure_"):
            self.plot()
        return self.figure_

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        write_figure(self._drawn(), buffer, format="png", dpi=96)
        return buffer.getvalue()


def new_axes(rows: int, height: float, width: float = WIDTH, **kwargs: Any) -> list[Axes]:
    """Axes below each other in a new figure, which no pyplot window owns; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    # A canvas of its own: drawing then never asks pyplot for a window system.
    FigureCanvasAgg(figure)
    return figure.subplots(rows, 1, squeeze=False, **kwargs)[:, 0].tolist()


def write_figure(figure: Any, target: Any, **kwargs: Any) -> None:
    """`figure.savefig`, without a word on signs in a user's names that matplotlib's font lacks.

    A page draws them with the reader's fonts; a PNG has a box in their place.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph .* missing from font", UserWarning)
        figure.savefig(target, **kwargs)


def say(ax: Axes, text: str, loc: Literal["left", "right"] = "left") -> None:
    """The sentence above a panel, in lines that fit also where the figure is narrow."""
    ax.set_title(in_lines(text, LINE), loc=loc, fontsize=9)


def in_lines(text: str, most: int) -> str:
    r"""Broken between words into lines of so many characters at most.

    >>> in_lines("σ of the loss, last 10 values\n← calm", 20)
    'σ of the loss, last\n10 values\n← calm'
    """
    return "\n".join(line for part in text.split("\n") for line in textwrap.wrap(part, most) or [""])


def literal(text: str) -> str:
    r"""A user's text as a label of matplotlib, which would set `$` as mathematics and hide what begins with `_`.

    >>> literal("price_$_x$"), literal("_run")
    ('price_\\$_x\\$', '\u200b_run')
    """
    text = text.replace("$", r"\$")
    return f"\u200b{text}" if text.startswith("_") else text


def short(text: str, most: int = 26) -> str:
    """A user's name, as long as a picture has room for; the middle is left out, because names often differ at an end.

    >>> short("attention_residual_unet_with_16_filters_seed_1")
    'attention_re…ilters_seed_1'
    """
    end = most // 2
    return text if len(text) <= most else f"{text[: most - end - 1]}…{text[-end:]}"


def common(logged: Iterable[str | None]) -> str:
    """What several runs logged, as a person says it, where it is the same in all of them.

    >>> common(["val_jaccard", "val_jaccard"]), common(["val_jaccard", "jaccard"]), common(["val_dice", "jaccard"])
    ('validation Jaccard', 'Jaccard, of the validation where there is one', "each run's own metric")
    """
    names = {name for name in logged if name}
    if len(names) == 1:
        return readable(names.pop())
    bases = {name.removeprefix("val_") for name in names}
    return (
        f"{readable(bases.pop())}, of the validation where there is one" if len(bases) == 1 else "each run's own metric"
    )


def arrays_of(run: "unetdyn.runs.Run | str | Path", name: str) -> dict[str, Any]:
    """What the monitor `name` recorded in a run, which is open or a path."""
    return (run if isinstance(run, unetdyn.runs.Run) else unetdyn.runs.open(run)).arrays(name)
