"""Which average of the weights: Keras' exponential one or an equal-weight mean, with the norms' statistics recomputed?

UNETDYN_DATA=... python benchmarks/weight_averages.py
"""

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras
from controls_cases.arms import EPOCHS, SETUPS
from controls_cases.tiles import NAMES, SIDE, Part, tiles

from unetdyn import models
from unetdyn.data import TileDataset
from unetdyn.metrics import ThresholdedJaccard

FROM, MOMENTUM, SEEDS = 20, 0.99, 3
"""The epoch from which the mean is taken, the momentum of Keras' average, and how many trainings of each."""

Weights = list[np.ndarray]


class Keep(keras.callbacks.Callback):
    """The weights at the end of each epoch, and Keras' average at the last: `fit` puts it into the model."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: list[Weights] = []
        self.average: Weights = []

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
        """Copy them."""
        self.weights.append(self.model.get_weights())
        averages = self.model.optimizer._model_variables_moving_average
        self.average = [keras.ops.convert_to_numpy(average).copy() for average in averages]


def scores(setup: str, parts: tuple[Part, Part], seed: int) -> dict[str, tuple[float, float]]:
    """One training, and validation Jaccard and loss of each choice of weights."""
    made, (own, other) = SETUPS[setup], parts
    keras.utils.set_random_seed(seed)
    model = models.UNet((SIDE, SIDE, 1), filters=8, depth=3, seed=seed)
    optimizer = keras.optimizers.Adam(made.rate, use_ema=True, ema_momentum=MOMENTUM)
    model.compile(optimizer, "binary_crossentropy", metrics=[ThresholdedJaccard(name="jaccard")])
    validation, keep = TileDataset(other.images, other.masks, len(other.images), shuffle=False), Keep()
    train = TileDataset(own.images, own.masks, made.batch_size, seed=seed, drop_last=True)
    model.fit(train, validation_data=validation, epochs=EPOCHS, shuffle=False, verbose=0, callbacks=[keep])
    last = keep.weights[-1]
    mean = [np.mean([weights[place] for weights in keep.weights[FROM:]], axis=0) for place in range(len(last))]
    moving = ["moving" in variable.name for variable in model.weights]
    mixed = [old if is_moving else new for is_moving, old, new in zip(moving, last, mean, strict=True)]

    def score(weights: Weights, average: Weights | None = None, again: bool = False) -> tuple[float, float]:
        model.set_weights(weights)
        for variable, value in zip(model.trainable_variables, average or [], strict=bool(average)):
            variable.assign(value)
        if again:
            recompute_statistics(model, own.images, made.batch_size)
        found = model.evaluate(validation, verbose=0, return_dict=True)
        return round(float(found["jaccard"]), 4), round(float(found["loss"]), 4)

    return {
        "last": score(last),
        "last, recomputed": score(last, again=True),
        "exponential": score(last, keep.average),
        "exponential, recomputed": score(last, keep.average, again=True),
        "mean, last statistics": score(mixed),
        "mean, mean statistics": score(mean),
        "mean, recomputed": score(mean, again=True),
    }


def recompute_statistics(model: keras.Model, images: np.ndarray, batch_size: int) -> None:
    """The mean over one pass: with momentum i / (i + 1) at batch i, all batches count alike."""
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for place, start in enumerate(range(0, len(images) - batch_size + 1, batch_size)):
        for norm in norms:
            norm.momentum = place / (place + 1)
        model(images[start : start + batch_size], training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def main(names: Sequence[str]) -> None:
    """A line of JSON for each training."""
    for name in names:
        parts = tiles(name)
        if isinstance(parts, str):
            print(f"{name} is left out: {parts}.")
            continue
        for setup in SETUPS:
            for seed in range(SEEDS):
                print(
                    json.dumps({"data": name, "setup": setup, "seed": seed, **scores(setup, parts, seed)}), flush=True
                )


if __name__ == "__main__":
    main(sys.argv[1:] or NAMES)
