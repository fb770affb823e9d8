"""What becomes of trainings whose learning rate is 10⁴ times too high, with `DivergenceRollback` and without?

python benchmarks/rates_too_high.py
"""

import os
from collections.abc import Callable

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras

from unetdyn.callbacks import DivergenceRollback
from unetdyn.data import normalise, synthetic_em, tile
from unetdyn.models import UNet

SEEDS, EPOCHS, BATCH, FACTOR = 5, 15, 4, 1e4
RATES = {"Adam": (keras.optimizers.Adam, 0.01), "SGD": (keras.optimizers.SGD, 0.5)}

Data = tuple[np.ndarray, np.ndarray]


def bright_pixels() -> Data:
    """32 images of noise, whose pixels above 0.5 are object: a threshold is all there is to learn."""
    images = np.random.default_rng(0).random((32, 8, 8, 1)).astype("float32")
    return images, (images > 0.5).astype("float32")


def mitochondria() -> Data:
    """32 tiles of synthetic electron microscopy."""
    stack = synthetic_em(sections=8, size=128, seed=0)
    tiles = tile(stack.with_images(normalise(stack.images)), 64)
    return np.asarray(tiles.images, "float32"), np.asarray(tiles.masks, "float32")


def small(norm: bool) -> keras.Model:
    """Four ReLUs, with or without normalisation."""
    layers = keras.layers
    norms = [layers.BatchNormalization()] if norm else []
    body = [layers.Conv2D(4, 3, padding="same"), *norms, layers.Activation("relu")]
    return keras.Sequential([keras.Input((8, 8, 1)), *body, layers.Conv2D(1, 1, activation="sigmoid")])


NETS: dict[str, tuple[Callable[[], keras.Model], Callable[[], Data]]] = {
    "four ReLUs": (lambda: small(norm=False), bright_pixels),
    "the same with batch norm": (lambda: small(norm=True), bright_pixels),
    "U-Net, 4 filters, depth 2": (lambda: UNet((64, 64, 1), filters=4, depth=2), mitochondria),
}


def trained(net: str, optimizer: str, factor: float, with_rollback: bool, seed: int) -> tuple[float, float, int]:
    """Loss of the untrained model and at the end, and how often it went back."""
    keras.utils.set_random_seed(seed)
    made, data = NETS[net]
    model, (images, masks) = made(), data()
    kind, rate = RATES[optimizer]
    model.compile(kind(rate * factor), "binary_crossentropy")
    untrained = model.evaluate(images, masks, batch_size=BATCH, verbose=0)
    rollback = DivergenceRollback(verbose=0)
    callbacks = [rollback] if with_rollback else []
    fitted = model.fit(images, masks, batch_size=BATCH, epochs=EPOCHS, verbose=0, callbacks=callbacks)
    return untrained, fitted.history["loss"][-1], rollback.rollbacks


def main() -> None:
    """A row for each net and optimizer: medians, and least and largest, over the seeds."""
    print("| net | optimizer | untrained | the right rate | 10⁴ times that | with rollback | rollbacks |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for net in NETS:
        for optimizer in RATES:
            cells = []
            for factor, with_rollback in ((1, False), (FACTOR, False), (FACTOR, True)):
                found = [trained(net, optimizer, factor, with_rollback, seed) for seed in range(SEEDS)]
                untrained, ends, backs = (np.array(each) for each in zip(*found, strict=True))
                cells.append(f"{np.median(ends):.3g} ({ends.min():.3g}–{ends.max():.3g})")
            row = [net, optimizer, f"{np.median(untrained):.2f}", *cells, f"{backs.min()}–{backs.max()}"]
            print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main()
