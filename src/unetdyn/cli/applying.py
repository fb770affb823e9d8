"""What the commands that apply a model share: their options, and how they end."""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import click

from unetdyn._checks import memory_ran_out
from unetdyn.cli.sentences import Failure, in_sentences
from unetdyn.runs.signals import Signalled, signals_raise


class Numbers(click.ParamType):
    """Whole numbers with commas between them, such as the sides of a tile."""

    name = "pixels"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int | tuple[int, ...]:
        """One number, or a tuple of two or three."""
        try:
            sides = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            sides = ()
        if not 1 <= len(sides) <= 3 or min(sides) < 1:
            self.fail(f"{value!r} is no number of pixels, like 256, 256,384 or 16,128,128.", param, ctx)
        return sides[0] if len(sides) == 1 else sides


class HowNormalised(click.ParamType):
    """The name of a way, or two numbers."""

    name = "how"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """As of `predict_tiled`."""
        from unetdyn.runs.input_recipe import checked_normalise

        text = str(value)
        try:
            return checked_normalise(tuple(float(part) for part in text.split(",")) if "," in text else text)
        except ValueError as error:
            self.fail(f"{error}", param, ctx)


class Threshold(click.ParamType):
    """A number from 0 to 1, or "best"."""

    name = "best|number"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float | str:
        """Either."""
        if value == "best":
            return "best"
        try:
            number = float(str(value))
        except ValueError:
            number = -1.0
        if not 0 <= number <= 1:
            self.fail(f"{value!r} is neither `best` nor a number from 0 to 1.", param, ctx)
        return number


def options_of_predicting(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how tiles are predicted."""
    for option in reversed(
        (
            click.option("--tile", type=Numbers(), help="Sides of a tile; as the model was trained by default."),
            click.option(
                "--overlap",
                type=click.FloatRange(0, 1, max_open=True),
                default=0.5,
                show_default=True,
                help="Share of a tile that its neighbour covers too.",
            ),
            click.option("--tta", type=click.Choice(["mirrors", "all"]), help="Average over mirror images, and turns."),
            click.option(
                "--normalise", type=HowNormalised(), help="per_image, unit, none or MEAN,DEVIATION; as the model says."
            ),
            click.option(
                "--batch-size",
                type=click.IntRange(min=1),
                default=8,
                show_default=True,
                help="Tiles predicted at once.",
            ),
        )
    ):
        command = option(command)
    return command


@contextmanager
def ending_in_a_sentence(afterwards: str) -> Iterator[None]:
    """Errors that the user can help are one sentence; a signal ends the command as it ends others.

    Args:
        afterwards: What can be done after a signal.
    """
    try:
        with signals_raise(), in_sentences():
            yield
    except (Signalled, KeyboardInterrupt) as error:
        number = error.number if isinstance(error, Signalled) else signal.SIGINT
        with suppress(OSError):  # a terminal that was closed sends SIGHUP, and hears nothing
            click.echo(f"Stopped by {signal.Signals(number).name}. {afterwards}", err=True)
        sys.exit(128 + number)  # as shells have it
    except Failure:
        raise
    except Exception as error:  # each backend has its own for this
        if not memory_ran_out(error):
            raise
        why = " ".join(str(error).split())[:200]
        raise Failure(MemoryError(f"Memory ran out; a smaller --batch-size or --tile needs less. {why}")) from error
