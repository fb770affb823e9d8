"""The sign of life of who works on a row: its claim is touched, so that its age by the file system tells."""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

HEARTBEAT = 30.0
"""Seconds between two. A thousand workers are then 33 changes of a file's time a second, which a server of files
does not notice, and who has lost its row knows within half a minute."""


class Heartbeat:
    """Touches a file from a thread of its own until it is stopped, or the process ends.

    Args:
        file: It must be there.
        seconds: Between two touches.
        lost: Whether the file is another's by now; asked before each touch, and then never touched again.
        on_lost: Called once, in that thread, when it is; None for nothing.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "claim"
        >>> file.touch()
        >>> heard = threading.Event()
        >>> beat = Heartbeat(file, 0.01, lambda: True, heard.set)
        >>> heard.wait(60)
        True
        >>> beat.stop()
    """

    def __init__(
        self, file: Path, seconds: float, lost: Callable[[], bool], on_lost: Callable[[], None] | None = None
    ) -> None:
        self._file, self._seconds, self._lost, self._on_lost = file, seconds, lost, on_lost
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No touch comes after this."""
        self._over.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(5)  # it may wait for a server of files that is away

    def _beat(self) -> None:
        while not self._over.wait(self._seconds):
            with suppress(OSError):  # a server of files that is away for a moment ends no training
                if self._lost():
                    if self._on_lost is not None and not self._over.is_set():
                        self._on_lost()
                    return
                os.utime(self._file)
