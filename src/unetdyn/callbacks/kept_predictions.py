"""The epochs whose predictions are kept: in so many bytes, spread over the training."""

from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Packed = NDArray[np.uint8]


def least_missed(epochs: Sequence[int], needed: Container[int | None]) -> int | None:
    """Which epoch is given up: that whose neighbours are closest to each other, the first of several.

    Args:
        epochs: Those that are kept, in order.
        needed: Which are never given up; neither are the first and the last.

    Returns:
        The epoch; None where all are needed.

    Example:
        >>> least_missed([0, 4, 5, 9, 20], needed=()), least_missed([0, 4, 5, 9, 20], needed=(4, 5))
        (4, 9)
    """
    spans = {
        epoch: after - before
        for before, epoch, after in zip(epochs, epochs[1:], epochs[2:], strict=False)
        if epoch not in needed
    }
    return min(spans, key=lambda epoch: spans[epoch], default=None)


class KeptPredictions:
    """Compressed pictures by epoch, of which some are given up where they are more than `room` bytes together.

    Kept are the first epoch, the last and the best, and others as evenly spread as they can be that come one by one:
    given up is the epoch whose neighbours are closest to each other, as often as it takes.

    Args:
        room: Bytes.

    Example:
        >>> kept = KeptPredictions(room=4)
        >>> for epoch in range(9):
        ...     kept.add(epoch, {"probability": np.zeros(1, dtype=np.uint8)}, best=None)
        >>> kept.epochs
        [0, 4, 7, 8]
    """

    def __init__(self, room: int) -> None:
        self.room = room
        self._of: dict[int, dict[str, Packed]] = {}

    def __len__(self) -> int:
        return len(self._of)

    @property
    def epochs(self) -> list[int]:
        """Those that are kept, in order."""
        return sorted(self._of)

    @property
    def bytes(self) -> int:
        """All of them."""
        return sum(stream.nbytes for pictures in self._of.values() for stream in pictures.values())

    def add(self, epoch: int, pictures: Mapping[str, Packed], best: int | None) -> None:
        """Keep an epoch, and give up others where there is no room.

        Args:
            epoch: From 0.
            pictures: By name.
            best: The epoch that is the best so far.
        """
        self._of[epoch] = dict(pictures)
        while self.bytes > self.room:
            given_up = least_missed(self.epochs, (best,))
            if given_up is None:
                return
            del self._of[given_up]

    def named(self, name: str) -> dict[str, Packed]:
        """The pictures of that name, by epoch as a text."""
        return {str(epoch): self._of[epoch][name] for epoch in self.epochs if name in self._of[epoch]}

    def others(self, name: str) -> dict[str, Packed]:
        """The pictures of all other names, by epoch and name, with a `/` between them."""
        return {
            f"{epoch}/{own}": stream
            for epoch in self.epochs
            for own, stream in sorted(self._of[epoch].items())
            if own != name
        }

    def get_state(self) -> dict[str, Any]:
        """All of them."""
        return {"room": self.room, "epochs": [(epoch, dict(self._of[epoch])) for epoch in self.epochs]}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on with these.

        Args:
            state: From `get_state`.
        """
        self.room, self._of = state["room"], {int(epoch): dict(pictures) for epoch, pictures in state["epochs"]}
