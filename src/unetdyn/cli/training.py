"""The commands that train: from a configuration, and a demonstration."""

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from unetdyn import runs
from unetdyn.cli.quiet import quiet_stderr
from unetdyn.cli.sentences import Failure, told_in_a_sentence, with_notes
from unetdyn.cli.signals import Signalled, signals_raise


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, like fit.epochs=5.")
def train(config: Path, overrides: tuple[str, ...]) -> None:
    """Train as the YAML file CONFIG says, and leave a run directory."""
    _train(config, overrides)


@click.command()
def demo() -> None:
    """Train a small Attention Residual U-Net on synthetic electron microscopy, in a few minutes."""
    click.echo("Training an Attention Residual U-Net on synthetic electron microscopy (configs/quickstart.yaml)")
    _train(_recipe("quickstart.yaml"), ())


def _train(config: Path, overrides: tuple[str, ...]) -> None:
    with quiet_stderr():
        from unetdyn.experiment import load_config, run_experiment
    _end(lambda: run_experiment(load_config(config, overrides)))


def _end(training: Callable[[], runs.Run]) -> None:
    """Train, and end the command as the training ended."""
    from unetdyn.experiment import ConfigError
    from unetdyn.report.describe import describe

    try:
        with signals_raise():
            finished = training()
    except ConfigError as error:
        raise Failure(error) from error
    except (Signalled, KeyboardInterrupt) as error:
        number = error.number if isinstance(error, Signalled) else signal.SIGINT
        _stop(f"Stopped by {signal.Signals(number).name}.", error, 128 + number)  # as shells have it
    except Exception as error:
        if (text := told_in_a_sentence(error)) is None:
            raise
        raise click.ClickException(with_notes(text, error)) from error
    else:
        click.echo("\n" + describe([finished]))


def _stop(sentence: str, error: BaseException, code: int) -> None:
    with suppress(OSError):  # a terminal that was closed sends SIGHUP, and hears nothing
        click.echo(with_notes(sentence, error), err=True)
    sys.exit(code)


def _recipe(name: str) -> Path:
    """A ready configuration: inside an installed package, or in the checkout of an editable installation."""
    package = Path(__file__).parents[1]
    packaged = package / "configs" / name
    return packaged if packaged.is_file() else package.parents[1] / "configs" / name
