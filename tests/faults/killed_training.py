"""A training with everything in it that has a state, as a script starts it: in the same way each time, until it ends.

`train` is called in a process of its own, by `forks.py`.
"""

import io
import json
import random
import time
import zipfile
from pathlib import Path

import h5py
import keras
import numpy as np

from monitored_units import CONTROLS
from resumed_training import callbacks_for
from unetdyn import runs
from unetdyn.callbacks import ResumableRun, RunRecorder, Watch
from unetdyn.callbacks.monitor import Recorded
from unetdyn.data import Augmentation, TileDataset
from unetdyn.dynamics.training_state import copied

EPOCHS, STEPS, BATCH = 8, 3, 2
WAYS = ("float16", "accumulation", "watch")
"""Mixed precision with a loss scale; accumulated gradients; a watch as the recorder, with its own monitors."""

CHEAP = ("StabilityMonitor", "EarlyStopping", "ReduceLROnPlateau", "ModelCheckpoint best", "CSVLogger", "History")
"""Callbacks of the way that each run of the tests goes, with a step that TensorFlow traces in a second."""

TIMES = {"seconds", "_seconds", "cost", "created", "finished", "process", "writer", "resumed", "time", "overhead"}
"""What is another in each process, or each time."""


class Marks(keras.callbacks.Callback):
    """Tells when each step has ended, and when each epoch begins."""

    def __init__(self, tell):
        super().__init__()
        self.tell, self.epoch = tell, 0

    def get_state(self):
        return {}

    def set_state(self, state):
        pass

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        self.tell(f"epoch {epoch * STEPS} {time.monotonic()}")

    def on_train_batch_end(self, batch, logs=None):
        if self.model.train_function is None or "SkippedBatches" not in self.model.train_function.__qualname__:
            self.tell(f"step {self.epoch * STEPS + batch + 1} {time.monotonic()}")


def make_model(way):
    keras.utils.set_random_seed(1)
    layers, dtype = keras.layers, "mixed_float16" if way == "float16" else "float32"
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3, padding="same", dtype=dtype),
            layers.BatchNormalization(dtype=dtype),
            layers.Activation("relu", dtype=dtype),
            layers.Dropout(0.3, dtype=dtype),
            layers.Conv2D(1, 1, activation="sigmoid", dtype="float32"),
        ]
    )
    more = {"gradient_accumulation_steps": 2} if way == "accumulation" else {}
    optimizer = keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.5, **more)
    if way == "cheap":
        optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    if way == "float16":  # a scale that is too large at first, so that there are skipped steps too
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**22, dynamic_growth_steps=4)
    model.compile(optimizer, "binary_crossentropy", metrics=["mae"])
    return model


def make_callbacks(way, folder):
    """All that can be on at once, the recorder last of them."""
    own = callbacks_for(way if way in ("float16", "accumulation") else "plain", folder)
    for name in ("ResumableRun", "Watch", "Forgetful"):
        own.pop(name, None)
    if way == "watch":
        few = {*CONTROLS, "EarlyStopping", "ReduceLROnPlateau", "CSVLogger", "ModelCheckpoint best", "History"}
        own = {name: each for name, each in own.items() if name in few}
        recorder = Watch(folder / "run", save_best="val_loss", display="terminal", verbose=0, extend=True)
        units = recorder.monitors.values()
    else:
        own = {name: each for name, each in own.items() if way != "cheap" or name in CHEAP}
        units = [each for each in own.values() if isinstance(each, Recorded)]
        recorder = RunRecorder(folder / "run", {"way": way}, 1, save_best="val_loss", monitors=units, extend=True)
    for unit in units:
        if hasattr(unit, "budget"):
            unit.budget = None  # it is of time, which is never the same
    return [*own.values(), recorder]


def train(folder, way="cheap", tell=lambda text: None, epochs=EPOCHS, **more):
    """One start of the script; the end of the training leaves `folder/variables.npz`.

    Args:
        folder: Of all that it writes; the run is in `folder/run`.
        way: Of `WAYS`, or "cheap".
        tell: Is given a line at certain moments, with the time.
        epochs: How many.
        more: For `ResumableRun`.
    """
    folder = Path(folder)
    chance = np.random.default_rng(0)
    images = chance.random((STEPS * BATCH, 8, 8, 1)).astype("float32")
    masks = (images > 0.5).astype("float32")
    model, callbacks = make_model(way), make_callbacks(way, folder)
    run = ResumableRun(folder / "run", verbose=0, **more)
    random.seed(2)
    history = model.fit(
        TileDataset(images, masks, BATCH, seed=3, augmentation=Augmentation(noise=0.1)),
        shuffle=False,
        validation_data=(images[:2], masks[:2]),
        epochs=epochs,
        verbose=0,
        callbacks=[Marks(tell), *callbacks, run],
    )
    (folder / "history.json").write_text(json.dumps(history.history))
    with (folder / "variables.npz").open("wb") as file:
        drawn = {"random": np.random.random(2), "python": random.random()}  # noqa: NPY002
        np.savez(file, **copied(model, metrics=False), **drawn)


def outcome(folder):
    """All that a training has left, by a name: arrays and texts, without the clock's part."""
    folder = Path(folder)
    found = {"history": json.loads((folder / "history.json").read_text())}
    found["log"] = (folder / "log.csv").read_text()
    found |= _arrays("variables", (folder / "variables.npz").read_bytes())
    run = runs.open(folder / "run")
    assert not run.notes, run.notes
    found["run"] = run.header
    found["epochs"], found["events"] = list(run.epochs), list(run.events)
    for name in run.array_names:
        found[name] = dict(run.arrays(name))
    with zipfile.ZipFile(folder / "run/model.keras") as model:
        found |= _weights("model", io.BytesIO(model.read("model.weights.h5")))
    for file in sorted(folder.glob("*.weights.h5")):
        found |= _weights(file.name, file)
    return found


def differences(left, right, path=""):
    """The places at which two outcomes are not equal to the last bit; the clock's part is left out."""
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted({*left, *right} - TIMES):
            if name not in left or name not in right:
                yield f"{path}/{name} is missing in one"
            else:
                yield from differences(left[name], right[name], f"{path}/{name}")
    elif isinstance(left, list | tuple) and isinstance(right, list | tuple):
        if len(left) != len(right):
            yield f"{path} has {len(left)} and {len(right)} entries"
        for place, parts in enumerate(zip(left, right, strict=False)):
            yield from differences(*parts, f"{path}/{place}")
    elif isinstance(left, np.ndarray):
        if left.dtype != right.dtype or left.tobytes() != right.tobytes():
            yield f"{path} is {left!r} and {right!r}"
    elif left != right and not (left != left and right != right):
        yield f"{path} is {left!r} and {right!r}"


def _arrays(name, content):
    with np.load(io.BytesIO(content)) as loaded:
        return {f"{name}/{key}": value for key, value in loaded.items()}


def _weights(name, file):
    found = {}
    with h5py.File(file) as opened:
        opened.visititems(
            lambda key, each: found.update({f"{name}/{key}": each[()]}) if hasattr(each, "dtype") else None
        )
    return found
