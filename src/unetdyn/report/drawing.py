"""What the displays share: a figure of their own, a file, a picture in the notebook, labels that can be read."""

import functools
import inspect
import io
import textwrap
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cbook import normalize_kwargs
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import unetdyn.runs
from unetdyn.analysis.metric_names import readable

WIDTH = 7.5  # inches
LINE = 58  # characters above a panel, in a report's narrow figures too
MANY_POINTS = 60  # from so many on, a marker at each would make a thick band of the line


class Display(ABC):
    """Base of the displays, which work as scikit-learn's do.

    The constructor stores what is drawn, each argument under its name. Class methods such as `from_run` compute it from
    a run, a history or a monitor's record. `plot` draws, as often as wanted; `save` writes a file; in a notebook the
    object shows its picture.

    Attributes:
        figure_: The matplotlib figure, after `plot`.
        ax_: Its axes; the first of them where there are several.
        axes_: Where there are several: axes by the name of the panel.
    """

    keeps_shape: ClassVar[bool] = False
    """Whether a narrower picture of it is lower too, because it is one of images."""

    figure_: Any
    ax_: Axes
    axes_: dict[str, Axes]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let wrong arguments of each display be answered with what to call."""
        super().__init_subclass__(**kwargs)
        for name, told in (("__init__", _telling_what_computes), ("plot", _telling_which_axes)):
            if name in vars(cls):
                setattr(cls, name, told(cls, vars(cls)[name]))

    @abstractmethod
    def plot(self, *args: Any, **kwargs: Any) -> Any:
        """Draw into given axes, or a new figure; every display has its own."""

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

    def _one_axes(self, ax: Axes | None, height: float = 3.2) -> Axes:
        """The axes to draw into, which become the display's own."""
        if ax is None:
            ax = new_axes(1, height)[0]
        if not isinstance(ax, Axes):
            raise ValueError(f"`ax` must be one axes of matplotlib, or None. Received: {_counted(ax)}.")
        self.ax_, self.figure_ = ax, ax.figure
        return ax

    def _several_axes(
        self, axes: Sequence[Axes] | None, panels: Sequence[str], height: float, **kwargs: Any
    ) -> list[Axes]:
        """Axes for each panel, the upper first, which become the display's own under these names."""
        if axes is None:
            axes = new_axes(len(panels), height, **kwargs)
        found: list[Axes] = list(np.ravel(axes))  # type: ignore[arg-type]
        if len(found) != len(panels) or not all(isinstance(ax, Axes) for ax in found):
            raise ValueError(f"`axes` must be one for each of {', '.join(panels)}. Received: {_counted(axes)}.")
        self.axes_ = dict(zip(panels, found, strict=True))
        self.ax_, self.figure_ = found[0], found[0].figure
        return found

    def _drawn(self) -> Any:
        if not hasattr(self, "figure_"):
            self.plot()
        return self.figure_

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        write_figure(self._drawn(), buffer, format="png", dpi=96)
        return buffer.getvalue()


def _telling_what_computes(cls: type[Display], init: Callable[..., None]) -> Callable[..., None]:
    """The constructor, which a history alone, as of older versions, does not suffice."""
    signature = inspect.signature(init)

    @functools.wraps(init)
    def told(self: Display, *args: Any, **kwargs: Any) -> None:
        try:
            signature.bind(self, *args, **kwargs)
        except TypeError as error:
            takes = ", ".join(f"`{name}`" for name in list(signature.parameters)[1:])
            computing = " or ".join(f"{cls.__name__}.{name}" for name in dir(cls) if name.startswith("from_"))
            received = ", ".join([*(type(each).__name__ for each in args), *(f"{name}=" for name in kwargs)])
            raise TypeError(
                f"{cls.__name__} takes what it draws: {takes}. To have that computed, call {computing}. "
                f"Received: {received or 'nothing'} ({error})."
            ) from None
        init(self, *args, **kwargs)

    return told


def _telling_which_axes(cls: type[Display], plot: Callable[..., Any]) -> Callable[..., Any]:
    """`plot`, which takes `ax` in a display of one panel, and `axes` in one of several."""
    takes_one = "ax" in inspect.signature(plot).parameters

    @functools.wraps(plot)
    def told(self: Display, *args: Any, **kwargs: Any) -> Any:
        if takes_one and "axes" in kwargs:
            raise TypeError(f"{cls.__name__} has one panel: call plot(ax=...) with one axes. Received: axes=.")
        if not takes_one and "ax" in kwargs:
            raise TypeError(
                f"{cls.__name__} may have several panels: call plot(axes=[...]) with axes for each. Received: ax=."
            )
        return plot(self, *args, **kwargs)

    return told


def _counted(axes: Any) -> str:
    """How many axes were passed; their type where they are none."""
    found = list(np.ravel(axes))
    return f"{len(found)} axes" if all(isinstance(ax, Axes) for ax in found) else type(axes).__name__


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


def line_style(kwargs: dict[str, Any], **defaults: Any) -> dict[str, Any]:
    """How a line is drawn: the display's own way, in which what the user asked for wins, under its short name too.

    >>> line_style({"lw": 3}, color="black", linewidth=1.4)
    {'color': 'black', 'linewidth': 3}
    """
    return defaults | normalize_kwargs(kwargs, Line2D)


def few_points(marker: str, points: Any) -> str:
    """The marker of each point, or none where there are so many that it would make a thick band of the line.

    >>> few_points("o", range(10)), few_points("o", range(60))
    ('o', '')
    """
    return marker if len(points) < MANY_POINTS else ""


def add_legend(
    ax: Axes, loc: Literal["best", "upper left", "upper right", "lower right", "lower center"] = "best", ncols: int = 1
) -> None:
    """The legend of a panel, through which the curves below it can be seen."""
    ax.legend(loc=loc, ncols=ncols, fontsize=8, framealpha=0.8, edgecolor="none")


def panel_title(ax: Axes, text: str, loc: Literal["left", "right"] = "left") -> None:
    """The sentence above a panel, in lines that fit also where the figure is narrow."""
    ax.set_title(wrap(text, LINE), loc=loc, fontsize=9)


def wrap(text: str, most: int) -> str:
    r"""Broken between words into lines of so many characters at most.

    >>> wrap("σ of the loss, last 10 values\n← calm", 20)
    'σ of the loss, last\n10 values\n← calm'
    """
    return "\n".join(line for part in text.split("\n") for line in textwrap.wrap(part, most) or [""])


def escape_label(text: str) -> str:
    r"""A user's text as a label of matplotlib, which would set `$` as mathematics and hide what begins with `_`.

    >>> escape_label("price_$_x$"), escape_label("_run")
    ('price_\\$_x\\$', '\u200b_run')
    """
    text = text.replace("$", r"\$")
    return f"\u200b{text}" if text.startswith("_") else text


def abbreviate(text: str, most: int = 26) -> str:
    """A user's name, as long as a picture has room for; the middle is left out, because names often differ at an end.

    >>> abbreviate("attention_residual_unet_with_16_filters_seed_1")
    'attention_re…ilters_seed_1'
    """
    end = most // 2
    return text if len(text) <= most else f"{text[: most - end - 1]}…{text[-end:]}"


def shared_name(logged: Iterable[str | None]) -> str:
    """What several runs logged, under one name where it is the same in all of them.

    >>> shared_name(["val_jaccard", "val_jaccard"]), shared_name(["val_jaccard", "jaccard"])
    ('validation Jaccard', 'Jaccard, of the validation where there is one')
    >>> shared_name(["val_dice", "jaccard"])
    "each run's own metric"
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
