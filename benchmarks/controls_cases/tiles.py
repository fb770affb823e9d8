"""The tiles: of the synthetic microscope, and of real sections where they are."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unetdyn.data import Stack, downsample, normalise, read_folder, synthetic_em, tile

SIDE = 32
TRAIN, VALIDATION = 64, 32
NAMES = ("synthetic", "vnc")


@dataclass(frozen=True)
class Part:
    """Tiles as `fit` takes them, of shape `(tiles, 32, 32, 1)`."""

    images: NDArray
    masks: NDArray


def tiles(name: str) -> tuple[Part, Part] | str:
    """Training and validation of sections apart from each other, at 18 nm a pixel; or why they are not there.

    Args:
        name: One of `NAMES`.
    """
    if name == "synthetic":
        stack = downsample(synthetic_em(sections=8, size=384, seed=0), 2)
    else:
        folder = Path(os.environ.get("UNETDYN_DATA", "")) / "vnc_mito"
        if "UNETDYN_DATA" not in os.environ or not folder.is_dir():
            return "set UNETDYN_DATA to the folder that holds vnc_mito/"
        stack = downsample(read_folder(folder, mask_threshold=0.5), 4)
    even = Stack(normalise(stack.images), stack.masks, stack.names)
    return _tiles(even.take(range(4)), TRAIN), _tiles(even.take(range(6, 8)), VALIDATION)


def _tiles(stack: Stack, count: int) -> Part:
    """Evenly from all tiles of the sections: those with the most mitochondria, since few have any."""
    found = tile(stack, SIDE)
    chosen = np.sort(np.argsort(-found.masks.mean(axis=(1, 2, 3)), kind="stable")[:count])
    return Part(found.images[chosen], found.masks[chosen])
