"""What a `PredictionRecorder` kept: tiles, and what the model predicted of them in some epochs, eight bits a pixel.

In the record each picture is one array of bytes, compressed as zlib does it: a whole picture takes a fraction of its
pixels, and none is compressed twice. `shape` says how they are unpacked.
"""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetdyn.runs.records import RunError

NAME = "predictions"
"""Of the record, where the monitor was given no other."""

LEVELS = 256
HALF = 128
"""The least level of a probability above 0.5."""

KINDS = ("most foreground", "most boundary", "hardest", "random")
"""Why a tile was chosen; a record has their numbers, from 0."""


def quantised(probabilities: ArrayLike) -> NDArray[np.uint8]:
    """Probabilities in eight bits: ⌈256 p⌉ − 1, so that 128 and more is above 0.5, and 127 is 0.5 itself or less.

    Args:
        probabilities: In [0, 1], of any shape.

    Returns:
        Levels of the same shape. (level + ½) / 256 differs by 1/512 from the probability at most.

    Example:
        >>> quantised([0.0, 0.5, 0.5001, 1.0]).tolist()
        [0, 127, 128, 255]
    """
    levels = np.ceil(np.asarray(probabilities, dtype=np.float64) * LEVELS) - 1
    return np.clip(levels, 0, LEVELS - 1).astype(np.uint8)


def packed(picture: NDArray[Any]) -> NDArray[np.uint8]:
    """An array of bytes or truth values, compressed; `unpacked` has it back."""
    return np.frombuffer(zlib.compress(np.ascontiguousarray(picture).tobytes()), dtype=np.uint8)


