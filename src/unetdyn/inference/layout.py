"""What a result is, wherever it is written."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unetdyn.data.formats.volume import VoxelSize

_PLANE, _DEPTH = 512, 16  # sides of a chunk of Zarr, in pixels; in 3D the plane's side is half of that


@dataclass(frozen=True)
class Layout:
    """What the result is.

    Attributes:
        shape: `(z,) y, x`, and a last axis of channels where there are several.
        axes: A letter for each of them.
        dtype: Of its values.
        rank: Of a tile: 2 or 3.
        voxel_size: (z, y, x) in nanometres, or None.
        source: The file that was predicted, or None: what is said there of how it lies in space holds for the result.
    """

    shape: tuple[int, ...]
    axes: str
    dtype: np.dtype
    rank: int
    voxel_size: VoxelSize | None = None
    source: Path | None = None

    @property
    def chunk(self) -> tuple[int, ...]:
        """Of Zarr."""
        sides = {"z": 1, "y": _PLANE, "x": _PLANE}
        if self.rank == 3:
            sides = {"z": _DEPTH, "y": _PLANE // 2, "x": _PLANE // 2}
        return tuple(min(sides.get(axis, length), length) for axis, length in zip(self.axes, self.shape, strict=True))

    @property
    def line_axis(self) -> int:
        """Which axis lines lie along: rows of pixels in 2D, sections in 3D."""
        return self.axes.index("y" if self.rank == 2 else "z")
