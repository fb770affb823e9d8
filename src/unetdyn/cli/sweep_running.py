"""The commands that work off a sweep: run, status and retry. Only what trains loads Keras."""

import signal
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click

from unetdyn.cli.quiet import quiet_stderr
from unetdyn.cli.sentences import Failure, in_sentences, printable, told_in_a_sentence
from unetdyn.cli.training import Walltime
from unetdyn.sweeps.row_training import take_backend

if TYPE_CHECKING:
    from unetdyn.sweeps.local import LocalOutcome
    from unetdyn.sweeps.table import Sweep
    from unetdyn.sweeps.work import Outcome

_design = click.argument("design", type=click.Path(path_type=Path))
_jobs = click.option("--jobs", type=click.IntRange(min=1), help="Rows at once on this machine, a process each.")
_walltime = click.option(
    "--walltime", type=Walltime(), help="Save what runs and end before this time is over; the exit code is 75."
)


class RowNumber(click.ParamType):
    """A row's number, or `next`."""

    name = "N|next"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number; "next" stays what it is."""
        text = str(value)
        if text == "next":
            return text
        if not text.isascii() or not text.isdigit():
            self.fail(f"a row must be a number from 1, or `next`. Received: {text!r}.", param, ctx)
        return int(text)


@click.command()
@_design
@click.option("--row", type=RowNumber(), help="One row, as a job array calls it; or the next that is free.")
@_jobs
@_walltime
@click.option(
    "--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True, help="Who runs rows."
)
@click.option("--address", help="Of a Ray cluster, such as auto; by default what RAY_ADDRESS says, or this machine.")
@click.option("--gpus-per-row", type=click.FloatRange(min=0), help="With Ray; by default 1 where there are any.")
@click.option("--cpus-per-row", type=click.FloatRange(min=0), help="With Ray; by default 1.")
def run(
    design: Path, row: int | str | None, jobs: int | None, walltime: float | None, engine: str, **of_ray: Any
) -> None:
    """Train rows of the sweep of a DESIGN, which is a design file or the sweep's folder.

    A row that somebody has begun goes on from its last state; one that is done is left alone.

    Exits with 0 if they are done, also before; 75 if the walltime came first, and they go on when this is run again;
    1 if a training failed; 2 if it can't be done as asked; 3 if somebody else works on the row now; after a signal, 128
    and its number.
    """
    of_ray = {name: value for name, value in of_ray.items() if value is not None}
    if engine == "ray":
        if given := [f"--{name}" for name, value in (("row", row), ("jobs", jobs), ("walltime", walltime)) if value]:
            raise click.UsageError(f"--engine ray hands out all rows by itself. Received: {', '.join(given)}.")
        _run_ray(design, of_ray)
    if of_ray:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in of_ray)
        raise click.UsageError(f"{named} goes with --engine ray. Received: --engine local.")
    if (row is None) == (jobs is None):
        missing = "neither" if row is None else "both"
        raise click.UsageError(f"Say either --row N (or --row next) or --jobs N. Received: {missing}.")
    sweep = _find(design)
    take_backend(sweep)
    if jobs is not None:
        _end_local(_local(sweep, jobs, walltime))
    _end_row(_next(sweep, walltime) if isinstance(row, str) else _row(sweep, row or 0, walltime), sweep)


@click.command()
@_design
@click.option("--json", "as_json", is_flag=True, help="Write JSON: counts, and every row with its settings.")
def status(design: Path, as_json: bool) -> None:
    """Show how far the rows of a sweep are: done, running, dead, stopped, failed or missing.

    It looks at run directories and claims alone, from any machine that sees them. Below are the jobs that were
    submitted, whatever became of them.
    """
    from unetdyn.runs.strict_json import dumps
    from unetdyn.sweeps.schedulers.records import submissions
    from unetdyn.sweeps.status import status as status_of
    from unetdyn.sweeps.status_table import describe_status

    with in_sentences():
        found = status_of(_find(design))
        click.echo(dumps(found.to_dict(), indent=2) if as_json else printable(describe_status(found)))
        if not as_json:
            for job in submissions(found.sweep):  # last: a damaged record hides no row
                click.echo(printable(str(job)))


@click.command()
@_design
@click.option("--failed", is_flag=True, help="Free those that failed, too; they begin anew.")
@_jobs
@_walltime
def retry(design: Path, failed: bool, jobs: int | None, walltime: float | None) -> None:
    """Free rows whose process is gone, or that were stopped, so that `run` or `submit` does them again.

    They go on from their last state. The run directory of one that failed is moved to runs/NNNN.failed-K.
    """
    from unetdyn.sweeps.retry import retry as free_rows

    if walltime is not None and jobs is None:
        raise click.UsageError("--walltime goes with --jobs N, which runs what is free. Received: no --jobs.")
    sweep = _find(design)
    with in_sentences():
        click.echo(str(free_rows(sweep, failed)))
    if jobs is not None:
        take_backend(sweep)
        _end_local(_local(sweep, jobs, walltime))


def _run_ray(design: Path, options: dict[str, Any]) -> NoReturn:
    from unetdyn.sweeps.ray_engine import run_ray

    sweep = _find(design)
    take_backend(sweep)
    with in_sentences():
        codes = run_ray(sweep, **options)
    _exit(max(codes.values(), default=0), f"Of {len(codes)} rows, {sum(not code for code in codes.values())} are done.")


def _find(design: Path) -> "Sweep":
    from unetdyn.sweeps.lookup import find_sweep

    with in_sentences():
        return find_sweep(design)


def _row(sweep: "Sweep", number: int, walltime: float | None) -> "Outcome":
    from unetdyn.runs.signals import Signalled
    from unetdyn.sweeps.table import SweepError
    from unetdyn.sweeps.work import work_row

    try:
        return work_row(sweep, number, _train, walltime)
    except (SweepError, OSError) as error:
        raise Failure(error) from error
    except (Signalled, KeyboardInterrupt) as error:  # before it had the row, or after it
        number = error.number if isinstance(error, Signalled) else signal.SIGINT
        _exit(128 + number, f"Stopped by {signal.Signals(number).name}.")


def _next(sweep: "Sweep", walltime: float | None) -> "Outcome | None":
    """The first that is not taken by somebody who is faster; None if no row is free."""
    from unetdyn.sweeps.work import TAKEN, next_free

    tried: set[int] = set()
    while (number := next_free(sweep, tried)) is not None:
        outcome = _row(sweep, number, walltime)
        if outcome.code != TAKEN:
            return outcome
        tried.add(number)
    return None


def _train(sweep: "Sweep", number: int, walltime: float | None, stream: TextIO | None) -> None:
    from unetdyn.sweeps.row_training import train_row

    with quiet_stderr():
        import unetdyn.experiment  # noqa: F401
    train_row(sweep, number, walltime, stream)


def _local(sweep: "Sweep", jobs: int, walltime: float | None) -> "LocalOutcome":
    from unetdyn.sweeps.local import run_local

    with in_sentences():
        return run_local(sweep, jobs, walltime)


def _end_local(outcome: "LocalOutcome") -> NoReturn:
    _exit(outcome.code, outcome.text)


def _end_row(outcome: "Outcome | None", sweep: "Sweep") -> NoReturn:
    if outcome is None:
        _exit(0, f"No row of {sweep.path} is free: `unetdyn sweep status {sweep.path}` says why.")
    error = outcome.error
    if outcome.code == 1 and error is not None and told_in_a_sentence(error) is None:
        traceback.print_exception(error)  # a fault of the program
    _exit(outcome.code, outcome.text)


def _exit(code: int, text: str) -> NoReturn:
    with suppress(OSError):  # a terminal that was closed sends SIGHUP, and hears nothing
        click.echo(printable(text), err=code != 0)
    sys.exit(code)
