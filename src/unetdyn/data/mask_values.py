"""What the values in a mask file look like, and so what to do: the hint of an error must not ruin the data."""

from __future__ import annotations

import numpy as np

FEW = 10
"""Up to so many values may be classes or greys that stand for them; more are single objects, or smoothed edges."""

FLAT = 0.25
"""Share of the pixels between the extremes that equal their neighbours to the right and below, from which they are
areas and no edges: (1 - 1/w)(1 - 1/h) in an area of w × h pixels, 0 on an edge that was smoothed."""

_ALL_ONES = {2.0**bits: f"2**{bits} - 1" for bits in (32, 64)}  # as `float32` has them
_VOID = (254, 255, 65534, 65535)
_MOST_BESIDE_VOID = 100
_MUCH = 0.01  # of the pixels: a published mask of 0 and 255 may hold a single pixel of 1, left by a resize


def kind_of(mask: np.ndarray, values: np.ndarray) -> str:
    """What a mask of these values is most likely to be.

    Args:
        mask: Array of shape `(height, width, 1)`, finite.
        values: Its different values, in ascending order; pixels that are ignored may be left out of them.

    Returns:
        `"negative"`, `"all_ones"` (2³² - 1 or 2⁶⁴ - 1 among others), `"divided"` (class indices over 255),
        `"unscaled"` (floats that leave [0, 1]), `"smoothed"` (values on edges, over the whole range), `"soft"` (the
        same over a small part of the range), `"binary"` (0 and one other), `"pair"` (two others), `"void"` (indices
        and one large value), `"from_one"`, `"indices"`, `"levels"` (few greys in flat areas), `"mixed"` (such areas,
        and many values on their edges), or `"objects"` (many whole numbers in flat areas).

    Example:
        >>> import numpy as np
        >>> kinds = [kind_of(np.array(v, "uint8").reshape(1, -1, 1), np.unique(v)) for v in ([0, 1, 255], [1, 2])]
        >>> kinds
        ['void', 'from_one']
    """
    largest, whole = float(values[-1]), bool((values == np.rint(values)).all())
    if values[0] < 0:
        return "negative"
    if not whole:
        return _kind_of_fractions(mask, values)
    if len(values) == 2 and values[0] == 0:
        return "binary"
    if largest in _ALL_ONES:
        return "all_ones"
    flat, share = _areas(mask, values)
    told = len(values) == 2 or flat >= FLAT or (share >= _MUCH and values[-2] <= largest / 4)
    if told and void_of(values) is not None:
        return "void"
    if len(values) <= FEW and _in_sequence(values):
        return "indices" if values[0] == 0 else "from_one"
    if len(values) == 2:
        return "pair"
    if flat >= FLAT:
        return "levels" if len(values) <= FEW else _objects_or_mixed(mask, values)
    if np.issubdtype(mask.dtype, np.floating):
        return "unscaled"
    return "smoothed" if largest > brightest(mask.dtype) / 2 else "soft"


def _kind_of_fractions(mask: np.ndarray, values: np.ndarray) -> str:
    if values[-1] > 1:
        return "unscaled"
    if values[-1] <= FEW / 255 and np.allclose(values * 255, np.rint(values * 255), atol=1e-3):
        return "divided"
    if values[-1] <= 0.5:
        return "soft"
    return "levels" if len(values) <= FEW and _areas(mask, values)[0] >= FLAT else "smoothed"


