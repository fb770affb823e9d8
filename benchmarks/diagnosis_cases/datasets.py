"""Small tiles of invented and of real electron microscopy, cached so that a worker reads no images."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from unetdyn.data import Stack

TILE = 64
COUNTS = {"train": 192, "val": 32, "test": 48}
NAMES = ("synthetic", "vnc")


@dataclass
class Arrays:
    """What a training is given, `float32`; a fault may change all but the test tiles."""

    x: NDArray
    y: NDArray
    val_x: NDArray
    val_y: NDArray
    test_x: NDArray
    test_y: NDArray


def source_of_vnc() -> Path | None:
    """The folder of the real sections, named by `UNETDYN_DATA`; None where it is not there."""
    path = Path(os.environ.get("UNETDYN_DATA", ".")) / "vnc_mito"
    return path if path.is_dir() else None


def prepare(cache: Path) -> list[str]:
    """Write each data set's tiles to `cache` unless they are there, and say which there are."""
    cache.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        path = cache / f"{name}.npz"
        if path.exists() or (name == "vnc" and source_of_vnc() is None):
            continue
        temporary = path.with_suffix(f".{os.getpid()}.npz")
        np.savez_compressed(temporary, **_tiles(name))
        temporary.replace(path)
    return [name for name in NAMES if (cache / f"{name}.npz").exists()]


def load(cache: Path, name: str, scaling: str = "standardised") -> Arrays:
    """The tiles of a data set.

    Args:
        cache: Folder that `prepare` filled.
        name: One of `NAMES`.
        scaling: `"standardised"`: by mean and deviation of the section that a tile is from; `"raw"`: 0 to 255.
    """
    with np.load(cache / f"{name}.npz") as file:
        held = dict(file)
    parts = {}
    for part in COUNTS:
        images = held[f"{part}_images"].astype(np.float32)
        if scaling == "standardised":
            images = (images - held[f"{part}_mean"]) / held[f"{part}_std"]
        parts[part] = (images.astype(np.float32), held[f"{part}_masks"].astype(np.float32))
    return Arrays(*parts["train"], *parts["val"], *parts["test"])


def _tiles(name: str) -> dict[str, NDArray]:
    """Sections of training, validation and test lie apart, so that no structure is in two of them."""
    from unetdyn.data import Stack, downsample, read_folder, tile

    rng = np.random.default_rng(0)
    held = {}
    if name == "synthetic":
        # Several tissues a part, of which a few sections: neighbours would be the same tile twice.
        seeds = {"train": range(40), "val": range(40, 48), "test": range(48, 60)}
        stacks = {part: _pooled([_tissue(seed) for seed in of_part]) for part, of_part in seeds.items()}
    else:
        whole = downsample(read_folder(source_of_vnc()), 4)
        sections = {"train": range(10), "val": range(11, 14), "test": range(15, 20)}
        stacks = {
            part: Stack(whole.images[list(which)], whole.masks[list(which)], tuple(whole.names[i] for i in which))
            for part, which in sections.items()
        }
    for part, count in COUNTS.items():
        tiles = tile(stacks[part], TILE)
        foreground = tiles.masks.mean(axis=(1, 2, 3))
        # A quarter at most is nearly empty: so few tiles would else leave the validation to chance.
        full, empty = np.flatnonzero(foreground > 0.01), np.flatnonzero(foreground <= 0.01)
        few = min(len(empty), count // 4)
        chosen = np.concatenate(
            [rng.choice(full, count - few, replace=len(full) < count - few), rng.choice(empty, few, replace=False)]
        )
        chosen = rng.permutation(chosen)
        turned = [_turned(tiles.images[one], tiles.masks[one], rng.integers(8)) for one in chosen]
        sections = tiles.section[chosen]
        images = stacks[part].images.astype(np.float64)
        held[f"{part}_images"], held[f"{part}_masks"] = (np.stack(one) for one in zip(*turned, strict=True))
        held[f"{part}_mean"] = images.mean(axis=(1, 2, 3), keepdims=True)[sections]
        held[f"{part}_std"] = images.std(axis=(1, 2, 3), keepdims=True)[sections]
    return held


def _turned(image: NDArray, mask: NDArray, way: int) -> tuple[NDArray, NDArray]:
    """One of the eight ways in which a square can lie: few real sections make more different tiles."""
    image, mask = (np.rot90(each, way % 4) for each in (image, mask))
    return (image[:, ::-1], mask[:, ::-1]) if way >= 4 else (image, mask)


def _tissue(seed: int) -> "Stack":
    """Two sections of a tissue without decoys, little noise and even light: easy enough for the smallest nets."""
    from unetdyn.data import Stack, downsample, synthetic_em

    whole = downsample(
        synthetic_em(
            sections=5, size=256, seed=seed, mitochondria=0.1, decoys=0.0, noise=4.0, uneven_light=0.0, drift=0.0
        ),
        2,
    )
    return Stack(whole.images[::4], whole.masks[::4], tuple(f"{seed}-{name}" for name in whole.names[::4]))


def _pooled(stacks: "list[Stack]") -> "Stack":
    from unetdyn.data import Stack

    names = tuple(name for stack in stacks for name in stack.names)
    return Stack(
        np.concatenate([stack.images for stack in stacks]), np.concatenate([stack.masks for stack in stacks]), names
    )
