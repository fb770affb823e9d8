"""The commands of sweeps."""

import click

from unetdyn.cli.sweep_submitting import submit


@click.group()
def sweep() -> None:
    """Plan many trainings, run them anywhere, and say what they show."""


sweep.add_command(submit)
