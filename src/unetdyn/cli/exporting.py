"""The command that writes a run's last state for other programs."""

from pathlib import Path

import click

from unetdyn.cli.quiet import quiet_stderr
from unetdyn.cli.sentences import in_sentences, printable


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("file", type=click.Path(path_type=Path))
def export(run: Path, file: Path) -> None:
    """Write the last state of the RUN to FILE: a model that ends in .keras, or a new folder for Orbax.

    Weights, optimizer with its moments, and step: what `keras.saving.load_model` trains on from. The best model of the
    run is its model.keras.
    """
    with quiet_stderr():
        from unetdyn.experiment import export_state
    with in_sentences():
        click.echo(printable(f"exported  {export_state(run, file)}"))
