"""The command line: train from a configuration, show, diagnose and report runs, and a demonstration."""

import io
import os
import signal
import sys
import tempfile
import threading
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from unetdyn import __version__, runs

if TYPE_CHECKING:
    from unetdyn.analysis import Diagnosis


class _Signal(BaseException):
    """A signal that ends the process; no `except Exception` stops it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class _Failure(click.ClickException):
    """What a command ends with where the user can help it, in one sentence: 1 would say that a run is ill."""

    exit_code = 2

    def __init__(self, error: Exception) -> None:
        super().__init__(_printable(" ".join(str(error).split()) or type(error).__name__))


# TensorFlow greets a machine without a GPU with lines that look like errors. What goes wrong still raises.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="unetdyn")
def main() -> None:
    """Train U-Nets, and see what their training is doing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console may lack a symbol, and a file's name may be no text
            stream.reconfigure(errors="replace")


@main.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key, like fit.epochs=5.")
def train(config: Path, overrides: tuple[str, ...]) -> None:
    """Train as the YAML file CONFIG says, and leave a run directory."""
    _train(config, overrides)


@main.command()
def demo() -> None:
    """Train a small Attention Residual U-Net on synthetic electron microscopy, in a few minutes."""
    click.echo("Training an Attention Residual U-Net on synthetic electron microscopy (configs/quickstart.yaml)")
    _train(_recipe("quickstart.yaml"), ())


@main.command()
@click.argument("run", nargs=-1, required=True, type=click.Path(path_type=Path))
def show(run: tuple[Path, ...]) -> None:
    """Show how the RUN went; several runs side by side.

    What can't be read is told at the end, and the exit code is 2.
    """
    from unetdyn.report.describe import describe

    opened, failures = [], []
    with _in_sentences():
        for path in run:
            try:
                found = runs.open(path)
                describe([found])  # what fails for one must not hide the others
                opened.append(found)
            except (OSError, ValueError) as error:
                failures.append(_Failure(error))
    if opened:
        with warnings.catch_warnings(action="ignore"):  # all was said above
            click.echo(_printable(describe(opened)))
    for failure in failures[:-1]:
        failure.show()
    if failures:
        raise failures[-1]


@main.command()
@click.argument("run", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Write JSON: an object, or a list of them for several runs.")
@click.option("--metric", help="The metric that performance is read from; the Jaccard where it was logged.")
def diagnose(run: tuple[Path, ...], as_json: bool, metric: str | None) -> None:
    """Say what is wrong with the RUN, why, and which one change helps.

    RUN is a run directory, a CSV file, or what TensorBoard, MLflow or Lightning logged. Exits with 0 if no run is ill
    (one to be watched is not), 1 if one is, and 2 if one can't be read.
    """
    from unetdyn.runs.strict_json import dumps

    with _in_sentences():
        found = [(path, _diagnosed(path, metric)) for path in run]
    if as_json:
        objects = [{"run": str(path), **each.to_dict()} for path, each in found]
        click.echo(dumps(objects[0] if len(objects) == 1 else objects, indent=2))
    else:
        several = len(found) > 1
        click.echo(_printable("\n\n\n".join(f"{path}\n{each}" if several else str(each) for path, each in found)))
    if any(each.level == "ill" for _, each in found):
        sys.exit(1)


@main.command()
@click.argument("run", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", default="report.html", show_default=True, type=click.Path(path_type=Path), help="File to write."
)
@click.option("--metric", help="The metric that performance is read from; the Jaccard where it was logged.")
def report(run: tuple[Path, ...], output: Path, metric: str | None) -> None:
    """Write a report of the RUN, or of several side by side, as one HTML file."""
    from unetdyn.report import write_report

    with _in_sentences():
        click.echo(f"report  {write_report(run, output, metric)}")


def _diagnosed(path: Path, metric: str | None) -> "Diagnosis":
    from unetdyn.analysis import diagnose
    from unetdyn.analysis.curves import opened
    from unetdyn.analysis.recorded_settings import stability_settings

    source = opened(path)
    if not isinstance(source, runs.Run):
        return diagnose(source, metric)
    for note in source.notes:
        click.echo(_printable(f"Note: {source.path.name}: {note}"), err=True)
    return diagnose(source, metric, **stability_settings(source.config))


@contextmanager
def _in_sentences() -> Iterator[None]:
    """What the user can help ends the command with one sentence; what is warned of is a note on standard error."""

    def note(message: Warning | str, *_: object, **__: object) -> None:
        click.echo(_printable(f"Note: {message}"), err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = note
        try:
            yield
        except (OSError, ValueError, ImportError) as error:
            raise _Failure(error) from error


def _printable(text: str) -> str:
    """Without what a terminal takes for a command, whatever a run's files hold.

    >>> _printable("red: \x1b[31m")
    'red: ?[31m'
    """
    return "".join(each if each in "\n\t" or unicodedata.category(each) != "Cc" else "?" for each in text)


def _train(config: Path, overrides: tuple[str, ...]) -> None:
    with _quiet_stderr():
        from unetdyn.experiment import ConfigError, load_config, run_experiment
    from unetdyn.report.describe import describe

    try:
        with _signals_raise():
            finished = run_experiment(load_config(config, overrides))
    except ConfigError as error:
        raise _Failure(error) from error
    except (_Signal, KeyboardInterrupt) as error:
        number = error.number if isinstance(error, _Signal) else signal.SIGINT
        with suppress(OSError):  # a terminal that was closed sends SIGHUP, and hears nothing
            click.echo(_sentence(f"Stopped by {signal.Signals(number).name}.", error), err=True)
        sys.exit(128 + number)  # as shells have it
    except Exception as error:
        if (text := _told_in_a_sentence(error)) is None:
            raise
        raise click.ClickException(_sentence(text, error)) from error
    click.echo("\n" + describe([finished]))


def _told_in_a_sentence(error: Exception) -> str | None:
    """Of what a user can do something about; None for what is a fault of the program, and wants its traceback."""
    text = " ".join(str(error).split())
    lowered = f"{type(error).__name__} {text}".lower()
    if any(sign in lowered for sign in ("resource_exhausted", "resourceexhausted", "out of memory", "memoryerror")):
        return f"Memory ran out; a smaller `fit.batch_size`, `data.tile` or `model.filters` needs less. {text[:200]}"
    return f"{type(error).__name__}: {text}" if isinstance(error, OSError) else None


def _sentence(text: str, error: BaseException) -> str:
    return " ".join([text.rstrip(".") + ".", *getattr(error, "__notes__", ())])


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Let what a scheduler or a closed terminal sends end a training as Ctrl-C does, with its record and its picture.

    What is ignored, as under `nohup`, stays ignored.
    """
    before = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [number for name in ("SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
        before = {number: signal.getsignal(number) for number in numbers}
        before = {number: handler for number, handler in before.items() if handler is signal.SIG_DFL}
    try:
        for number in before:
            signal.signal(number, _raise_signal)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _raise_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise _Signal(number)


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Hold back what is written to standard error, and show it only if something is raised.

    TensorFlow's libraries write while they load, before any of their log levels applies, and past `sys.stderr`.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, os.fdopen(os.dup(2), "wb") as stderr:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            stderr.write(held.read())
            raise
        finally:
            os.dup2(stderr.fileno(), 2)


def _recipe(name: str) -> Path:
    """A ready configuration: inside an installed package, or in the checkout of an editable installation."""
    package = Path(__file__).parent
    packaged = package / "configs" / name
    return packaged if packaged.is_file() else package.parents[1] / "configs" / name


if __name__ == "__main__":
    main()
