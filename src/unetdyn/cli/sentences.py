"""How a command ends where the user can help it: in one sentence, with nothing in it that commands a terminal."""

import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import click

from unetdyn._checks import memory_ran_out


class Failure(click.ClickException):
    """What a command ends with where the user can help it, in one sentence: 1 would say that a run is ill."""

    exit_code = 2

    def __init__(self, error: Exception) -> None:
        super().__init__(printable(" ".join(str(error).split()) or type(error).__name__))


@contextmanager
def in_sentences() -> Iterator[None]:
    """What the user can help ends the command with one sentence; what is warned of is a note on standard error."""

    def note(message: Warning | str, *_: object, **__: object) -> None:
        click.echo(printable(f"Note: {message}"), err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = note
        try:
            yield
        except (OSError, ValueError, ImportError) as error:
            raise Failure(error) from error


def printable(text: str) -> str:
    """Without what a terminal takes for a command, whatever a run's files hold.

    >>> printable("red: \x1b[31m")
    'red: ?[31m'
    """
    return "".join(each if each in "\n\t" or unicodedata.category(each) != "Cc" else "?" for each in text)


def with_notes(text: str, error: BaseException) -> str:
    """A sentence, and after it what was added to the error on its way.

    >>> error = OSError()
    >>> error.add_note("The run is in runs/x.")
    >>> with_notes("The disk is full", error)
    'The disk is full. The run is in runs/x.'
    """
    return " ".join([text.rstrip(".") + ".", *getattr(error, "__notes__", ())])


def told_in_a_sentence(error: Exception) -> str | None:
    """Of what a user can do something about; None for what is a fault of the program, and wants its traceback."""
    text = " ".join(str(error).split())
    if memory_ran_out(error):
        return f"Memory ran out; a smaller `fit.batch_size`, `data.tile` or `model.filters` needs less. {text[:200]}"
    return f"{type(error).__name__}: {text}" if isinstance(error, OSError) else None
