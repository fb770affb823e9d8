"""Train one combination in this process, recorded with monitors, and measure what came of it."""

import json
import math
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unetdyn import models
from unetdyn.analysis import diagnose, stability
from unetdyn.callbacks import BatchMonitor, GradientMonitor, RunRecorder, StabilityMonitor, UpdateMonitor
from unetdyn.data import Stack, TileDataset
from unetdyn.losses import BinaryFocalLoss
from unetdyn.metrics import SoftJaccard, ThresholdedJaccard

from .combinations import RECIPES, Combination, Recipe
from .sections import Part, Parts, parts

RESULT = "result.json"
AT_ONCE = 2
"""Batch size of validation and test: it divides most numbers of tiles, so that one program serves for all."""

LAST = 10


@dataclass(frozen=True)
class Settings:
    """What all trainings of a table have in common."""

    downsample: int = 1
    tile: int = 256
    turns: int = 8
    filters: int = 32
    epochs: int = 30
    broken_epochs: int = 50
    precision: str = "float32"


class Recorder(RunRecorder):
    """Keeps everything but the model."""

    def _save_model(self) -> None:
        """Not kept."""


class Deadline(keras.callbacks.Callback):
    """Ends a training whose time is over; what was trained so far then counts for nothing."""

    def __init__(self, at: float | None) -> None:
        super().__init__()
        self.at = at
        self.missed = False

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:  # noqa: ARG002
        """Look at the clock."""
        if self.at is not None and time.perf_counter() > self.at and epoch + 1 < self.params["epochs"]:
            self.missed = self.model.stop_training = True


def train(
    one: Combination, stack: Stack, settings: Settings, out: Path, deadline: float | None
) -> dict[str, Any] | None:
    """Train a combination, and write its run to `out / one.id` with `result.json` beside the record.

    Args:
        one: What to train.
        stack: The sections.
        settings: What all trainings have in common.
        out: Folder of the run directories.
        deadline: When to give up, on the clock of `time.perf_counter`; None: never.

    Returns:
        What `result.json` holds; None where there was no time to finish.
    """
    began = time.perf_counter()
    keras.utils.clear_session()
    keras.utils.set_random_seed(one.seed)
    recipe = RECIPES[one.recipe]
    epochs = settings.broken_epochs if one.recipe == "broken" else settings.epochs
    tiles = parts(stack, recipe.few_sections, one.split == "honest", settings.tile, settings.turns, one.seed)
    model = _model(one, recipe, settings)
    folder, temporary = out / one.id, out / f".{one.id}"
    shutil.rmtree(temporary, ignore_errors=True)
    monitors = [StabilityMonitor(), GradientMonitor(), UpdateMonitor(), BatchMonitor()]
    config = {"reproduction": one.id, **asdict(settings)}
    recorder = Recorder(temporary, config=config, seed=one.seed, save_best=None, monitors=monitors)
    kept = keras.callbacks.EarlyStopping(
        recipe.chosen_by, patience=recipe.patience or epochs, mode="max", restore_best_weights=True
    )
    plateau = [keras.callbacks.ReduceLROnPlateau(recipe.chosen_by, 0.5, recipe.plateau, mode="max")]
    limit = Deadline(deadline)
    train_set = TileDataset(tiles.train.images, tiles.train.masks, recipe.batch_size, seed=one.seed, drop_last=True)
    history = model.fit(
        train_set,
        validation_data=_in_order(tiles.validation),
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[*monitors, *(plateau if recipe.plateau else []), kept, recorder, limit],
    ).history
    if limit.missed:
        shutil.rmtree(temporary)
        return None
    test = {f"test_{name}": float(value) for name, value in _evaluated(model, tiles.test).items()}
    recorder.writer.finish("finished", test)
    result = {
        **asdict(one),
        **_counted(tiles),
        "parameters": model.count_params(),
        **measured(history, kept.best_epoch),
        **{f"test_{short}": test[f"test_{name}"] for short, name in NAMES.items()},
        "diagnosis": _diagnosis(temporary),
        "seconds": round(time.perf_counter() - began, 1),
        "settings": asdict(settings),
    }
    result = {name: _finite(value) for name, value in result.items()}
    (temporary / RESULT).write_text(json.dumps(result, indent=1, allow_nan=False))
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
    return result


