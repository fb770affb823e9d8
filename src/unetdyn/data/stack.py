"""The stack: sections of one specimen with their masks, in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from unetdyn._checks import check_count, is_count
from unetdyn.data.lazy import LazyArray


@dataclass(frozen=True)
class Stack:
    """Sections of one specimen in their order, each with its mask and its name.

    Args:
        images: Array of shape `(sections, height, width, channels)`, in the dtype it was read in (`uint8`, `uint16`
            or `float32`), all values finite. What has a shape, a dtype and slices but is no array in memory, such as
            a memory map or an HDF5 dataset, stays on disk as a `LazyArray`: its sections are read when they are used,
            and checked then.
        masks: `uint8` array of shape `(sections, height, width, 1)` of class indices: 0 is the background; with two
            classes, 1 the foreground. They may be on disk as well.
        names: One name for each section, for messages: usually the file's stem.
        weights: `uint8` array of the masks' shape: 0 where a pixel has no label and must not count, 1 elsewhere.
            Default `None`: all count.
        voxel_size: (z, y, x) in nanometres, or `None` (default) where the files don't say.
        position: The place of each section along z, as a whole number. Sections whose places differ by 1 adjoin, and
            only these make up a tile in 3D. Default `None`: 0, 1, 2, …, as of one specimen.

    Raises:
        TypeError: Where an array is no NumPy array or has a dtype that is not listed above.
        ValueError: Where shapes or counts disagree, or an image holds NaN or infinity.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Stack
        >>> images = np.zeros((3, 4, 4, 1), "uint8")
        >>> stack = Stack(images, np.zeros_like(images), ("a", "b", "c"))
        >>> len(stack), stack.take([2, 0]).names, stack.take([2, 0]).position
        (3, ('c', 'a'), (2, 0))
    """

    images: np.ndarray | LazyArray
    masks: np.ndarray | LazyArray
    names: tuple[str, ...]
    weights: np.ndarray | LazyArray | None = None
    voxel_size: tuple[float, float, float] | None = None
    position: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for argument in ("images", "masks", "weights"):
            object.__setattr__(self, argument, _kept_on_disk(getattr(self, argument)))
        _check_dtypes(self.images, self.masks)
        _check_weights(self.weights, self.masks)
        _check_shapes(self.images, self.masks, self.names)
        if isinstance(self.images, np.ndarray):
            check_finite(self.images, self.names)
        _check_position(self.position, len(self.images))

    def __len__(self) -> int:
        return len(self.images)

    @property
    def places(self) -> tuple[int, ...]:
        """`position`, also where it was left out."""
        return self.position if self.position is not None else tuple(range(len(self)))

    def take(self, indices: Sequence[int] | np.ndarray) -> Stack:
        """The sections at `indices`, in that order, as a stack of their own."""
        chosen = np.asarray(indices, dtype=np.intp)
        parts = {name: getattr(self, name) for name in ("images", "masks", "weights")}
        taken: dict[str, Any] = {name: part.take(chosen, axis=0) for name, part in parts.items() if part is not None}
        names = tuple(self.names[index] for index in chosen)
        position = tuple(self.places[index] for index in chosen)
        return replace(self, **taken, names=names, position=position)

    def with_images(self, images: np.ndarray | LazyArray) -> Stack:
        """The same sections with other images, such as normalised ones."""
        return replace(self, images=images)


def downsample(stack: Stack, factor: int) -> Stack:
    """Every section `factor` times smaller on each side: the mean of a block for images, its majority for masks.

    A block is `factor × factor` pixels. An image keeps its dtype: integer images are rounded to the nearest level, so
    that `normalise(method="unit")` still knows their range. A mask pixel becomes the class that fills most of its
    block; where two fill as much, the larger index, so that a binary mask is 1 where its mean is ≥ 0.5. Pixels of
    weight 0 have no say; where they are more than half of a block, it has the weight 0 itself.

    Args:
        stack: The stack.
        factor: Whole number ≥ 1 that divides height and width; 1 returns `stack` itself.

    Returns:
        A `Stack` of shape `(sections, height / factor, width / factor, channels)` with the same names.

    Raises:
        ValueError: Where `factor` is no whole number ≥ 1 or does not divide the sections' height and width.

    Example:
        >>> import numpy as np
        >>> from unetdyn.data import Stack, downsample
        >>> image = np.array([[0, 10], [20, 30]], "uint8").reshape(1, 2, 2, 1)
        >>> mask = np.array([[0, 1], [1, 0]], "uint8").reshape(1, 2, 2, 1)
        >>> small = downsample(Stack(image, mask, ("a",)), 2)
        >>> small.images.item(), small.masks.item()
        (15, 1)
    """
    height, width = stack.images.shape[1:3]
    check_count("factor", factor, least=1, unit="")
    if height % factor or width % factor:
        raise ValueError(
            f"`factor` must divide the sections' height and width, {height}×{width}. "
            f"Received: factor={factor!r}. Choose another factor, or crop the sections first."
        )
    if factor == 1:
        return stack
    images, weights = _shrunk(_means, factor, stack.images), stack.weights
    if weights is None:
        masks = _shrunk(_majority, factor, stack.masks)
    else:
        masks = _shrunk(_majority, factor, stack.masks, weights)
        weights = _shrunk(_majority, factor, weights)
    size = stack.voxel_size and (stack.voxel_size[0], stack.voxel_size[1] * factor, stack.voxel_size[2] * factor)
    return replace(stack, images=images, masks=masks, weights=weights, voxel_size=size)


def check_finite(images: np.ndarray, names: Sequence[str]) -> None:
    """Refuse images with NaN or infinity, naming the first such section."""
    if not np.issubdtype(images.dtype, np.floating):
        return
    for image, name in zip(images, names, strict=True):
        bad = image.size - int(np.isfinite(image).sum())
        if bad:
            raise ValueError(
                f"`images` must be finite, but image {name!r} holds {bad} NaN or infinite values. "
                f"Received: images of dtype {images.dtype}. Mend or leave out that section."
            )


def _shrunk(function: Callable[..., np.ndarray], factor: int, *arrays: np.ndarray | LazyArray) -> Any:
    """`function(factor, *arrays)`, of arrays on disk when it is read."""
    if not any(isinstance(array, LazyArray) for array in arrays):
        return function(factor, *arrays)
    first, *others = map(LazyArray.of, arrays)
    return first.shrunk(factor, partial(function, factor), others)


def _means(factor: int, images: np.ndarray) -> np.ndarray:
    means = _blocks(images, factor).mean(axis=(2, 4), dtype=np.float64)
    return (np.rint(means) if np.issubdtype(images.dtype, np.integer) else means).astype(images.dtype)


def _blocks(array: np.ndarray, factor: int) -> np.ndarray:
    sections, height, width, channels = array.shape
    return array.reshape(sections, height // factor, factor, width // factor, factor, channels)


def _majority(factor: int, masks: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    best = np.zeros_like(masks[:, ::factor, ::factor])
    most = np.zeros(best.shape, dtype=np.int64)
    for index in np.unique(masks):
        voting = masks == index if weights is None else (masks == index) & (weights > 0)
        count = _blocks(voting, factor).sum(axis=(2, 4))
        best = np.where(count >= most, np.where(count > 0, index, best), best)
        most = np.maximum(most, count)
    return best.astype(np.uint8)


def _kept_on_disk(array: Any) -> Any:
    """A memory map, or what else is sliced like an array without being one, as a `LazyArray`."""
    in_memory = isinstance(array, np.ndarray) and not isinstance(array, np.memmap)
    sliced = isinstance(getattr(array, "dtype", None), np.dtype) and hasattr(array, "__getitem__")
    return LazyArray.of(array) if sliced and not in_memory else array


def _check_position(position: Sequence[int] | None, sections: int) -> None:
    if position is not None and (len(position) != sections or not all(map(is_count, position))):
        raise ValueError(
            f"`position` must hold one whole number for each of the {sections} sections, or be None. "
            f"Received: position={position!r}."
        )


def _check_dtypes(images: Any, masks: Any) -> None:
    for argument, array, known in (("images", images, ("uint8", "uint16", "float32")), ("masks", masks, ("uint8",))):
        received = str(array.dtype) if isinstance(array, np.ndarray | LazyArray) else type(array).__name__
        if received not in known:
            raise TypeError(
                f"`{argument}` must be a NumPy array of dtype {' or '.join(known)}. "
                f"Received: {argument} of {received}. Convert it with `.astype({known[-1]!r})`."
            )


def _check_weights(weights: Any, masks: Any) -> None:
    if weights is None:
        return
    is_array = isinstance(weights, np.ndarray | LazyArray)
    received = f"{weights.dtype} of shape {weights.shape}" if is_array else repr(weights)
    if received != f"uint8 of shape {masks.shape}" or (isinstance(weights, np.ndarray) and weights.max(initial=0) > 1):
        raise ValueError(
            f"`weights` must be 0 and 1 as uint8, of the masks' shape {masks.shape}, or None. Received: weights of "
            f"{received}. Weights of other values belong to `TileDataset`."
        )


def _check_shapes(images: Any, masks: Any, names: Sequence[str]) -> None:
    if images.ndim != 4 or masks.shape != (*images.shape[:3], 1):
        raise ValueError(
            "`images` must have shape (sections, height, width, channels) and `masks` the same with 1 channel. "
            f"Received: images.shape={images.shape}, masks.shape={masks.shape}."
        )
    if len(names) != len(images):
        raise ValueError(
            f"`names` must hold one name for each of the {len(images)} sections. Received: {len(names)} names."
        )
