"""The command that searches adaptively: `unetdyn sweep search`."""

import signal
import sys
from pathlib import Path

import click

from unetdyn.cli.quiet import quiet_stderr
from unetdyn.cli.sentences import in_sentences, printable, with_notes
from unetdyn.cli.training import TRY_AGAIN, Walltime
from unetdyn.runs.signals import Signalled, signals_raise


@click.command()
@click.argument("search", type=click.Path(path_type=Path))
@click.option("--trials", type=click.IntRange(min=1), help="How many in all, over all workers; else as the file says.")
@click.option(
    "--storage", envvar="UNETDYN_STORAGE", help="URL of the database or the gRPC proxy, in place of the file's."
)
@click.option(
    "--walltime",
    type=Walltime(),
    help="Save the state and end before this time is over; the exit code is 75, and the next worker carries on.",
)
def search(search: Path, trials: int | None, storage: str | None, walltime: float | None) -> None:
    """Let Optuna choose the settings of one training after the other, as the YAML file SEARCH says.

    The command is a worker: start it as often as there are GPUs, on as many machines as can write the storage, and
    again where workers were killed. Exits with 0 once all trials are there.
    """
    with in_sentences():
        with quiet_stderr():
            from unetdyn.callbacks.resumable_run import WalltimeReached
            from unetdyn.sweeps.search import search as work
            from unetdyn.sweeps.search_space import read_search
            from unetdyn.sweeps.search_study import described
        try:
            with signals_raise():
                study = work(search, trials, storage, walltime)
        except (Signalled, KeyboardInterrupt) as error:
            number = error.number if isinstance(error, Signalled) else signal.SIGINT
            _stop(f"Stopped by {signal.Signals(number).name}; the next worker carries on.", error, 128 + number)
        except WalltimeReached as error:
            _stop("Stopped before the walltime; the next worker carries on.", error, TRY_AGAIN)
        asked = read_search(search)
        assert asked.directory is not None, "made absolute when it was read"
        click.echo("\n" + printable(described(asked, asked.directory, study)))


def _stop(sentence: str, error: BaseException, code: int) -> None:
    click.echo(with_notes(sentence, error), err=True)
    sys.exit(code)
