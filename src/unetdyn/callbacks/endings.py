"""How a process ends in the midst of a training: by a signal, or by leaving. Who records the training is told."""

import atexit
import os
import signal
import sys
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

SIGNALS = ("SIGTERM", "SIGHUP", "SIGXCPU", *(("SIGUSR1", "SIGUSR2") if sys.platform == "linux" else ()))
"""What schedulers and closed terminals send, as far as the platform has it; each ends a process by default.

The last two often have a handler below Python, such as that of `faulthandler`, which only Linux shows.
"""


class Attendant(Protocol):
    """Who is told."""

    def on_signal(self, name: str) -> None:
        """A signal came, such as `"SIGTERM"`. Called between any two instructions: nothing may wait for a device."""

    def on_exit(self, error: BaseException | None) -> None:
        """The process leaves, because of an exception that nobody caught, if one is given."""


class Postponing(Attendant, Protocol):
    """Who wants to do something first."""

    def postpone(self, name: str) -> bool:
        """Whether it calls `go_on_ending` soon; not for a second signal: who sends it has lost patience.

        Called between any two instructions, as `on_signal` is.
        """


_attending: "weakref.WeakSet[Attendant]" = weakref.WeakSet()
_before: dict[int, Any] = {}
"""The handlers in whose place ours are."""
_postponed: int | None = None
"""A signal whose turn comes later."""
_process = 0
"""A forked child inherits the handlers, and is not the training."""


def attend(attendant: Attendant) -> None:
    """Tell it of the process's end, until `leave` or until it is gone.

    A signal does what it did before: afterwards the handler that was there is called, or the process ends. What is
    ignored stays ignored, as under `nohup`. Python hears signals in its main thread only: in another nothing is done.
    Ctrl-C is an exception for whoever does not postpone it.

    Args:
        attendant: Held weakly.
    """
    global _process, _postponed
    if threading.current_thread() is not threading.main_thread():
        return
    if _process != os.getpid():
        _attending.clear()
        _process, _postponed = os.getpid(), None
    if attendant not in _attending:
        _attending.add(attendant)
        weakref.finalize(attendant, _put_back).atexit = False
    for name in (*SIGNALS, "SIGINT") if hasattr(attendant, "postpone") else SIGNALS:
        number = getattr(signal, name, None)
        if number is None:
            continue
        before = signal.getsignal(number)
        if number in _before and callable(before) and before is not _before[number]:
            continue  # ours, or a later one, which may hand on to it; not that in whose place ours was, and is no more
        if callable(before) or (before is signal.SIG_DFL and not _caught_below(number)):
            signal.signal(number, _handle)
            _before[number] = before


def leave(attendant: Attendant) -> None:
    """Tell it no more; after the last, handlers are what they were, unless somebody has put others in their place."""
    _attending.discard(attendant)
    _put_back()


def _put_back() -> None:
    """Where nobody is told any more, give signals the handlers back in whose place ours are."""
    nobody = not any(True for _ in _attending)  # `len` counts who is just going
    if not nobody or threading.current_thread() is not threading.main_thread():
        return
    for number, before in list(_before.items()):
        if signal.getsignal(number) is _handle:
            signal.signal(number, before)
            del _before[number]


def _caught_below(number: int) -> bool:
    """Whether there is a handler of which Python knows nothing; it stays."""
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        caught = next(line for line in lines if line.startswith("SigCgt:"))
        return bool(int(caught.split()[1], 16) >> (number - 1) & 1)
    return False


def go_on_ending() -> None:
    """Let a signal that was postponed do what it does."""
    if _postponed is not None:
        _end(_postponed, sys._getframe())


def tell(name: str) -> None:
    """Tell all that the process will end, as if a signal of this name had come.

    Args:
        name: As in a sentence.
    """
    for attendant in _attended():
        with suppress(Exception):  # what records must not keep a process from ending
            attendant.on_signal(name)


def _handle(number: int, frame: FrameType | None) -> None:
    global _postponed
    name = signal.Signals(number).name
    if any(each.postpone(name) for each in _attended() if hasattr(each, "postpone")):
        _postponed = number
        return
    _end(number, frame)


def _end(number: int, frame: FrameType | None) -> None:
    global _postponed
    _postponed = None
    tell(signal.Signals(number).name)
    before = _before.get(number, signal.getsignal(number))  # of whom all have left, what was there is there again
    if callable(before):
        before(number, frame)
    else:
        signal.signal(number, before)
        _before.pop(number, None)
        signal.raise_signal(number)


def _attended() -> tuple[Attendant, ...]:
    return tuple(_attending) if _process == os.getpid() else ()


@atexit.register
def _leaving() -> None:
    # What a console shows last need not be what ended the training; a script ends with it.
    ipython = sys.modules.get("IPython")
    console = hasattr(sys, "ps1") or (ipython is not None and ipython.get_ipython() is not None)
    error = None if console else getattr(sys, "last_exc", getattr(sys, "last_value", None))
    for attendant in _attended():
        with suppress(Exception):
            attendant.on_exit(error)
