"""The tiles that are looked at again and again: chosen once, and what was predicted of them in so many bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.thresholds.flips import jaccard_of
from unetdyn.callbacks.chosen_tiles import Tile, as_images, chosen_tiles, cut, eight_bits, gate_pictures, two_axes
from unetdyn.callbacks.kept_predictions import KeptPredictions
from unetdyn.callbacks.probe_monitor import Maps
from unetdyn.callbacks.probe_set import NoProbeError, Probe
from unetdyn.runs.predictions import HALF, KINDS, packed, quantised

_LEAST_EPOCHS = 4  # the first, the best, the last, and the new last one before the old is given up
_OVERHEAD = 128  # bytes: what zlib adds to a picture that can't be compressed is less


class WatchedTiles:
    """Tiles of the probe images, as pictures, and the compressed predictions of some epochs.

    Args:
        size: Height and width at most.
        max_bytes: How much is kept, images and masks with it.

    Attributes:
        chosen: The tiles, none before `choose`.
        kept: What was predicted of them.
    """

    def __init__(self, size: int, max_bytes: int) -> None:
        self.chosen: tuple[Tile, ...] = ()
        self.kept = KeptPredictions(max_bytes)
        self._size = size
        self._shape: tuple[int, ...] = (0, 0, 0, 1)
        self._image = self._mask = packed(np.zeros(0, dtype=np.uint8))
        self._gate_shapes: dict[str, tuple[int, ...]] = {}

    @property
    def record(self) -> dict[str, Any]:
        """As `unetdyn.runs.predictions` reads it, but for the best epoch."""
        return {
            "shape": np.array(self._shape, dtype=np.int64),
            "kind": np.array([KINDS.index(tile.kind) for tile in self.chosen], dtype=np.int64),
            "place": np.array([tile[:3] for tile in self.chosen], dtype=np.int64).reshape(-1, 3),
            "image": self._image,
            "mask": self._mask,
            "probability": self.kept.named("probability"),
            "gate": self.kept.others("probability"),
            "gate_shape": {gate: np.array(shape, dtype=np.int64) for gate, shape in self._gate_shapes.items()},
        }

    @property
    def rows(self) -> list[int]:
        """Which of the images of `probe_of` each tile is of."""
        images = self._images
        return [images.index(tile.image) for tile in self.chosen]

    def choose(self, x: NDArray[Any], maps: Maps, gates: int, each: int, seed: int) -> None:
        """Choose tiles, for good: so many of each kind, or fewer where there is no room.

        Args:
            x: The images.
            maps: Their masks, and what is predicted of them now.
            gates: How many maps of gates will be kept with each prediction.
            each: How many of each kind.
            seed: Of those that are chosen by chance.

        Raises:
            ValueError: If there is no room for one; the text says why, as the rest of a sentence.
        """
        space = maps.target.shape[1:]
        target, p = (two_axes(values, len(space)) for values in (maps.target, maps.probabilities))
        images = as_images(x, space)
        height, width = (min(self._size, length) for length in target.shape[1:])
        of_one = height * width * (images.shape[-1] + 1) + _LEAST_EPOCHS * (height * width + gates * 4096)
        room = self.kept.room
        most = (room - (2 + _LEAST_EPOCHS * (1 + gates)) * _OVERHEAD) * 1000 // (1001 * of_one)
        if most < 1:
            raise ValueError(f"a tile of {height} × {width} pixels needs {of_one} bytes, and max_bytes is {room}")
        self.chosen = tuple(chosen_tiles(target, p, each, self._size, most, seed))
        shown = eight_bits(np.stack([cut(images, *tile[:3], self._size) for tile in self.chosen]))
        self._shape = shown.shape
        self._image = packed(shown)
        self._mask = packed(np.stack([cut(target, *tile[:3], self._size) for tile in self.chosen]))
        self.kept.room = room - self._image.nbytes - self._mask.nbytes

    def probe_of(self, probe: Probe) -> Probe:
        """The images that tiles are of, in whole batches: what fills up the last one is looked at by nobody.

        Args:
            probe: From which they were chosen.

        Raises:
            NoProbeError: If it has fewer images than that.
        """
        images = self._images
        if images[-1] >= len(probe.x):
            raise NoProbeError("the validation data are others than those that the tiles were chosen from")
        return probe.picked(images + images[:1] * (-len(images) % probe.batch_size))

    def keep(
        self, epoch: int, maps: Maps, gates: Mapping[str, NDArray[Any]], rows: Sequence[int], best: int | None
    ) -> float:
        """Keep what is predicted of the tiles in an epoch.

        Args:
            epoch: From 0.
            maps: Of images.
            gates: Of the same images, by name, `(images, height, width, 1)`.
            rows: Which of these images each tile is of.
            best: The epoch that is the best so far.

        Returns:
            The Jaccard of the tiles, pooled.
        """
        axes = maps.target.ndim - 1
        target, p, above = (two_axes(each, axes) for each in (maps.target, maps.probabilities, maps.above))
        whole, tiles = target.shape[1:], [tile._replace(image=row) for tile, row in zip(self.chosen, rows, strict=True)]
        target, p, above = (
            np.stack([cut(each, *tile[:3], self._size) for tile in tiles]) for each in (target, p, above)
        )
        pictures = {"probability": packed(levels_of(p, above))}
        for name, alpha in sorted(gates.items()):
            shown = quantised(gate_pictures(alpha[..., 0], tiles, whole, self._size))
            self._gate_shapes[name] = shown.shape[1:]
            pictures[name] = packed(shown)
        self.kept.add(epoch, pictures, best)
        return jaccard_of(target, above)

    @property
    def _images(self) -> list[int]:
        return sorted({tile.image for tile in self.chosen})

    def get_state(self) -> dict[str, Any]:
        """With all that is kept."""
        return {
            "chosen": [tuple(tile) for tile in self.chosen],
            "shape": tuple(self._shape),
            "image": self._image,
            "mask": self._mask,
            "kept": self.kept.get_state(),
            "gate_shapes": {name: tuple(shape) for name, shape in self._gate_shapes.items()},
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Go on with these.

        Args:
            state: From `get_state`.
        """
        self.chosen, self._shape = tuple(Tile(*tile) for tile in state["chosen"]), tuple(state["shape"])
        self._image, self._mask = state["image"], state["mask"]
        self._gate_shapes = {name: tuple(shape) for name, shape in state["gate_shapes"].items()}
        self.kept.set_state(state["kept"])


def levels_of(probabilities: NDArray[np.float32], above: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Probabilities in eight bits, on the side of ½ on which the model sees them: a logit may round to ½ itself."""
    levels = quantised(probabilities)
    return np.where(above, np.maximum(levels, HALF), np.minimum(levels, HALF - 1)).astype(np.uint8)
