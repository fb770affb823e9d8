"""One training: a model that is set back instead of built anew, so that a program is compiled once."""

import functools
import time
import warnings
from typing import Any

import keras
import numpy as np

from unetdyn import models
from unetdyn.analysis import stability
from unetdyn.data import TileDataset
from unetdyn.dynamics.training_state import Values, copied, put_back
from unetdyn.metrics import ThresholdedJaccard

from .arms import ARMS, EPOCHS, SETUPS
from .tiles import SIDE, Part

LAST = 10
"""Epochs that σ is taken over: the studies'."""


def train(setup: str, arm: str, parts: tuple[Part, Part], seed: int, epochs: int = EPOCHS) -> dict[str, Any]:
    """Train once, and tell what came of it.

    Args:
        setup: One of `SETUPS`.
        arm: One of `ARMS`.
        parts: Training and validation.
        seed: Of the weights, and of the order of the tiles.
        epochs: At most.
    """
    began = time.process_time()
    made = SETUPS[setup]
    model, values = _model(setup, arm)
    put_back(model, values | _initial(seed))
    keras.utils.set_random_seed(seed)
    own, other = parts
    dataset = TileDataset(own.images, own.masks, made.batch_size, seed=seed, drop_last=True)
    control = ARMS[arm](dataset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that callbacks are new in each `fit` is meant here
        history = model.fit(
            dataset,
            validation_data=TileDataset(other.images, other.masks, len(other.images), shuffle=False),
            epochs=epochs,
            shuffle=False,
            verbose=0,
            callbacks=[control] if control is not None else [],
        ).history
    jaccard = history["val_jaccard"]
    return {
        "sigma": float(stability(history["val_loss"], window=LAST).sigma),
        "best": float(np.max(jaccard)),
        "last": float(jaccard[-1]),
        "epochs": len(jaccard),
        "seconds": round(time.process_time() - began, 1),
    }


@functools.cache
def _model(setup: str, arm: str) -> tuple[keras.Model, Values]:
    """Compiled and built, and the values of all that it begins with; each arm has its own, which is compiled once."""
    del arm
    model = _unet(0)
    metrics = [ThresholdedJaccard(name="jaccard")]
    model.compile(keras.optimizers.Adam(SETUPS[setup].rate), "binary_crossentropy", metrics=metrics)
    model.optimizer.build(model.trainable_variables)
    return model, copied(model, metrics=False)


@functools.cache
def _initial(seed: int) -> Values:
    """The weights that a seed begins with."""
    model = _unet(seed)
    model.compile("sgd")
    return {place: value for place, value in copied(model, metrics=False).items() if place.startswith("model/")}


def _unet(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return models.UNet((SIDE, SIDE, 1), filters=8, depth=3, seed=seed)
