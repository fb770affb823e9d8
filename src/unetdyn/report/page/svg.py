"""A figure as SVG that stands in a page: small, with text that stays text, and with ids of its own."""

import io
import re
from typing import Any

import matplotlib
import numpy as np
from markupsafe import Markup, escape
from matplotlib.lines import Line2D

from unetdyn.report.drawing import write_figure
from unetdyn.report.envelope import envelope

WIDTH = 4.8  # inches: in a window of 400 pixels, text of 9 points is then about as many pixels high
MOST_POINTS = 2000  # of a line; more than three for each pixel of its width
DPI = 110  # of what is rasterised

_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


def inline_svg(figure: Any, name: str, label: str, width: float = WIDTH, keeps_shape: bool = False) -> Markup:
    """The figure as an `<svg>` element; the figure is made narrower and its long lines are thinned.

    Text stays text, which is small, can be searched and is drawn in the reader's own font. Meshes that were marked
    `rasterized` become images inside.

    Args:
        figure: A matplotlib figure.
        name: Begins every id in the element, so that several pictures in one page do not share any: letters, digits
            and hyphens.
        label: What a person who cannot see the picture is told.
        width: Inches.
        keeps_shape: Whether the height becomes as much smaller; else (default) it is kept.

    Returns:
        Markup, with `role="img"` and the label, which is escaped.

    Example:
        >>> from matplotlib.figure import Figure
        >>> figure = Figure()
        >>> _ = figure.subplots().plot([1, 2])
        >>> str(inline_svg(figure, "loss", "The loss rises."))[:53]
        '<svg role="img" aria-label="The loss rises." xmlns:xl'
    """
    before, height = figure.get_size_inches()
    figure.set_size_inches(width, height * width / before if keeps_shape else height)
    for line in (line for ax in figure.axes for line in ax.get_lines()):
        _thin(line)
    buffer = io.StringIO()
    # Without a salt, the ids of clip paths and markers are drawn anew each time; with it, a report can be compared.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "path.simplify_threshold": 0.3}):
        write_figure(figure, buffer, format="svg", dpi=DPI, metadata=_METADATA)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r'\b(id="|href="#|url\(#)(?=\w)', rf"\g<1>{name}-", text)
    return Markup(text.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1))


def _thin(line: Line2D) -> None:
    """Keep the lowest and the highest of neighbouring points where there are more than a picture can show."""
    x, y = (np.asarray(values, dtype=np.float64) for values in line.get_data(orig=False))
    if len(x) > MOST_POINTS:
        kept = envelope(y, MOST_POINTS // 2)
        line.set_data(x[kept], y[kept])
