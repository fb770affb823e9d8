"""The command `sweep`: plan here, the commands that work off what was planned in files of their own."""

from pathlib import Path

import click

from unetdyn.cli.comparing import analyse
from unetdyn.cli.quiet import quiet_stderr
from unetdyn.cli.sentences import in_sentences
from unetdyn.cli.sweep_running import retry, run, status
from unetdyn.cli.sweep_searching import search
from unetdyn.cli.sweep_submitting import submit


@click.group()
def sweep() -> None:
    """Run a designed experiment of many trainings, and analyse it."""


@sweep.command("plan")
@click.argument("design", type=click.Path(path_type=Path))
@click.option(
    "--variance-from",
    multiple=True,
    metavar="RUN",
    type=click.Path(path_type=Path),
    help="Run directories or sweeps, repeated with other seeds: the noise that differences are held against.",
)
@click.option("--no-timing", is_flag=True, help="Train no epochs for the estimate of hours.")
def plan_sweep(design: Path, variance_from: tuple[Path, ...], no_timing: bool) -> None:
    """Freeze the YAML file DESIGN to a table of runs; say how many, how long they take and what they can show.

    Nothing is spent on the sweep itself: its runs begin with `unetdyn sweep run`.
    """
    from unetdyn.sweeps.planning import plan

    with quiet_stderr():
        import keras  # noqa: F401
    with in_sentences():
        plan(design, timed=not no_timing, variance_from=variance_from)


for command in (run, submit, status, retry, search, analyse):
    sweep.add_command(command)
