"""What is random in a batch: a few numbers for each sample, drawn by NumPy, so that they are alike on all backends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from unetdyn.data.augmentation.blur import gaussian_weights
from unetdyn.data.augmentation.elastic import drawn_grid, spline_basis
from unetdyn.data.augmentation.matrices import inverse_matrix

# The place of a kind is part of its seed, so a new one goes to the end. The first has 1: a seed that ends in zeros
# draws what a seed without them does, and `epoch_order` has (seed, epoch).
KINDS = (
    "flip",
    "rotate90",
    "order",
    "rotation",
    "zoom",
    "contrast",
    "brightness",
    "noise",
    "shear",
    "shift",
    "elastic",
    "gamma",
    "blur",
    "cutout",
)
GEOMETRY = ("rotation", "zoom", "shear", "shift", "elastic")


class Draws(NamedTuple):
    """The draws of a batch, each under the name of what it does; a kind that is off has none.

    `exact` has booleans of shape `(batch,)`: `rows`, `columns` and `order` (of sections) are reversed, then rows and
    columns are exchanged (`swap`). `geometry` and `greys` have a line for each section, alike for all of a tile but for
    the noise. Where the geometry has a matrix, the symmetries of the plane are in it, and not in `exact`.
    """

    exact: dict[str, np.ndarray]
    geometry: dict[str, np.ndarray]
    greys: dict[str, np.ndarray]


def draw(settings: Mapping[str, Any], shape: tuple[int, ...], epoch: int, batch: int) -> Draws:
    """The draws of a batch: a function of the seed, the epoch, the batch and a sample's place in it.

    Each kind has a generator of its own. So switching one on leaves the others' draws alone, and the first samples of a
    batch have the same draws however many follow.

    Args:
        settings: The arguments of `Augmentation`.
        shape: Of the images, `(batch, height, width, channels)`, or with depth before height.
        epoch: Number of the epoch, from 0.
        batch: Number of the batch in the epoch, from 0.

    Example:
        >>> settings = {"seed": 1, "flip": True, "contrast": 0.5}
        >>> two, three = (draw(settings, (count, 8, 8, 1), epoch=0, batch=4) for count in (2, 3))
        >>> bool((two.greys["contrast"] == three.greys["contrast"][:2]).all())
        True
    """
    samples, depth = shape[0], shape[1] if len(shape) == 5 else 1
    numbers = {
        kind: np.random.default_rng([settings["seed"], epoch, batch, place])
        for place, kind in enumerate(KINDS, 1)
        if settings.get("flip" if kind == "order" else kind)
    }
    exact = _exact(numbers, samples, len(shape) == 5)
    geometry = _geometry(settings, numbers, samples, shape[-3:-1], exact)
    if geometry:
        exact = {name: drawn for name, drawn in exact.items() if name == "order"}
    greys = _greys(settings, numbers, samples, shape[-3:-1])
    if depth > 1:
        geometry, greys = (
            {name: np.repeat(drawn, depth, axis=0) for name, drawn in each.items()} for each in (geometry, greys)
        )
    if "elastic" in geometry:
        for name, side in zip(("elastic_rows", "elastic_columns"), shape[-3:-1], strict=True):
            geometry[name] = spline_basis(side, settings["elastic_spacing"])
    if "noise" in numbers:
        greys["noise"] = numbers["noise"].integers(-(2**31), 2**31, (samples * depth, 2), dtype=np.int32)
        greys["noise_deviation"] = np.array(settings["noise"], np.float32)
    return Draws(exact, geometry, greys)


def _exact(numbers: Mapping[str, np.random.Generator], samples: int, blocks: bool) -> dict[str, np.ndarray]:
    exact = {}
    if "flip" in numbers:
        exact["rows"], exact["columns"] = (numbers["flip"].random((samples, 2)) < 0.5).T
    if "rotate90" in numbers:
        exact["swap"] = numbers["rotate90"].random(samples) < 0.5
    if blocks and "order" in numbers:
        exact["order"] = numbers["order"].random(samples) < 0.5
    return exact


def _geometry(
    settings: Mapping[str, Any],
    numbers: Mapping[str, np.random.Generator],
    samples: int,
    sides: tuple[int, ...],
    exact: Mapping[str, np.ndarray],
) -> dict[str, np.ndarray]:
    if not any(kind in numbers for kind in GEOMETRY):
        return {}

    def drawn(kind: str, *more: int) -> np.ndarray:
        if kind not in numbers:
            return np.zeros((samples, *more))
        return settings[kind] * numbers[kind].uniform(-1, 1, (samples, *more))

    none = np.zeros(samples, bool)
    matrix = inverse_matrix(
        np.radians(drawn("rotation")),
        1 + drawn("zoom"),
        np.radians(drawn("shear")),
        drawn("shift", 2),
        *(exact.get(name, none) for name in ("rows", "columns", "swap")),
    )
    if "elastic" not in numbers:
        return {"matrix": matrix}
    spacing = settings["elastic_spacing"]
    return {
        "matrix": matrix,
        "elastic": drawn_grid(numbers["elastic"], samples, sides, settings["elastic"], spacing),
    }


def _greys(
    settings: Mapping[str, Any],
    numbers: Mapping[str, np.random.Generator],
    samples: int,
    sides: tuple[int, ...],
) -> dict[str, np.ndarray]:
    greys: dict[str, np.ndarray] = {}
    if "blur" in numbers:
        greys["blur"] = gaussian_weights(settings["blur"] * numbers["blur"].random(samples), settings["blur"])
    if "gamma" in numbers:
        greys["gamma"] = (1 + settings["gamma"]) ** numbers["gamma"].uniform(-1, 1, samples)
    if "contrast" in numbers:
        greys["contrast"] = 1 + settings["contrast"] * numbers["contrast"].uniform(-1, 1, samples)
    if "brightness" in numbers:
        greys["brightness"] = settings["brightness"] * numbers["brightness"].uniform(-1, 1, samples)
    greys = {name: drawn.astype(np.float32) for name, drawn in greys.items()}
    if "cutout" in numbers:
        greys["cutout"] = _boxes(numbers["cutout"].random((samples, 4)), settings["cutout"], np.array(sides))
    return greys


def _boxes(unit: np.ndarray, most: float, sides: np.ndarray) -> np.ndarray:
    """First row and column, and those behind the last, of boxes that lie within the tile, each place alike."""
    extents = np.rint(unit[:, :2] * most * sides)
    first = np.floor(unit[:, 2:] * (sides - extents + 1))
    return np.concatenate([first, first + extents], axis=1).astype(np.int32)
