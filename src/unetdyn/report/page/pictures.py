"""The pictures of a report: what a run recorded decides which there are."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, NamedTuple

from markupsafe import Markup

from unetdyn.analysis import Curves
from unetdyn.report.convergence import ConvergenceDisplay
from unetdyn.report.drawing import Display, readable
from unetdyn.report.gradients import GradientDisplay
from unetdyn.report.heatmap import BlockHeatmap
from unetdyn.report.history import HistoryDisplay
from unetdyn.report.noise_scale import NoiseScaleDisplay
from unetdyn.report.page.svg import inline_svg
from unetdyn.report.stability import StabilityDisplay
from unetdyn.runs import Run


class Picture(NamedTuple):
    """A picture with its heading."""

    title: str
    svg: Markup


def pictures_of(
    run: Run, curves: Curves, metric: str | None, settings: dict[str, Any], prefix: str, most: int | None = None
) -> list[Picture]:
    """All that the run has something for, or the first of them.

    Args:
        run: The run.
        curves: Its curves.
        metric: The metric that performance is read from, without `val_`; None where there is none.
        settings: `window` and `ddof` of the stability.
        prefix: Begins the ids in these pictures; another one for each run in a page.
        most: How many pictures at most; None (default) for all.
    """
    return [
        picture(display, title, f"{prefix}-{place}")
        for place, (title, display) in enumerate(islice(_displays(run, curves, metric, settings), most))
    ]


def picture(display: Display, title: str, name: str) -> Picture:
    """Drawn, with a label that says what its panels say."""
    figure = display.plot().figure_
    titles = [ax.get_title(loc) for ax in figure.axes for loc in ("left", "center", "right")]
    label = ". ".join([title, *(text.replace("\n", ". ") for text in titles if text)])
    return Picture(title, inline_svg(figure, name, label))


def _displays(run: Run, curves: Curves, metric: str | None, settings: dict[str, Any]) -> Iterator[tuple[str, Display]]:
    what = ["loss", *([readable(metric)] if metric else []), *(["learning rate"] if "learning_rate" in curves else [])]
    yield _listed(what), HistoryDisplay(curves, metric, **settings)
    yield "Stability", StabilityDisplay.from_history(curves, **settings)
    if metric:
        yield "Where it is heading", ConvergenceDisplay.from_history(curves, metric)
    for name in run.array_names:
        record = run.arrays(name)
        if len(record.get("step", ())):
            yield from ((title, make(record)) for key, title, make in OF_RECORDS if _has(record, key))


# What in a monitor's record makes which picture; monitors may have any name.
OF_RECORDS: tuple[tuple[str, str, Callable[[Any], Display]], ...] = (
    ("grad_norm", "Gradient norm", GradientDisplay),
    ("block_grad_norm", "Gradient by block", lambda record: BlockHeatmap(record, "gradient")),
    ("update_ratio", "Updates by block", lambda record: BlockHeatmap(record, "ratio")),
    ("effective_rate", "Effective updates by block", lambda record: BlockHeatmap(record, "rate")),
    ("noise_scale", "Gradient noise scale", NoiseScaleDisplay),
)


def _has(record: dict[str, Any], key: str) -> bool:
    return key in record and len(record[key]) > 0


def _listed(words: list[str]) -> str:
    """With a capital at the beginning and "and" before the last.

    >>> _listed(["loss", "Jaccard", "learning rate"])
    'Loss, Jaccard and learning rate'
    """
    text = ", ".join(words[:-1]) + (" and " if words[1:] else "") + words[-1]
    return text[0].upper() + text[1:]
