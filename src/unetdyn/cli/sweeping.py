"""The commands of sweeps."""

import click

from unetdyn.cli.sweep_running import retry, run, status


@click.group()
def sweep() -> None:
    """Train a table of runs, on whatever machines there are."""


for command in (run, status, retry):
    sweep.add_command(command)
