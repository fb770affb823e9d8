"""Elastic deformation: displacements drawn on a coarse grid, and the smooth field that cubic B-splines make of them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from keras import ops
from scipy.interpolate import BSpline

Tensor = Any

# Choi & Lee, "Injectivity conditions of 2D and 3D uniform cubic B-spline functions", Graphical Models 62, 2000: a field
# whose coefficients are all below this part of the grid's spacing folds nowhere.
LARGEST_COEFFICIENT = 1 / 2.046392675


def drawn_grid(
    generator: np.random.Generator, samples: int, sides: tuple[int, ...], deviation: float, spacing: float
) -> np.ndarray:
    """Coefficients of the displacements of each sample, from a normal distribution without its tails.

    A coefficient's σ is twice that of the displacement: on the grid's points a cubic B-spline takes 2/3 of the
    coefficient there and 1/6 of its neighbours', (4/9 + 2/36) = 1/2 of the variance along each axis.

    Args:
        generator: What draws.
        samples: How many.
        sides: Height and width, pixels.
        deviation: σ of the displacement along each axis, pixels.
        spacing: Between two points of the grid, pixels.

    Returns:
        Float32, `(samples, points, points, 2)`, displacements down and to the right, at most `LARGEST_COEFFICIENT` of
        the spacing, so that no tissue folds over.
    """
    points = tuple(spline_basis(side, spacing).shape[1] for side in sides)
    largest = LARGEST_COEFFICIENT * spacing
    drawn = 2 * deviation * generator.standard_normal((samples, *points, 2))
    return np.clip(drawn, -largest, largest).astype(np.float32)


@lru_cache(maxsize=16)
def spline_basis(side: int, spacing: float) -> np.ndarray:
    """What each point of the grid, and one beyond either end, weighs at each pixel of a row.

    Args:
        side: Pixels.
        spacing: Between two points of the grid, pixels; the first lies on the first pixel.

    Returns:
        Float32, `(side, points)`; each row adds up to 1.

    Example:
        >>> (6 * spline_basis(9, 4.0)[[0, 4]]).round(3).tolist()
        [[1.0, 4.0, 1.0, 0.0, 0.0], [0.0, 1.0, 4.0, 1.0, 0.0]]
    """
    cells = max(1, int(np.ceil((side - 1) / spacing)))
    knots = np.arange(-3, cells + 4, dtype=float)
    basis = BSpline.design_matrix(np.arange(side) / spacing, knots, 3).toarray()
    return basis.astype(np.float32)


def displacements(grid: Tensor, along_rows: Tensor, along_columns: Tensor) -> Tensor:
    """The field of each sample.

    Args:
        grid: From `drawn_grid`.
        along_rows: `spline_basis` of the height.
        along_columns: That of the width.

    Returns:
        `(2, samples, height, width)`, pixels down and to the right.
    """
    return ops.einsum("bgkc,hg,wk->cbhw", grid, along_rows, along_columns)
