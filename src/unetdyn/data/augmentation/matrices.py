"""Where in the image a pixel of the result comes from: rotation, zoom, shear, shift and symmetry in one matrix."""

from __future__ import annotations

import numpy as np


def inverse_matrix(
    angle: np.ndarray,
    scale: np.ndarray,
    shear: np.ndarray,
    shift: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    swap: np.ndarray,
) -> np.ndarray:
    """For each sample the matrix from a place in the result to the place in the image that is shown there.

    Places are (row, column), counted from the image's centre. The image is reversed and swapped, then sheared, zoomed,
    rotated and shifted; the matrix undoes these in turn.

    Args:
        angle: Radians, counter-clockwise, shape `(batch,)` as all but `shift`.
        scale: By how much things get larger.
        shear: Radians; a place moves to the right by the tangent times its row.
        shift: Pixels down and to the right, `(batch, 2)`.
        rows: Whether the order of rows is reversed.
        columns: Whether that of columns is.
        swap: Whether rows and columns are exchanged after that.

    Returns:
        Float32, `(batch, 2, 3)`: the linear part, and what is added.

    Example:
        >>> still, no = np.zeros(1), np.zeros(1, bool)
        >>> inverse_matrix(still, still + 2, still, np.array([[0.0, 4.0]]), no, no, no)[0].tolist()
        [[0.5, 0.0, 0.0], [0.0, 0.5, -2.0]]
    """
    cosine, sine, zero, one = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    rotation = _matrices([[cosine, -sine], [sine, cosine]])
    shearing = _matrices([[one, zero], [np.tan(shear), one]])
    forward = rotation @ (scale[:, None, None] * shearing)
    reversal = _matrices([[1 - 2.0 * rows, zero], [zero, 1 - 2.0 * columns]])
    exchange = np.where(swap[:, None, None], [[0.0, 1.0], [1.0, 0.0]], np.eye(2))
    linear = reversal @ exchange @ np.linalg.inv(forward)
    added = -linear @ shift[:, :, None]
    return np.concatenate([linear, added], axis=2).astype(np.float32)


def _matrices(entries: list[list[np.ndarray]]) -> np.ndarray:
    """From `(2, 2)` entries of shape `(batch,)` to `(batch, 2, 2)`."""
    return np.moveaxis(np.array(entries), 2, 0)
