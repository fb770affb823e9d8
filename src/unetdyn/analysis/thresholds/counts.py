"""How many pixels lie above each of many edges, in one pass over the pixels and in a few megabytes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CHUNK = 2**16
"""Pixels looked at together: their intermediate arrays, 0.5 MB each, stay in the processor's cache."""

CELLS = 2**12
"""Cells in which an edge is looked up. A power of two: multiplying by it rounds nothing, so no order is lost."""


class Counts(NamedTuple):
    """Pixels of each image; whole numbers in float64, exact below 2⁵³, ready for products of matrices.

    Attributes:
        hit: `(images, edges)`, object pixels above each edge.
        marked: `(images, edges)`, all pixels above each edge.
        objects: `(images,)`, object pixels.
        pixels: `(images,)`, all pixels.
    """

    hit: NDArray[np.float64]
    marked: NDArray[np.float64]
    objects: NDArray[np.float64]
    pixels: NDArray[np.float64]


def count_above(
    images: Iterable[tuple[NDArray, NDArray]], edges: NDArray[np.float64], inclusive: NDArray[np.bool_]
) -> Counts:
    """Count, image by image, the pixels whose probability passes each edge.

    Edges are rounded to the precision of the probabilities first, float32 at least, as NumPy and Keras do when they
    compare an array with a number: 0.3 in a float32 array is not above 0.3.

    Args:
        images: Labels, 0 or 1, and probabilities, in [0, 1], of each image: equal shapes, any dtype, any strides.
        edges: `(edges,)`, in any order; they may lie outside [0, 1].
        inclusive: `(edges,)`, whether a probability equal to the edge passes it.

    Returns:
        `Counts`, with one row for each image.

    Raises:
        ValueError: If a label is neither 0 nor 1, or a probability is NaN or outside [0, 1].

    Example:
        >>> image = np.array([0, 1, 1]), np.array([0.2, 0.5, 0.9])
        >>> count_above([image], np.array([0.5, 0.5]), np.array([False, True])).marked.tolist()
        [[1.0, 2.0]]
    """
    tables = {np.dtype(kind): _table(edges, inclusive, np.dtype(kind)) for kind in (np.float32, np.float64)}
    rows = []
    for y, p in images:
        double = np.can_cast(np.float64, p.dtype, "safe")  # float64, and what is wider
        rows.append(_count_image(y, p, tables[np.dtype(np.float64 if double else np.float32)]))
    both = np.stack(rows) if rows else np.zeros((0, 2, len(edges) + 1))
    return Counts(both[:, 0, :-1], both[:, 1, :-1], both[:, 0, -1], both[:, 1, -1])


@dataclass(frozen=True)
class _Table:
    """Edges in the precision of the probabilities, sorted and each once, with what finds a probability's place."""

    edges: NDArray  # with infinity at the end
    first: NDArray[np.intp]  # of each cell: how many edges lie in the cells before it
    steps: int  # the most edges in one cell
    place: NDArray[np.intp]  # where the caller's edges are among these


def _table(edges: NDArray[np.float64], inclusive: NDArray[np.bool_], dtype: np.dtype) -> _Table:
    """`p ≥ e` is `p > e'` with e' the number just below e, so that one comparison serves both."""
    exact = edges.astype(dtype)
    below = np.where(exact > 0, np.nextafter(exact, dtype.type(-1)), dtype.type(-1))
    unique, place = np.unique(np.where(inclusive, below, exact), return_inverse=True)
    held = np.bincount(np.clip(unique * CELLS, 0, CELLS).astype(np.intp), minlength=CELLS + 1)
    return _Table(np.append(unique, np.inf).astype(dtype), np.cumsum(held) - held, int(held.max()), place)


def _count_image(y: NDArray, p: NDArray, table: _Table) -> NDArray[np.float64]:
    """Object pixels, then all pixels, above each edge; in the last column without an edge: `(2, edges + 1)`."""
    size = len(table.edges)
    found = np.zeros(2 * size, dtype=np.int64)
    if p.size:
        # The iterator hands out flat chunks of whatever strides there are, and casts chunk by chunk.
        chunks = np.nditer(
            [y, p],
            flags=["external_loop", "buffered"],
            op_dtypes=[y.dtype, table.edges.dtype],
            casting="same_kind",
            order="K",
            buffersize=CHUNK,
        )
        for labels, probabilities in chunks:
            # The range comes first: what is outside it would look up a cell that does not exist.
            check_probabilities("p", probabilities)
            places = _ranks(probabilities, table)
            places += size * _foreground(labels)
            found += np.bincount(places, minlength=2 * size)
    background, objects = found.reshape(2, size)
    ranks = np.stack([objects, background + objects])
    total = ranks.sum(axis=1, keepdims=True)
    above = total - np.cumsum(ranks, axis=1)
    return np.concatenate([above[:, table.place], total], axis=1).astype(np.float64)


def _ranks(p: NDArray, table: _Table) -> NDArray[np.intp]:
    """How many edges each probability is above: those in earlier cells, then those of its own cell one by one."""
    ranks = table.first[(p * CELLS).astype(np.intp)]
    for _ in range(table.steps):
        ranks += p > table.edges[ranks]
    return ranks


def _foreground(y: NDArray) -> NDArray[np.bool_]:
    foreground = y != 0
    if (y == foreground).all():
        return foreground
    wrong = y[y != foreground]
    if np.isnan(wrong).any():
        found, do = "NaN", "Mend the masks."
    elif wrong.max() > 1:
        found = f"values up to {float(wrong.max()):g}, as 8-bit masks of 0 and 255 have"
        do = "Divide the masks by 255, or use `mask > 0`; one-hot encode class numbers."
    elif wrong.min() < 0:
        found, do = f"values down to {float(wrong.min()):g}", "Use `mask > 0`."
    else:
        found = f"{float(wrong[0]):g}, between 0 and 1, as in masks that were resized with interpolation"
        do = "Resize masks with nearest-neighbour interpolation, or use `mask > 0.5`."
    raise ValueError(f"`y_true` must hold 0 and 1 only. Received: {found}. {do}")


def check_probabilities(argument: str, p: NDArray) -> None:
    """Refuse what lies outside [0, 1], and NaN; there must be a pixel.

    >>> check_probabilities("p", np.array([0.5, np.nan]))
    Traceback (most recent call last):
    ValueError: `p` must hold probabilities in [0, 1]. Received: NaN. The training has diverged, or the images hold NaN.
    """
    low, high = float(p.min()), float(p.max())
    if low >= 0 and high <= 1:
        return
    if np.isnan(low):
        found, do = "NaN", "The training has diverged, or the images hold NaN."
    else:
        found = f"values from {low:g} to {high:g}"
        do = (
            "If these are logits, as a model without a final activation gives, apply a sigmoid first; divide grey "
            f"values by 255; where only rounding left [0, 1], use `np.clip({argument}, 0, 1)`."
        )
    raise ValueError(f"`{argument}` must hold probabilities in [0, 1]. Received: {found}. {do}")
