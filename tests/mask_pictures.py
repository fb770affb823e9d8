"""Masks as files hold them: areas of a value each, and edges that were smoothed."""

import numpy as np
from scipy import ndimage


def areas(*values, dtype="uint8", side=6):
    """A square of `side` pixels for each value, one beside the other: `(side, side * values, 1)`."""
    return np.kron(np.array(values, dtype), np.ones((side, side), dtype))[..., np.newaxis]


def smoothed(largest=255, dtype="uint8"):
    """A disc from 0 to `largest` whose edge a Gaussian has blurred."""
    row, col = np.mgrid[:40, :40] - 19.5
    disc = ndimage.gaussian_filter((row**2 + col**2 < 150).astype(float), 2)
    return np.asarray(largest * disc / disc.max(), dtype)[..., np.newaxis]
