"""Probabilities and masks as one section after the other, from arrays, lists or iterators; one is held at a time."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.thresholds.counts import check_probabilities
from unetdyn.evaluation.inputs import binary, counted_pixels, fitting


@dataclass(frozen=True, eq=False)
class Section:
    """One section, checked.

    Attributes:
        p: Probabilities of the object, in [0, 1].
        y: Where the mask says object; False where nothing is counted.
        counted: Which pixels count; None: all.
    """

    p: NDArray
    y: NDArray[np.bool_]
    counted: NDArray[np.bool_] | None

    @property
    def pixels(self) -> int:
        """How many count."""
        return self.p.size if self.counted is None else int(np.count_nonzero(self.counted))

    @property
    def counted_p(self) -> NDArray:
        """Probabilities of the pixels that count, in one axis."""
        return self.p.ravel() if self.counted is None else self.p[self.counted]

    @property
    def counted_y(self) -> NDArray[np.bool_]:
        """Labels of the pixels that count, in one axis."""
        return self.y.ravel() if self.counted is None else self.y[self.counted]

    def predicted(self, threshold: float) -> NDArray[np.bool_]:
        """Where the probability is above the threshold, and the pixel counts."""
        found = self.p > threshold
        return found if self.counted is None else found & self.counted


def sections_of(probabilities: Any, masks: Any, ignore_label: float | None) -> Iterator[Section]:
    """Each section, checked when it comes.

    Args:
        probabilities: An array whose first axis counts sections, or any iterable of sections; or, where `masks` is
            None, an iterable of `(probabilities, mask)` pairs.
        masks: Likewise, or None.
        ignore_label: Value of the masks where nothing is counted; None: none.

    Raises:
        ValueError: If there are more of the ones than of the others, or a section is no section, whose number is
            named; at the end, if no pixel of any section counts.

    Example:
        >>> pairs = [(np.array([[0.2, 0.9]]), np.array([[0, 1]]))]
        >>> [section.predicted(0.5).tolist() for section in sections_of(pairs, None, None)]
        [[[False, True]]]
    """
    number, counting = -1, False
    for number, (p, mask) in enumerate(_pairs(probabilities, masks)):
        try:
            p, mask = _flat_last(*fitting("probabilities", p, "masks", mask))
            p = p.astype(np.result_type(p, np.float32), copy=False)  # as `threshold_curve` and the metrics compare
            check_probabilities("probabilities", p)
            counted = counted_pixels(mask, ignore_label)
            section = Section(p, binary("masks", mask, counted), counted)
        except ValueError as error:
            raise ValueError(f"Section {number}, counted from 0: {error}") from None
        counting = counting or section.pixels > 0
        yield section
    if not counting:
        raise ValueError(
            f"There must be at least one section with a pixel that counts. Received: {number + 1} sections, none with "
            "one. Look at where they come from, and at `ignore_label`."
        )


def _flat_last(p: NDArray, mask: NDArray) -> tuple[NDArray, NDArray]:
    """Without a last axis of 1, the channel."""
    return (p[..., 0], mask[..., 0]) if p.ndim > 2 and p.shape[-1] == 1 else (p, mask)


def _pairs(probabilities: Any, masks: Any) -> Iterator[tuple[Any, Any]]:
    if masks is not None:
        for argument, value in (("probabilities", probabilities), ("masks", masks)):
            if not isinstance(value, Iterable) or (hasattr(value, "ndim") and value.ndim < 3):
                what = f"shape {tuple(value.shape)}" if hasattr(value, "shape") else repr(value)
                raise ValueError(
                    f"`{argument}` must give sections: an array (sections, height, width) or an iterable of sections. "
                    f"Received: {what}. Of a single section, pass {argument}[None]."
                )
        try:
            yield from zip(probabilities, masks, strict=True)
        except ValueError as error:
            if "argument 2 is" not in str(error):
                raise
            raise ValueError(
                "`probabilities` and `masks` must have as many sections. Received: one ended before the other."
            ) from None
        return
    if hasattr(probabilities, "shape") or not isinstance(probabilities, Iterable):
        what = f"shape {tuple(probabilities.shape)}" if hasattr(probabilities, "shape") else repr(probabilities)
        raise ValueError(f"`masks` are missing: give (probabilities, masks). Received: probabilities of {what} alone.")
    for item in probabilities:
        if not isinstance(item, tuple | list) or len(item) != 2:
            raise ValueError(
                "Without `masks`, the first argument must give (probabilities, mask) pairs, one a section. "
                f"Received: an item of type {type(item).__name__}."
            )
        yield item[0], item[1]