def advice(kind: str, values: np.ndarray, dtype: np.dtype, classes: int = 1, ignore: float | None = None) -> str:
    """What to do about a mask of that kind, in a sentence or two.

    Args:
        kind: From `kind_of`.
        values: The mask's different values, in ascending order.
        dtype: The mask's.
        classes: As it was asked for.
        ignore: As it was asked for.

    Example:
        >>> import numpy as np
        >>> advice("void", np.array([0, 1, 255]), np.dtype("uint8"))
        'If 255 marks pixels without a label, pass `ignore=255`.'
    """
    if classes > 1:
        outside = values[~np.isin(values, np.arange(classes))]
        if len(outside) == 1 and len(values) <= FEW and kind not in ("indices", "from_one", "divided", "all_ones"):
            return _of_one_more(float(outside[0]), kind)
    low, largest, count = float(values[0]), float(values[-1]), len(values)
    one = "" if classes == 1 else "`classes=1` and "
    if kind == "negative":
        return (
            f"No class index is negative. If {low:g} marks pixels without a label, pass `ignore={low:g}`; if it is the "
            "background, save `mask > 0`; if it is the object, 8 bits were read as signed numbers: save unsigned ones."
        )
    if kind == "void":
        void = void_of(values)
        rest = values[values != void]
        how = "" if classes == 1 and np.count_nonzero(rest) <= 1 else f" and {_of_rest(rest)}"
        how += f"; if it is the object and {low:g} the background, save `mask > {low:g}`" if count == 2 else ""
        return f"If {void:g} marks pixels without a label, pass `ignore={void:g}`{how}."
    if kind == "from_one":
        either = f", or `mask == {low:g}` if it is the object" if count == 2 else ""
        anew = "; what was 0 and is ignored needs another number then, such as 255" if ignore == 0 else ""
        return (
            f"No labelled pixel is 0, and 0 must mean background: the labels begin at {low:g}. "
            f"Save `mask - {low:g}` if {low:g} is the background{either}{anew}."
        )
    texts = {
        "divided": (
            f"These look like class indices over 255, the largest {largest * 255:.0f}: multiply the masks by 255 and "
            "save the indices themselves."
        ),
        "unscaled": (
            "Greys that are stored as floats must lie in [0, 1]. If these go from 0 to 255, save them as 8-bit "
            f"(`mask.astype('uint8')`) and pass {one}`mask_threshold=0.5`."
        ),
        "all_ones": (
            f"The largest is {_ALL_ONES.get(largest)}, by which CREMI and others mark pixels of no object. If it is "
            "the background, save `numpy.where(mask == mask.max(), 0, mask)`; if it marks pixels without a label, pass "
            f"`ignore={int(largest) - 1}`."
        ),
        "soft": (
            f"They reach only {largest:g} of {brightest(dtype):g}, so no fraction of the range can divide them as they "
            "are. If they are greys or probabilities, save them over the whole range of their type (8-bit values in an "
            f"8-bit file); if they are the numbers of small objects, pass {one}`foreground='nonzero'`."
        ),
        "smoothed": f"If the edges are smoothed (scaling, JPEG), pass {one}`mask_threshold=0.5`, or save hard masks.",
        "pair": f"If {low:g} is the background and {largest:g} the object, save `mask > {low:g}`.",
        "binary": "If this is a binary mask, pass `classes=1`.",
        "indices": (
            f"If these are class indices, pass `classes={count}`; "
            f"if they are the numbers of single objects, pass {one}`foreground='nonzero'`."
        ),
        "levels": (
            "These are few values in flat areas, no smoothed edges. If they stand for classes, save the indices 0 to "
            f"{count - 1}; if one marks pixels without a label, pass it as `ignore`; if all above 0 are the object, "
            f"pass {one}`foreground='nonzero'`."
        ),
        "mixed": (
            "These are areas of few values, and many others on their edges, as class masks that were resized with "
            "interpolation. Resize them by the nearest neighbour."
        ),
        "objects": (
            f"If these are the numbers of single objects, pass {one}`foreground='nonzero'`, which makes all of them "
            "foreground."
        ),
    }
    return texts[kind]


def _of_one_more(value: float, kind: str) -> str:
    """Where one value is none of the classes."""
    ignored = f"if {value:g} marks pixels without a label, pass `ignore={value:g}`"
    if kind == "binary":
        return f"If this is a binary mask, pass `classes=1`; {ignored}."
    if value == int(value) and 0 < value < _VOID[0]:
        return f"If {value:g} is a class too, pass `classes={value + 1:g}`; {ignored}."
    return f"I{ignored[1:]}."


def void_of(values: np.ndarray) -> float | None:
    """The one value that stands far above indices, as 255 does for pixels without a label; None where none does."""
    rest, largest = values[:-1], float(values[-1])
    beside = len(rest) > 1 or (len(rest) == 1 and rest[0] != 0)
    whole = bool((values == np.rint(values)).all())
    small = len(rest) > 0 and rest[0] >= 0 and rest[-1] <= _MOST_BESIDE_VOID
    return largest if whole and beside and small and largest in _VOID else None


def brightest(dtype: np.dtype) -> float:
    """The largest value that a mask of this dtype can hold; 1 for floats."""
    return float(np.iinfo(dtype).max) if np.issubdtype(dtype, np.integer) else 1.0


def _of_rest(rest: np.ndarray) -> str:
    if np.count_nonzero(rest) <= 1:
        return "`classes=1`"
    if rest[0] == 0 and _in_sequence(rest):
        return f"`classes={len(rest)}`, or `foreground='nonzero'` if the others are the numbers of single objects"
    return "`foreground='nonzero'`, if all others above 0 are the object"


def _in_sequence(values: np.ndarray) -> bool:
    return bool(values[0] in (0, 1) and np.array_equal(values, np.arange(len(values)) + values[0]))


def _areas(mask: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Of the pixels between the smallest and the largest value, the share in areas; and their share of all pixels."""
    between = (mask[..., 0] > values[0]) & (mask[..., 0] < values[-1])
    share = float(between.mean())
    return (float(_alike(mask)[between].mean()) if share else 0.0), share


def _objects_or_mixed(mask: np.ndarray, values: np.ndarray) -> str:
    """Whether most values fill areas, as objects do, or only some of them."""
    place = np.searchsorted(values, mask[..., 0].ravel())
    pixels = np.bincount(place, minlength=len(values))
    flat = np.bincount(place, _alike(mask).ravel(), minlength=len(values)) / np.maximum(pixels, 1)
    return "objects" if np.median(flat) >= FLAT / 2 else "mixed"


def _alike(mask: np.ndarray) -> np.ndarray:
    """Pixels that equal their neighbours to the right and below, where there are any."""
    plane = mask[..., 0]
    right, below = np.ones(plane.shape, bool), np.ones(plane.shape, bool)
    right[:, :-1], below[:-1] = plane[:, :-1] == plane[:, 1:], plane[:-1] == plane[1:]
    return right & below
