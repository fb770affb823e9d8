"""A model or a function, called on batches of one shape, so that it is compiled once."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from unetdyn._checks import is_count, memory_ran_out
from unetdyn.inference.started import starter

Model = keras.Model | Callable[[np.ndarray], Any]
_MULTIPLE = 16  # what is proposed where a network refuses a tile: most halve four times at most


class CalledModel:
    """Calls a Keras model as `predict_on_batch` does, and anything else as it is.

    A Keras model may go on computing after `start` has returned; `finish` waits for it.

    Args:
        model: A `keras.Model` with one input and one output, or a function of `(batch, *tile, channels)`.

    Raises:
        TypeError: If it is neither.
        ValueError: If it has several inputs or outputs, or they are no images.
    """

    def __init__(self, model: Any) -> None:
        if not callable(model):
            raise TypeError(
                "`model` must be a Keras model, a function of batches, or the path of a `.keras` file or a run "
                f"directory. Received: a {type(model).__name__}."
            )
        self.model = model
        self._start: Callable[[np.ndarray], Any] | None = None if isinstance(model, keras.Model) else model
        self.input_shape = self._input_shape()

    def hash(self) -> str:
        """Of the weights; of a function its name, as nobody can look into it."""
        if not isinstance(self.model, keras.Model):
            return str(getattr(self.model, "__qualname__", type(self.model).__qualname__))
        found = hashlib.sha256()
        for weight in self.model.weights:
            value = keras.ops.convert_to_numpy(weight.value)
            found.update(f"{value.shape} {value.dtype}".encode())
            found.update(np.ascontiguousarray(value).tobytes())
        return found.hexdigest()[:16]

    def tile_of(self, tile: int | Sequence[int] | None, stored: tuple[int, ...] | None) -> tuple[int, ...]:
        """The sides of a tile: as asked for, else as the model has them, else as it was trained with.

        Raises:
            ValueError: If they don't fit the model, or nobody says them.
        """
        fixed = self.input_shape and self.input_shape[:-1]
        if tile is None:
            tile = fixed if fixed and None not in fixed else stored  # type: ignore[assignment]
        rank = len(fixed) if fixed else None
        sides: Any = (tile,) * (rank or 2) if is_count(tile) else tile
        if not isinstance(sides, Sequence) or len(sides) not in (2, 3) or not all(is_count(n) and n > 0 for n in sides):
            raise ValueError(
                "`tile` must be a whole number of pixels, or (height, width), or (depth, height, width) in 3D; it can "
                f"be left out where the model or its recipe says it. Received: tile={tile!r}."
            )
        if fixed and (len(fixed) != len(sides) or any(f not in (None, n) for f, n in zip(fixed, sides, strict=True))):
            raise ValueError(f"`tile` must fit the model, which takes {_words(fixed)} pixels. Received: tile={tile!r}.")
        return tuple(int(side) for side in sides)

    def check_channels(self, channels: int) -> None:
        """Refuse a source of another number of channels than the model takes."""
        expected = self.input_shape and self.input_shape[-1]
        if expected not in (None, channels):
            raise ValueError(
                f"`source` must have {expected} channel{'s' * (expected != 1)}, as the model takes. Received: a source "
                f"of {channels}. Where its axes were taken for others than they are, name them, such as axes='zyx'."
            )

    def classes(self, batch: tuple[int, ...]) -> int:
        """How many channels come out, found by a call on zeros, which also compiles it.

        Args:
            batch: `(batch, *tile, channels)`.

        Raises:
            ValueError: If the model fails on that, or gives another shape. Where memory runs out, what the backend
                raises.
        """
        tile = batch[1:-1]
        try:
            fetched = keras.tree.map_structure(self._fetch, self.start(np.zeros(batch, np.float32)))
        except Exception as error:  # each backend has its own
            if memory_ran_out(error):
                raise
            raise self._does_not_take(tile, error) from error
        outputs = _one(fetched)
        if outputs.shape[:-1] != batch[:-1]:
            raise ValueError(
                f"`model` must give a value for each pixel of a tile: {(*batch[:-1], 'classes')}. Received: outputs of "
                f"shape {outputs.shape}. A network without padding can't be put together from tiles like this."
            )
        return outputs.shape[-1]

    def start(self, batch: np.ndarray) -> Any:
        """Outputs that may still be computed."""
        if self._start is None:
            if not self.model.built:
                self.model.predict_on_batch(batch)
            self._start = starter(self.model)
        return self._start(batch)

    def finish(self, outputs: Any) -> np.ndarray:
        """What the model gave, in `float32`, once it is there; in any thread."""
        return self._fetch(_one(outputs))

    def _fetch(self, outputs: Any) -> np.ndarray:
        found = keras.ops.convert_to_numpy(outputs) if isinstance(self.model, keras.Model) else np.asarray(outputs)
        return found.astype(np.float32, copy=False)

    def _input_shape(self) -> tuple[int | None, ...] | None:
        """(*sides, channels); None where it is not known."""
        shape = getattr(self.model, "input_shape", None) if isinstance(self.model, keras.Model) else None
        if shape is None:
            return None
        if not isinstance(shape, tuple) or len(shape) not in (4, 5):
            raise ValueError(
                "`model` must take images: (batch, height, width, channels), or with a depth before the height. "
                f"Received: a model of input_shape={shape!r}."
            )
        return shape[1:]

    @staticmethod
    def _does_not_take(tile: tuple[int, ...], error: Exception) -> ValueError:
        proposed = tuple(-(-side // _MULTIPLE) * _MULTIPLE for side in tile)
        why = " ".join(str(error).split())[:200]
        halves = f" A network that halves its input d times takes multiples of 2^d, such as {proposed}."
        advice = "" if proposed == tile else halves
        return ValueError(
            f"`tile` must be what the model takes. Received: tile={tile}, on which it fails ({type(error).__name__}: "
            f"{why}).{advice}"
        )


def _one(outputs: Any) -> Any:
    if isinstance(outputs, dict | list | tuple):
        raise ValueError(
            f"`model` must have one output. Received: a model with {len(outputs)} outputs. Pass one of them: "
            "keras.Model(model.inputs, model.outputs[0])."
        )
    return outputs


def _words(sides: Sequence[int | None]) -> str:
    return "×".join("any" if side is None else str(side) for side in sides)
