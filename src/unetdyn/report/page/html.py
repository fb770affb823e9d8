"""The report of one run or several: one HTML file that opens anywhere, without a network."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import unetdyn
import unetdyn.runs
from unetdyn.analysis.comparison.gathering import names_of
from unetdyn.analysis.diagnosis import rules_in_words
from unetdyn.report.page.content import MOST_FULL, Comparison, RunContent, comparison_of, content_of
from unetdyn.runs import Run

SUFFIXES = (".html", ".htm")


def write_report(runs: Any, path: str | Path, metric: str | None = None) -> Path:
    """Write a report of one run, or of several with a comparison first.

    First comes a verdict on each run in plain words (`unetdyn.analysis.diagnosis`), then what its monitors found, then
    pictures, the epochs' numbers, and the exact configuration and versions. The file holds everything in itself: no
    script, no font, nothing from a network. It follows the reader's light or dark mode, and prints.

    Of more than six runs the comparison comes first, each verdict stands with its run, and each run has its curves, but
    not the pictures of its monitors.

    A run that was killed, has failed or still goes on is reported as far as it came, and the report says so. What a run
    contains is text to the report and never becomes markup. No Keras is imported.

    Args:
        runs: A run directory's path or an open `unetdyn.runs.Run`, or a sequence of them.
        path: The file to write, which ends in `.html`; one that is there is replaced, all at once or not at all.
        metric: The metric that performance is read from, with or without `val_`; None (default) takes `jaccard` where
            it was logged, else the first metric of each run.

    Returns:
        The file's path.

    Raises:
        FileNotFoundError: If a run isn't there, or the folder of `path` isn't.
        ValueError: If there is no run, one has no epoch yet, `metric` was not logged, or `path` has another ending.

    Example:
        >>> import pathlib, tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> writer = unetdyn.runs.RunWriter(folder / "first")
        >>> for epoch, loss in enumerate([0.9, 0.5, 0.4]):
        ...     writer.log_epoch(epoch, {"loss": loss, "val_loss": loss, "val_jaccard": 1 - loss})
        >>> writer.finish()
        >>> report = write_report(folder / "first", folder / "report.html")
        >>> "<title>Training report: first</title>" in report.read_text(encoding="utf-8")
        True
    """
    path = checked_path(path)
    opened = _opened(runs)
    most = 1 if len(opened) > MOST_FULL else None
    contents = [
        content_of(run, metric, name, f"run{place}", most)
        for place, (name, run) in enumerate(zip(names_of([run.path for run in opened]), opened, strict=True), start=1)
    ]
    comparison = comparison_of(contents) if len(contents) > 1 else None
    page = render(contents, comparison)
    with unetdyn.runs.replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="replace")  # a file's name may be no text
    return path


def render(contents: Sequence[RunContent], comparison: Comparison | None) -> str:
    """The page as HTML."""
    return (
        environment("unetdyn.report.page")
        .get_template("report.html")
        .render(
            runs=contents,
            comparison=comparison,
            many=len(contents) > MOST_FULL,
            rules=rules_in_words(),
            heading=f"Training report: {contents[0].name if len(contents) == 1 else f'{len(contents)} runs'}",
            made=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            version=unetdyn.__version__,
        )
    )


def environment(*packages: str) -> Environment:
    """What makes a page of the templates of some packages, where whatever a run holds is text."""
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in packages]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["with_code"] = with_code
    return made


def with_code(text: str) -> Markup:
    """A text with what stands between backticks as code; the rest is text, whatever it holds.

    >>> with_code("use `fit`, <b>not</b> `it")
    Markup('use <code>fit</code>, &lt;b&gt;not&lt;/b&gt; `it')
    """
    parts = text.split("`")
    if len(parts) % 2 == 0:  # one has no other half
        parts[-2:] = [f"{parts[-2]}`{parts[-1]}"]
    code = (Markup("<code>{}</code>") if place % 2 else Markup("{}") for place in range(len(parts)))
    return Markup("").join(form.format(part) for form, part in zip(code, parts, strict=True))


def checked_path(path: str | Path) -> Path:
    """The file of a report, with the right ending and in a folder that is there."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"`path` must end in .html. Received: {path}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"`path` must lie in a folder that is there. Received: {path}; make the folder {path.parent} first."
        )
    return path


def _opened(runs: Any) -> list[Run]:
    """Every run opened, and each of them with an epoch."""
    single = isinstance(runs, str | Path | Run)
    opened = [run if isinstance(run, Run) else unetdyn.runs.open(run) for run in ([runs] if single else runs)]
    if not opened:
        raise ValueError(f"`runs` must be one run or more. Received: {runs!r}.")
    for run in opened:
        if not run.epochs:
            raise ValueError(
                f"A report needs a run with at least one epoch. Received: {run.path} (status {run.status}), which has "
                "none: its first epoch has not ended."
            )
    return opened
