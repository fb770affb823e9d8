"""Where tiles lie along an axis, and how much each of them counts there."""

import math
from dataclasses import dataclass

import numpy as np

FLOOR = 1e-3
"""The least weight along an axis, relative to that in the middle: at 3.7 σ. In 3D a corner has 10⁻⁹ of the middle."""
_COARSEST = 64  # pixels of the grid that starts lie on: networks halve their input six times at most
WEIGHTINGS = ("gaussian", "uniform")


@dataclass(frozen=True)
class Axis:
    """The tiles along one axis.

    Attributes:
        length: Of the image, in pixels.
        tile: Side of a tile.
        starts: Where each tile begins; of an image that is shorter than the tile, its only one begins before 0.
        weights: For each tile `(inside,)`: its share at each pixel that lies in the image. Shares add up to 1 there.
    """

    length: int
    tile: int
    starts: tuple[int, ...]
    weights: tuple[np.ndarray, ...]

    def inside(self, number: int) -> slice:
        """The part of the image that a tile covers."""
        start = self.starts[number]
        return slice(max(start, 0), min(start + self.tile, self.length))

    def of_tile(self, number: int) -> slice:
        """That part in the tile's own pixels."""
        start, inside = self.starts[number], self.inside(number)
        return slice(inside.start - start, inside.stop - start)

    def settled(self, number: int) -> int:
        """Up to where nothing changes once this tile and those before it were added."""
        return self.length if number == len(self.starts) - 1 else self.starts[number + 1]


def axis_of(length: int, tile: int, overlap: float, weighting: str) -> Axis:
    """The tiles along an axis of an image.

    Args:
        length: Of the axis, in pixels.
        tile: Side of a tile, in pixels.
        overlap: Share of a tile that its neighbour covers as well, in [0, 1).
        weighting: `"gaussian"` or `"uniform"`; see `profile`.

    Example:
        >>> axis = axis_of(10, 4, 0.5, "uniform")
        >>> axis.starts, [float(share) for share in axis.weights[1]]
        ((0, 2, 4, 6), [0.5, 0.5, 0.5, 0.5])
        >>> axis_of(3, 8, 0.5, "uniform").starts
        (-2,)
    """
    begins = _starts(length, tile, overlap)
    shape = profile(tile, weighting)
    total = np.zeros(length)
    bare = Axis(length, tile, begins, ())
    for number in range(len(begins)):
        total[bare.inside(number)] += shape[bare.of_tile(number)]
    weights = tuple(shape[bare.of_tile(n)] / total[bare.inside(n)] for n in range(len(begins)))
    return Axis(length, tile, begins, weights)


def profile(tile: int, weighting: str) -> np.ndarray:
    r"""Weights along one side of a tile: `"uniform"` 1, `"gaussian"`

    \[ w(i) = \max\left(e^{-(i - c)^2 / 2σ^2},\ 10^{-3}\right), \qquad c = \tfrac{n - 1}{2}, \quad σ = n / 8. \]

    Those of a tile are their product. The floor keeps the corners from counting nothing where no other tile is.

    Reference:
        σ: Isensee et al., "nnU-Net", Nature Methods 18, 2021, `compute_gaussian` with `sigma_scale=1/8`. There zeros
        become the least weight above 0; here weights of float32 stay far from 0.

    Example:
        >>> profile(8, "gaussian").round(4).tolist()
        [0.0022, 0.0439, 0.3247, 0.8825, 0.8825, 0.3247, 0.0439, 0.0022]
    """
    if weighting == "uniform":
        return np.ones(tile)
    distances = np.arange(tile) - (tile - 1) / 2
    return np.maximum(np.exp(-0.5 * (distances / (tile / 8)) ** 2), FLOOR)


def _starts(length: int, tile: int, overlap: float) -> tuple[int, ...]:
    """Evenly spread, and on a grid of a power of two, so that a network that halves sees each tile as the whole image.

    The last tile ends where the image ends. A power of two that divides tile and step is what the grid can be.
    """
    if length <= tile:
        return (-((tile - length) // 2),)
    step = max(1, round(tile * (1 - overlap)))
    common = math.gcd(tile, step)
    grid = min(common & -common, _COARSEST)
    steps = math.ceil((length - tile) / step)
    even = grid * math.ceil((length - tile) / steps / grid)
    return (*(number * even for number in range(steps)), length - tile)