def unpacked(stream: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """What `packed` was given.

    Args:
        stream: From `packed`.
        shape: Of the picture.

    Raises:
        ValueError: If it is no such stream, or holds another number of bytes. No more than that is unpacked.

    Example:
        >>> unpacked(packed(np.array([[1, 2], [3, 4]], dtype=np.uint8)), (2, 2)).tolist()
        [[1, 2], [3, 4]]
    """
    stream = np.asarray(stream)
    if stream.dtype != np.uint8 or stream.ndim != 1:
        raise ValueError(f"a picture must be bytes in one row. Received: {stream.dtype} of shape {stream.shape}")
    size = math.prod(shape)
    try:
        content = zlib.decompressobj().decompress(stream.tobytes(), size + 1)
    except zlib.error as error:
        raise ValueError(f"a picture is no zlib stream ({error})") from error
    if len(content) != size:
        raise ValueError(f"a picture of shape {shape} must hold {size} bytes")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


@dataclass(frozen=True, eq=False)
class Predictions:
    """The tiles of a run and what was predicted of them; unpacked when it is asked for.

    Attributes:
        epochs: Those whose predictions are kept, from 0, in order.
        best: The best of them, by what the model is chosen by; None where that is not known.
        kinds: Why each tile was chosen, each of `KINDS`.
        places: `(tiles, 3)`: which of the images that were looked through, first row and first column.
        shape: (tiles, height, width, channels).

    Example:
        >>> from unetdyn.runs.predictions import Predictions, packed
        >>> picture = np.zeros((1, 2, 2), dtype=np.uint8)
        >>> record = {"shape": np.array([1, 2, 2, 1]), "kind": np.array([3]), "place": np.zeros((1, 3), int)}
        >>> record |= {"image": packed(picture), "mask": packed(picture), "best": np.array(-1)}
        >>> record |= {"probability": {"4": packed(picture + 200)}, "gate": {}, "gate_shape": {}}
        >>> found = Predictions.from_record(record)
        >>> found.epochs, float(found.probability(4).max()), found.mask.shape
        ((4,), 0.783203125, (1, 2, 2))
    """

    epochs: tuple[int, ...]
    best: int | None
    kinds: tuple[str, ...]
    places: NDArray[np.int64]
    shape: tuple[int, int, int, int]
    _record: Mapping[str, Any]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Predictions":
        """Of the arrays that a `PredictionRecorder` records.

        Args:
            record: Its `record`, or `Run.arrays`.

        Raises:
            RunError: A ValueError: if they are no such arrays.
        """
        try:
            shape = tuple(int(length) for length in _whole(record["shape"], (4,)))
            if min(shape) < 0 or shape[3] not in (1, 3):
                raise ValueError(f"`shape` must be tiles, height, width, and 1 or 3 channels. Received: {shape}")
            kinds = _whole(record["kind"], shape[:1])
            if not np.isin(kinds, range(len(KINDS))).all():
                raise ValueError(f"`kind` must be from 0 to {len(KINDS) - 1} for each tile. Received: {kinds.tolist()}")
            streams, best = record["probability"], int(_whole(record["best"], ()))
            if not all(isinstance(record[name], Mapping) for name in ("probability", "gate", "gate_shape")):
                raise ValueError("`probability`, `gate` and `gate_shape` must be dictionaries")
            epochs = tuple(sorted(int(epoch) for epoch in streams))
            places = _whole(record["place"], (shape[0], 3))
            if missing := {"image", "mask"} - record.keys():
                raise KeyError(min(missing))
        except KeyError as error:
            raise RunError(f"The record of predictions is damaged: it lacks {error}.") from error
        except (ValueError, TypeError, OverflowError) as error:
            raise RunError(f"The record of predictions is damaged: {error}.") from error
        texts = tuple(KINDS[kind] for kind in kinds)
        return cls(epochs, best if best in epochs else None, texts, places, shape, record)  # type: ignore[arg-type]

    @property
    def image(self) -> NDArray[np.uint8]:
        """`(tiles, height, width, channels)`: the images, from their darkest (0) to their brightest (255)."""
        return self._unpacked(self._record["image"], self.shape)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """`(tiles, height, width)`."""
        return self._unpacked(self._record["mask"], self.shape[:3]) > 0

    def probability(self, epoch: int) -> NDArray[np.float32]:
        """What was predicted in an epoch: `(tiles, height, width)`, within 1/512; above 0.5 where it was above.

        Args:
            epoch: One of `epochs`.

        Raises:
            KeyError: If nothing is kept of it.
            RunError: A ValueError: if what is kept is damaged.
        """
        levels = self._unpacked(self._of(epoch), self.shape[:3])
        return _middles(levels)

    def gates(self, epoch: int) -> dict[str, NDArray[np.float32]]:
        """The maps of the attention gates in an epoch, each `(tiles, height, width)` in a resolution of its own.

        Args:
            epoch: One of `epochs`; empty where the model has no gates.

        Raises:
            KeyError: If nothing is kept of it.
            RunError: A ValueError: if what is kept is damaged.
        """
        self._of(epoch)
        found = {}
        for name, stream in sorted(self._record["gate"].items()):
            of, _, gate = str(name).partition("/")
            if of == str(epoch):
                shape = self._record["gate_shape"].get(gate)
                try:
                    height, width = (int(length) for length in _whole(shape, (2,)))
                except (ValueError, TypeError) as error:
                    raise RunError(f"The record of predictions is damaged: the shape of {gate!r}: {error}.") from error
                levels = self._unpacked(stream, (self.shape[0], height, width))
                found[gate] = _middles(levels)
        return found

    def _of(self, epoch: int) -> Any:
        if epoch not in self.epochs:
            raise KeyError(f"There are no predictions of epoch {epoch} (from 0), but of {list(self.epochs)}.")
        return next(stream for name, stream in self._record["probability"].items() if int(name) == epoch)

    def _unpacked(self, stream: Any, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        try:
            return unpacked(stream, shape)
        except (ValueError, TypeError, OverflowError, MemoryError) as error:
            raise RunError(f"The record of predictions is damaged: {error}.") from error


def _middles(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The probability in the middle of each level."""
    return (levels + np.float32(0.5)) / np.float32(LEVELS)


def _whole(value: Any, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Whole numbers of that shape.

    Raises:
        ValueError: If they are not.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "iu" or array.shape != shape:
        raise ValueError(f"whole numbers of shape {shape} were expected. Received: {array.dtype} of {array.shape}")
    return array.astype(np.int64)
