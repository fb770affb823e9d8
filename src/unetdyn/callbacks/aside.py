"""What only shows or records ends no training: what it raises is told once, and training goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Aside:
    """Stands between a training and what only shows or records it.

    Args:
        tell: Is given what could not be done, and the error. Not again for another error of the same kind: a full disk
            is one trouble, whatever could not be written on it.

    Example:
        >>> aside = Aside(lambda what, error: print(f"{what}: {error}"))
        >>> for file in ("epochs.jsonl", "run.json"):
        ...     with aside(file):
        ...         raise OSError(28, "No space left on device")
        epochs.jsonl: [Errno 28] No space left on device
    """

    def __init__(self, tell: Callable[[str, Exception], None]) -> None:
        self._tell = tell
        self._told: set[tuple[object, ...]] = set()

    @contextmanager
    def __call__(self, what: str) -> Iterator[None]:
        """A block whose exceptions end here.

        Args:
            what: What is done in it, as the subject of "could not be written".
        """
        try:
            yield
        except Warning:  # an error only where the user's own filters make it one
            raise
        except Exception as error:
            kind = (type(error), error.errno) if isinstance(error, OSError) else (type(error), what)
            if kind not in self._told:
                self._told.add(kind)
                self._tell(what, error)
