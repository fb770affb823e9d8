"""What a batch of augmented tiles costs: milliseconds by `unetdyn.data.Augmentation`, and by Keras' own layers.

    KERAS_BACKEND=jax python benchmarks/augmentation.py [--batch 16] [--size 256] [--repeats 15] [--no-keras]

All conditions are interleaved in one process: one batch of each in turn, the first round thrown away, which compiles.
A batch is arrays in, tensors on the device that trains out, and waited for; so the time holds the way of 8 MB to a GPU.
With one thread a batch: `taskset -c 0` on Linux, since XLA asks no environment variable. Where others use the core too,
the processor's time tells more than the clock; where a GPU computes, it is the host's share.

Keras' layers are fed as their guide says, images and masks together, on the CPU: `RandomFlip` twice, a swap of axes,
`RandomRotation`, `RandomZoom`, `RandomContrast`, `RandomBrightness`. They have no elastic deformation
that acts on single samples, and their affine transform on PyTorch loops over images.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from unetdyn.data import Augmentation

GREYS = {"contrast": 0.2, "brightness": 0.2}
AFFINE = {**GREYS, "rotation": 15.0, "zoom": 0.1}
EVERYTHING = {
    **AFFINE,
    "shear": 5.0,
    "shift": 8.0,
    "elastic": 3.0,
    "gamma": 0.3,
    "noise": 0.1,
    "blur": 1.0,
    "cutout": 0.3,
}
CONDITIONS: dict[str, dict[str, float]] = {
    "flips, quarter turns": {},
    "and contrast, brightness": GREYS,
    "and rotation, zoom": AFFINE,
    "and elastic": {**AFFINE, "elastic": 3.0},
    "everything": EVERYTHING,
}
IN_KERAS = ("flips, quarter turns", "and contrast, brightness", "and rotation, zoom")

Batch = Callable[[np.ndarray, np.ndarray, int], Any]


def by_keras(rotation: float = 0, zoom: float = 0, contrast: float = 0, brightness: float = 0) -> Batch:
    """Keras' layers on images and masks, each batch by its own number as seed."""
    common = {"data_format": "channels_last", "seed": 0}
    layers = [keras.layers.RandomFlip("horizontal", **common), keras.layers.RandomFlip("vertical", **common)]
    if rotation:
        layers.append(keras.layers.RandomRotation(rotation / 360, **common))
    if zoom:
        layers.append(keras.layers.RandomZoom(zoom, **common))
    if contrast:
        layers.append(keras.layers.RandomContrast((contrast, contrast), (-1e6, 1e6), **common))
    if brightness:
        layers.append(keras.layers.RandomBrightness(brightness / 2e6, (-1e6, 1e6), **common))

    def batch(images: np.ndarray, masks: np.ndarray, number: int) -> Any:
        with keras.device("cpu"):
            moved, moved_masks = keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(masks)
            for place, layer in enumerate(layers):
                seed = 100 * number + place
                for_images, for_masks = (layer.get_random_transformation(moved, training=True, seed=seed) for _ in "im")
                moved = layer.transform_images(moved, for_images, training=True)
                moved_masks = layer.transform_segmentation_masks(moved_masks, for_masks, training=True)
            swap = keras.random.uniform((len(images), 1, 1, 1), seed=number) < 0.5
            return [keras.ops.where(swap, keras.ops.swapaxes(part, 1, 2), part) for part in (moved, moved_masks)]

    return batch


def ours(**settings: float) -> Batch:
    augmentation = Augmentation(**settings)
    return lambda images, masks, number: augmentation(images, masks, 0, number)


def waited_for(parts: Any) -> None:
    """The last of a batch's work is done: one number of each part has come to the host."""
    for part in parts:
        keras.ops.convert_to_numpy(part[-1, -1, -1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--no-keras", action="store_true")
    args = parser.parse_args()

    images = np.random.default_rng(0).normal(size=(args.batch, args.size, args.size, 1)).astype("float32")
    masks = (images > 0).astype("float32")
    made = {(name, "ours"): ours(**settings) for name, settings in CONDITIONS.items()}
    if not args.no_keras:
        made |= {(name, "Keras' layers"): by_keras(**CONDITIONS[name]) for name in IN_KERAS}
    seconds: dict[tuple[str, str], list[float]] = {key: [] for key in made}
    processor: dict[tuple[str, str], list[float]] = {key: [] for key in made}
    for number in range(args.repeats + 1):
        for key, batch in made.items():
            start, start_of_processor = time.perf_counter(), time.process_time()
            waited_for(batch(images, masks, number))
            seconds[key].append(time.perf_counter() - start)
            processor[key].append(time.process_time() - start_of_processor)

    print(f"{keras.backend.backend()}, {args.batch} tiles of {args.size}², a batch: median (quartiles)")
    print("| condition | whose | ms | processor, ms | first, s |\n| --- | --- | --- | --- | --- |")
    for name in CONDITIONS:
        for whose in ("Keras' layers", "ours"):
            if (name, whose) in seconds:
                first, *others = seconds[name, whose]
                shown = " | ".join(quartiles(each) for each in (others, processor[name, whose][1:]))
                print(f"| {name} | {whose} | {shown} | {first:.1f} |")


def quartiles(seconds: list[float]) -> str:
    low, median, high = (1e3 * each for each in statistics.quantiles(seconds, n=4))
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


if __name__ == "__main__":
    main()
