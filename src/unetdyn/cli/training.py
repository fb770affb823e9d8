"""The commands that train: from a configuration, on from where a run was cut off, and a demonstration."""

import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from unetdyn import runs
from unetdyn.cli.backend import take_backend_of
from unetdyn.cli.quiet import quiet_stderr
from unetdyn.cli.sentences import Failure, in_sentences, told_in_a_sentence, with_notes
from unetdyn.runs.signals import Signalled, signals_raise
from unetdyn.runs.walltime import seconds_of

TRY_AGAIN = 75
"""EX_TEMPFAIL of BSD's sysexits.h: nothing is wrong, the rest is for another time."""


class Walltime(click.ParamType):
    """An option that is read before anything is loaded."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The seconds; a text that is none ends the command."""
        try:
            return seconds_of(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


_walltime = click.option(
    "--walltime",
    type=Walltime(),
    help="Save the state and end before this time is over, as 3:50:00, 1-12:00:00 or in seconds; the exit code is 75.",
)


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, like fit.epochs=5.")
@_walltime
def train(config: Path, overrides: tuple[str, ...], walltime: float | None) -> None:
    """Train as the YAML file CONFIG says, and leave a run directory.

    A training that was ended before its end goes on with `unetdyn resume`.
    """
    _train(config, overrides, walltime)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--epochs", type=click.IntRange(min=1), help="Train to this epoch, also a run that is finished.")
@_walltime
def resume(run: Path, epochs: int | None, walltime: float | None) -> None:
    """Carry on the training of a RUN from its last state, as if it had never been ended.

    Exits with 0 also where nothing is left to do.
    """
    with in_sentences():
        take_backend_of(run)
    with quiet_stderr():
        from unetdyn.experiment import resume_experiment
    _end(lambda: resume_experiment(run, epochs, walltime=walltime))


@click.command()
def demo() -> None:
    """Train a small Attention Residual U-Net on synthetic electron microscopy, in a few minutes."""
    click.echo("Training an Attention Residual U-Net on synthetic electron microscopy (configs/quickstart.yaml)")
    _train(_recipe("quickstart.yaml"), ())


def _train(config: Path, overrides: tuple[str, ...], walltime: float | None = None) -> None:
    with quiet_stderr():
        from unetdyn.experiment import load_config, run_experiment
    _end(lambda: run_experiment(load_config(config, overrides), walltime=walltime))


def _end(training: Callable[[], runs.Run]) -> None:
    """Train, and end the command as the training ended."""
    from unetdyn.callbacks.resumable_run import WalltimeReached
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
    except WalltimeReached as error:
        _stop("Stopped before the walltime.", error, TRY_AGAIN)
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
