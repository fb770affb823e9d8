"""The commands that read runs: show, diagnose and report. None of them loads Keras."""

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import click

from unetdyn import runs
from unetdyn.cli.sentences import Failure, in_sentences, printable

if TYPE_CHECKING:
    from unetdyn.analysis import Diagnosis


@click.command()
@click.argument("run", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--picture", type=click.Path(path_type=Path), help="Write what the model of one RUN predicts as a PNG.")
def show(run: tuple[Path, ...], picture: Path | None) -> None:
    """Show how the RUN went; several runs side by side.

    What can't be read is told at the end, and the exit code is 2.
    """
    from unetdyn.report.describe import describe

    if picture is not None and len(run) > 1:
        raise click.UsageError(f"--picture shows one RUN. Received: {len(run)}.")

    opened, failures = [], []
    with in_sentences():
        for path in run:
            try:
                found = runs.open(path)
                describe([found])  # what fails for one must not hide the others
                opened.append(found)
            except (OSError, ValueError) as error:
                failures.append(Failure(error))
    if opened:
        with warnings.catch_warnings(action="ignore"):  # all was said above
            click.echo(printable(describe(opened)))
    for failure in failures[:-1]:
        failure.show()
    if failures:
        raise failures[-1]
    if picture is not None:
        with in_sentences():
            click.echo(f"predictions  {_draw_predictions(opened[0], picture)}")


@click.command()
@click.argument("run", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write JSON: an object, or a list of them for several runs.")
@click.option("--metric", help="The metric that performance is read from; the Jaccard where it was logged.")
def diagnose(run: tuple[Path, ...], as_json: bool, metric: str | None) -> None:
    """Say what is wrong with the RUN, why, and which one change helps.

    RUN is a run directory, a CSV file, or what TensorBoard, MLflow or Lightning logged. Exits with 0 if no run is ill
    (one to be watched is not), 1 if one is, and 2 if one can't be read.
    """
    from unetdyn.runs.strict_json import dumps

    with in_sentences():
        found = [(path, _diagnosed(path, metric)) for path in run]
    if as_json:
        objects = [{"run": str(path), **each.to_dict()} for path, each in found]
        click.echo(dumps(objects[0] if len(objects) == 1 else objects, indent=2))
    else:
        several = len(found) > 1
        click.echo(printable("\n\n\n".join(f"{path}\n{each}" if several else str(each) for path, each in found)))
    if any(each.level == "ill" for _, each in found):
        sys.exit(1)


@click.command()
@click.argument("run", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", default="report.html", show_default=True, type=click.Path(path_type=Path), help="File to write."
)
@click.option("--metric", help="The metric that performance is read from; the Jaccard where it was logged.")
def report(run: tuple[Path, ...], output: Path, metric: str | None) -> None:
    """Write a report of the RUN, or of several side by side, as one HTML file.

    What made the difference between many runs, and how sure that is, `unetdyn compare` says.
    """
    from unetdyn.report import write_report

    with in_sentences():
        click.echo(f"report  {write_report(run, output, metric)}")


def _draw_predictions(run: runs.Run, picture: Path) -> Path:
    from unetdyn.report import PredictionDisplay

    if run.predictions is None:
        raise ValueError(
            f"--picture draws what a PredictionRecorder kept. Received: {run.path}, which has no predictions: train "
            "with `callbacks.predictions`, with Watch, or with a PredictionRecorder among the callbacks."
        )
    PredictionDisplay.from_predictions(run.predictions).plot().save(picture, dpi=200)
    return picture


def _diagnosed(path: Path, metric: str | None) -> "Diagnosis":
    from unetdyn.analysis import diagnose
    from unetdyn.analysis.curves import opened
    from unetdyn.analysis.recorded_settings import stability_settings

    source = opened(path)
    if not isinstance(source, runs.Run):
        return diagnose(source, metric)
    for note in source.notes:
        click.echo(printable(f"Note: {source.path.name}: {note}"), err=True)
    return diagnose(source, metric, **stability_settings(source.config))
