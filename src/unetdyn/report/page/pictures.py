"""The pictures of a report: what a run recorded decides which there are."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from markupsafe import Markup

from unetdyn._checks import check_choice
from unetdyn.analysis import Curves, Diagnosis
from unetdyn.analysis.declarations import DeclaredDisplay
from unetdyn.analysis.log_keys import LogKeys
from unetdyn.analysis.metric_names import readable
from unetdyn.report.convergence import ConvergenceDisplay
from unetdyn.report.drawing import Display
from unetdyn.report.findings import FindingsDisplay
from unetdyn.report.heatmap import BlockHeatmapDisplay
from unetdyn.report.history import HistoryDisplay
from unetdyn.report.page.svg import inline_svg
from unetdyn.report.stability import StabilityDisplay
from unetdyn.runs import Run, RunError

Make = Callable[[], Display]


class Picture(NamedTuple):
    """A picture with its heading; a sentence stands for one that could not be drawn."""

    title: str
    svg: Markup


def pictures_of(
    run: Run,
    curves: Curves,
    metric: str | None,
    settings: dict[str, Any],
    prefix: str,
    most: int | None = None,
    diagnosis: Diagnosis | None = None,
) -> list[Picture]:
    """All that the run has something for, or the first of them; before all, what a verdict on it rests on.

    Args:
        run: The run.
        curves: Its curves.
        metric: The metric that performance is read from, without `val_`; None where there is none.
        settings: `window` and `ddof` of the stability.
        prefix: Begins the ids in these pictures; another one for each run in a page.
        most: How many pictures at most; None (default) for all.
        diagnosis: What to think of the run; None (default) for no picture of it.
    """
    made = [
        picture(make, title, f"{prefix}-{place}")
        for place, (title, make) in enumerate(islice(_displays(run, curves, metric, settings), most))
    ]
    if diagnosis is None or not diagnosis.headline or most is not None:
        return made
    evidence = partial(FindingsDisplay, curves, diagnosis, metric)
    return [picture(evidence, "What the verdict rests on", f"{prefix}-verdict"), *made]


def predictions_of(run: Run, keys: LogKeys, prefix: str) -> list[Picture]:
    """What the model of the run predicts, if that was kept.

    Args:
        run: The run.
        keys: What its monitors declared.
        prefix: As of `pictures_of`.
    """
    made = [each for name in run.array_names if _keeps_predictions(keys, name) for each in _of_record(run, keys, name)]
    return [picture(make, title, f"{prefix}-predictions-{place}") for place, (title, make) in enumerate(made)]


def picture(make: Make, title: str, name: str) -> Picture:
    """Drawn, with a label that says what its panels say; where that fails, a sentence that says why.

    A run's files may be damaged, and arrays of the user's own may have any shape. Whatever is wrong with one part, the
    reader still gets the rest of the page.
    """
    try:
        display = make()
        figure = display.plot().figure_
        titles = [ax.get_title(loc) for ax in figure.axes for loc in ("left", "center", "right")]
        label = ". ".join([title, *(text.replace("\n", ". ") for text in titles if text)])
        return Picture(title, inline_svg(figure, name, label, keeps_shape=display.keeps_shape))
    except Exception as error:
        return Picture(title, Markup("<p>This picture could not be drawn: {}</p>").format(error))


def _displays(run: Run, curves: Curves, metric: str | None, settings: dict[str, Any]) -> Iterator[tuple[str, Make]]:
    """The title of each picture, and how it is made."""
    if {"loss", "val_loss"} & set(curves):
        rate = ["learning rate"] if "learning_rate" in curves else []
        title = _listed(["loss", *([readable(metric)] if metric else []), *rate])
        yield title, partial(HistoryDisplay.from_history, curves, metric=metric, **settings)
        yield "Stability", partial(StabilityDisplay.from_history, curves, **settings)
    if metric:
        yield "Where it is heading", partial(ConvergenceDisplay.from_history, curves, metric)
    for name in run.array_names:
        if not _keeps_predictions(curves.log_keys, name):
            yield from _of_record(run, curves.log_keys, name)


def _of_record(run: Run, keys: LogKeys, name: str) -> Iterator[tuple[str, Make]]:
    try:
        record = run.arrays(name)
    # A damaged file: to draw from it raises the same, and the page says so in the picture's place.
    except (OSError, RunError):
        yield f"What {name!r} recorded", partial(BlockHeatmapDisplay.from_run, run, name=name)
        return
    if name not in keys.monitors and not _has(record, "step"):
        return  # nobody declared it, and it is none of ours by the look of it
    for declared in keys.displays_of(name):
        if _has(record, declared.array):
            yield declared.title, partial(_declared, declared, record)


def _keeps_predictions(keys: LogKeys, name: str) -> bool:
    """Whether its monitor says so; of an unknown record nothing is drawn of them."""
    declared = keys.monitors.get(name)
    return declared is not None and any(each.display == "PredictionDisplay" for each in declared.displays)


def _declared(declared: DeclaredDisplay, record: dict[str, Any]) -> Display:
    """A display of this room by its name; a run's file may name no other code."""
    ours: dict[str, Any] = {
        kind.__name__: kind for kind in Display.__subclasses__() if kind.__module__.startswith("unetdyn.report.")
    }
    check_choice("display", declared.display, sorted(ours))
    return ours[declared.display].from_record(record, **declared.arguments)


def _has(record: dict[str, Any], key: str) -> bool:
    values = record.get(key, ())
    return bool(values) if isinstance(values, Mapping) else np.size(values) > 0


def _listed(words: list[str]) -> str:
    """With a capital at the beginning and "and" before the last.

    >>> _listed(["loss", "Jaccard", "learning rate"])
    'Loss, Jaccard and learning rate'
    """
    text = ", ".join(words[:-1]) + (" and " if words[1:] else "") + words[-1]
    return text[0].upper() + text[1:]