NAMES = {"object": "jaccard", "two_class": "two_class_jaccard", "soft": "soft_jaccard"}
"""Three readings of one prediction: what the table calls them, and what the log does."""


def measured(history: Mapping[str, list[float]], kept: int) -> dict[str, Any]:
    """What the log says of the validation.

    Args:
        history: `History.history`.
        kept: The epoch whose weights were kept, from 0.

    Returns:
        The three Jaccards at the kept epoch; that of the object at its best, in the last epoch, and at its lowest in
        the last ten, also as a share of its best so far; σ of the validation loss over the last ten, divided by n − 1,
        and its class.
    """
    object_ = history["val_jaccard"]
    scatter = stability(history["val_loss"], window=min(LAST, max(2, len(object_))))
    return {
        "epochs": len(object_),
        "kept_epoch": kept + 1,
        **{name: float(history[f"val_{logged}"][kept]) for name, logged in NAMES.items()},
        "object_best": float(max(object_)),
        "soft_best": float(max(history["val_soft_jaccard"])),
        "object_last": float(object_[-1]),
        "object_lowest": float(min(object_[-LAST:])),
        "object_share": lowest_share(object_),
        "sigma": float(scatter.sigma),
        "sigma_class": scatter.label,
    }


def lowest_share(values: Sequence[float]) -> float:
    """Of the last ten values, the smallest as a share of the best until then: 1 where it only rose, 0 after a collapse.

    >>> lowest_share([0.2, 0.8, 0.4, 0.9])
    0.5
    """
    best = np.maximum.accumulate(values)
    shares = np.divide(values, best, out=np.ones(len(best)), where=best > 0)
    return float(shares[-LAST:].min())


def _model(one: Combination, recipe: Recipe, settings: Settings) -> keras.Model:
    keras.config.set_dtype_policy(settings.precision)
    try:
        shape = (settings.tile, settings.tile, 1)
        builder = getattr(models, one.architecture)
        model = builder(shape, filters=settings.filters, variant="bnsreenu", seed=one.seed)
    finally:
        keras.config.set_dtype_policy("float32")
    if settings.precision != "float32":
        model = keras.models.clone_model(model, clone_function=_head_in_float32)
    model.compile(
        keras.optimizers.Adam(**recipe.optimizer),
        BinaryFocalLoss(gamma=2.0),
        metrics=[
            ThresholdedJaccard(name="jaccard"),
            ThresholdedJaccard(class_ids=[0, 1], name="two_class_jaccard"),
            SoftJaccard(name="soft_jaccard"),
        ],
    )
    return model


def _head_in_float32(layer: keras.layers.Layer) -> keras.layers.Layer:
    """A copy; of the head in float32, as our own variant has it, or probabilities would have three digits."""
    config = layer.get_config()
    if layer.name.startswith("head"):
        config["dtype"] = "float32"
    return type(layer).from_config(config)


def _in_order(part: Part) -> TileDataset:
    return TileDataset(part.images, part.masks, AT_ONCE, shuffle=False)


def _evaluated(model: keras.Model, part: Part) -> dict[str, Any]:
    return model.evaluate(_in_order(part), verbose=0, return_dict=True)


def _counted(tiles: Parts) -> dict[str, Any]:
    counts = {name: len(getattr(tiles, name).images) for name in ("train", "validation", "test")}
    return {"tiles": counts, "shared_sections": tiles.shared_sections}


def _diagnosis(folder: Path) -> dict[str, Any]:
    found = diagnose(folder)
    return {"level": found.level, "codes": [finding.code for finding in found.headline], "sentence": found.sentence}


def _finite(value: Any) -> Any:
    """JSON has no NaN: None instead."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
