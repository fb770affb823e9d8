"""The commands that end in statistics: `sweep analyse`, and `compare` of runs that no sweep made, without Keras."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from unetdyn.cli.sentences import in_sentences, printable

if TYPE_CHECKING:
    from unetdyn.analysis.comparison.table_statistics import TableStatistics

RESPONSES = ("performance", "final", "stability")

Command = Callable[..., Any]


def options(default: str) -> Callable[[Command], Command]:
    """The options that both commands have."""

    def added(command: Command) -> Command:
        for option in (
            click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the verdict."),
            click.option("--metric", help="The metric that performance is read from; the Jaccard where it was logged."),
            click.option(
                "--order", type=click.IntRange(min=1), help="Of interactions; by default what the runs allow."
            ),
            click.option(
                "--max-sigma", type=click.FloatRange(min=0, min_open=True), help="Only cells with σ below it."
            ),
            click.option(
                "--response",
                type=click.Choice(RESPONSES),
                default=RESPONSES[0],
                show_default=True,
                help="What is asked.",
            ),
            click.option(
                "-o",
                "--output",
                default=default,
                show_default=True,
                type=click.Path(path_type=Path),
                help="File to write.",
            ),
        ):
            command = option(command)
        return command

    return added


@click.command()
@click.argument("design", type=click.Path(path_type=Path))
@options("report.html")
def analyse(design: Path, output: Path, as_json: bool, metric: str | None, **asked: Any) -> None:
    """Say what the sweep DESIGN tells: what made the difference, how sure that is, and what to run next.

    DESIGN is the design file or the sweep's folder. It may still go on: runs that are missing are told first.
    """
    with in_sentences():
        _check(output)
        from unetdyn.sweeps.analysing import analyse as analyse_sweep
        from unetdyn.sweeps.lookup import find_sweep

        _end(analyse_sweep(find_sweep(design), metric=metric, **asked), output, as_json, "Sweep")


@click.command()
@click.argument("run", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--factors", help="The settings to compare by, as learning_rate,batch_size; by default all that differ.")
@options("comparison.html")
def compare(
    run: tuple[Path, ...], factors: str | None, output: Path, as_json: bool, metric: str | None, **asked: Any
) -> None:
    """Say what made the difference between RUNs that no sweep made, and how sure that is.

    Runs that differ in their seed alone are repetitions, from which chance is told. `unetdyn report` shows few runs in
    every detail; this asks of many what their settings did.
    """
    with in_sentences():
        _check(output)
        from unetdyn.analysis.comparison.gathering import table_of_runs
        from unetdyn.analysis.comparison.table_statistics import statistics_of

        wanted = None if factors is None else [name.strip() for name in factors.split(",") if name.strip()]
        _end(statistics_of(table_of_runs(run, wanted, metric), **asked), output, as_json, "Comparison")


def _check(output: Path) -> None:
    """Refuse a file that can't be written before anything is computed."""
    from unetdyn.report.page.html import checked_path

    checked_path(output)


def _end(found: "TableStatistics", output: Path, as_json: bool, kind: str) -> None:
    """Write the page, and print what it says in short."""
    from unetdyn.report.sweep_page.html import write_sweep_report

    page = write_sweep_report(found, output, kind)
    if as_json:
        from unetdyn.analysis.comparison.plain import plain
        from unetdyn.runs.strict_json import dumps

        click.echo(dumps({"page": str(page), **plain(found)}, indent=2))
        return
    click.echo(printable(f"{found}\nreport  {page}"))
