"""What a scheduler or a closed terminal sends, raised as an exception."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Signalled(BaseException):
    """A signal that ends the process; no `except Exception` stops it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def signals_raise() -> Iterator[None]:
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
    raise Signalled(number)
