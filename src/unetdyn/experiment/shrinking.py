"""Images made smaller as they were for the training, and what is predicted of them made as large as they are."""

import numpy as np

from unetdyn import data
from unetdyn.data.lazy import LazyArray, Window


def shrunk(sections: LazyArray, factor: int) -> LazyArray:
    """Sections on disk, as `unetdyn.data.downsample` makes them smaller, by one code for both.

    Args:
        sections: `(sections, height, width, channels)`; rows and columns beyond a multiple of the factor are left out.
        factor: 1 returns them as they are.

    Raises:
        ValueError: If a side is shorter than the factor.

    Example:
        >>> shrunk(LazyArray.of(np.arange(20, dtype="uint8").reshape(1, 4, 5, 1)), 2)[0].ravel().tolist()
        [3, 5, 13, 15]
    """
    if factor == 1:
        return sections
    count, height, width, channels = sections.shape
    if min(height, width) < factor:
        raise ValueError(
            f"Images must be {factor} pixels or more along each side, as the model was trained on images made {factor} "
            f"times smaller. Received: {height}×{width} pixels."
        )
    size = (count, height // factor * factor, width // factor * factor)
    images = LazyArray((*size, channels), sections.dtype, sections.read)
    stack = data.Stack(images, LazyArray((*size, 1), np.uint8, _zeros), tuple(map(str, range(count))))
    return LazyArray.of(data.downsample(stack, factor).images)


def enlarged(section: np.ndarray, factor: int, size: tuple[int, int]) -> np.ndarray:
    """A section as large as it was: each value `factor × factor` times, at the lower and right end as often as needed.

    Args:
        section: `(height, width)`, with axes of channels behind them where there are any.
        factor: As of `shrunk`.
        size: Height and width that come out.

    Example:
        >>> enlarged(np.array([[1, 2]]), 2, (2, 5)).tolist()
        [[1, 1, 2, 2, 2], [1, 1, 2, 2, 2]]
    """
    rows, columns = (
        np.minimum(np.arange(length) // factor, have - 1) for length, have in zip(size, section.shape[:2], strict=True)
    )
    return section if factor == 1 else section[rows][:, columns]


def _zeros(start: int, stop: int, window: Window) -> np.ndarray:
    return np.zeros((stop - start, *(part.stop - part.start for part in window), 1), np.uint8)
