"""The sections, and the tiles that each recipe and each split makes of them."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unetdyn.data import (
    Stack,
    Tiles,
    check_tile_leakage,
    downsample,
    normalise,
    read_folder,
    split_by_section,
    tile,
)

FEW_SECTIONS, TILES_OF_FEW = 12, 12
"""The studies' small data set: 144 tiles, of 12 sections as far as can be told, so 12 of each."""

GAP = 1
LEAST_SECTIONS = 10


@dataclass(frozen=True)
class Plan:
    """Which sections serve what; between parts that must not know each other, one is left out."""

    developed: range
    train: range
    validation: range
    test: range


@dataclass(frozen=True)
class Part:
    """Tiles as `fit` takes them, `float32` of shape `(tiles, size, size, 1)`."""

    images: NDArray
    masks: NDArray


@dataclass(frozen=True)
class Parts:
    """The tiles of one combination.

    Attributes:
        train: In training, each in as many of the eight ways to lie as asked.
        validation: A tenth of the tiles, or of the sections.
        test: All tiles of sections that nothing else has seen.
        shared_sections: Of how many sections training and validation both have tiles.
    """

    train: Part
    validation: Part
    test: Part
    shared_sections: int


def plan(sections: int, few: bool) -> Plan:
    """The sections of each part: the last 15 % for the test, a tenth of the rest for an honest validation.

    Args:
        sections: How many there are.
        few: Whether no more than `FEW_SECTIONS` are used beside the test.

    Raises:
        ValueError: If there are fewer than `LEAST_SECTIONS`.
    """
    if sections < LEAST_SECTIONS:
        raise ValueError(f"The data must have at least {LEAST_SECTIONS} sections. Received: {sections}.")
    tested = round(0.15 * sections)
    developed = sections - tested - GAP
    if few:
        developed = min(FEW_SECTIONS, developed)
    validated = max(1, round(0.1 * developed))
    return Plan(
        range(developed),
        range(developed - validated - GAP),
        range(developed - validated, developed),
        range(sections - tested, sections),
    )


def load(data: Path | None, cache: Path | None, factor: int) -> tuple[str, Stack]:
    """The sections `factor` times smaller, from `cache` where it is there, else from the folder.

    Args:
        data: Folder with `images/` and `masks/`; None: `vnc_mito` in the folder that `UNETDYN_DATA` names.
        cache: A file that is written where it is missing, so that a machine without the folder can do with it.
        factor: By how much smaller.

    Returns:
        The folder's name, and the sections.

    Raises:
        ValueError: If `cache` was written with another `factor`.
    """
    if cache is not None and cache.exists():
        with np.load(cache) as held:
            if int(held["factor"]) != factor:
                raise ValueError(f"{cache} holds sections {int(held['factor'])} times smaller, not {factor} times.")
            return str(held["data"]), Stack(held["images"], held["masks"], tuple(held["names"].tolist()))
    folder = data or Path(os.environ.get("UNETDYN_DATA", ".")) / "vnc_mito"
    stack = downsample(read_folder(folder, mask_threshold=0.5), factor)
    if cache is not None:
        cache.parent.mkdir(parents=True, exist_ok=True)
        temporary = cache.with_suffix(f".{os.getpid()}.npz")
        held = {"images": stack.images, "masks": stack.masks, "names": np.array(stack.names)}
        np.savez_compressed(temporary, **held, data=np.array(folder.name), factor=np.array(factor))
        temporary.replace(cache)
    return folder.name, stack


def parts(stack: Stack, few: bool, honest: bool, size: int, turns: int, seed: int) -> Parts:
    """The tiles of a recipe and a split.

    Args:
        stack: All sections.
        few: Whether only the few sections, and 12 tiles of each, are used.
        honest: Whether validation has sections of its own, apart from training's; else a tenth of all tiles at random.
        size: Side of a tile.
        turns: In how many of the eight ways in which a square can lie each training tile is given, but for the few.
        seed: Of the random split.
    """
    planned = plan(len(stack), few)
    even = Stack(normalise(stack.images), stack.masks, stack.names)
    most = TILES_OF_FEW if few else None
    if honest:
        split = split_by_section(even, planned.train, planned.validation, planned.test, gap=GAP)
        train, validation = _tiles(split.train, size, most), _tiles(split.validation, size, most)
    else:
        tiles = _tiles(even.take(planned.developed), size, most)
        train, validation = (tiles.take(chosen) for chosen in random_tenth(len(tiles), seed))
    turns = 1 if few else turns
    return Parts(
        Part(turned(train.images, turns), turned(train.masks, turns)),
        Part(validation.images, validation.masks),
        Part(*_both(tile(even.take(planned.test), size))),
        len(check_tile_leakage(train, validation).findings),
    )


def random_tenth(count: int, seed: int) -> tuple[NDArray, NDArray]:
    """Indices to train on, and a tenth at random to validate on, both in order."""
    order = np.random.default_rng(seed).permutation(count)
    held_out = max(1, round(0.1 * count))
    return np.sort(order[held_out:]), np.sort(order[:held_out])


def turned(tiles: NDArray, turns: int) -> NDArray:
    """The tiles in the first `turns` of the eight ways in which a square can lie, one way after the other."""
    ways = [np.rot90(side, quarter, axes=(1, 2)) for side in (tiles, tiles[:, :, ::-1]) for quarter in range(4)]
    return np.concatenate(ways[:turns])


def _tiles(stack: Stack, size: int, most: int | None) -> Tiles:
    """The tiles of sections, of each no more than the first `most`."""
    tiles = tile(stack, size)
    if most is None:
        return tiles
    return tiles.take(np.concatenate([np.flatnonzero(tiles.section == one)[:most] for one in range(len(stack))]))


def _both(tiles: Tiles) -> tuple[NDArray, NDArray]:
    return tiles.images, tiles.masks
