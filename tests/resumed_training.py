"""A training with everything in it, cut at two moments, and gone on with in new models and new callbacks.

The harness does here in one process what a resumable run does in two: it is the test of what callbacks say of their
state, and of nothing else.
"""

import dataclasses
import json
from collections import deque
from types import SimpleNamespace

import keras
import numpy as np

from monitored_units import CONTROLS, MONITORS
from unetdyn.callbacks import (
    AdaptiveGradientClipping,
    AutoClip,
    GradientNoise,
    LiveDashboard,
    MomentumCycle,
    Monitor,
    RunningAverageClipping,
)
from unetdyn.callbacks.fit_call import callback_list
from unetdyn.callbacks.keras_states import bring_back, state_of
from unetdyn.callbacks.skipped_batches import SkippedBatches
from unetdyn.callbacks.step_record import StepRecord
from unetdyn.dynamics.training_state import copied, put_back
from unetdyn.experiment.averaged_weights import AveragedWeights
from unetdyn.runs.state_tree import decode, encode
from unetdyn.schedules import OneCycle

EPOCHS, STEPS, BATCH = 3, 7, 3
MOMENTS = {"between two epochs": (1, 0), "within an epoch": (1, 3)}
"""Before which step of which epoch the training is cut."""

WAYS = {
    "plain": {},
    "accumulation": {"gradient_accumulation_steps": 2, "use_ema": True, "ema_momentum": 0.5},
    "float16": {"dtype": "mixed_float16", "use_ema": True, "ema_momentum": 0.5},
}

ACTING = {
    "AdaptiveGradientClipping": lambda folder: AdaptiveGradientClipping(0.02),
    "AutoClip": lambda folder: AutoClip(percentile=50, history=10),
    "GradientNoise": lambda folder: GradientNoise(1e-6),
    "LiveDashboard": lambda folder: LiveDashboard(where="terminal"),
    "MomentumCycle": lambda folder: MomentumCycle(0.8, 0.95, OneCycle(1.0, EPOCHS * STEPS)),
    "RunningAverageClipping": lambda folder: RunningAverageClipping(1.0, 0.9),
}
"""Instead of those of `monitored_units`, which have nothing to do."""

DIRECTORY = {"ResumableRun", "RunRecorder", "Watch"}
"""Those that carry on with a run directory: `test_watch_resumed.py` has them."""

PROCESS = {
    "params",
    "_blocks",
    "_kinds",
    "_began",
    "_compiles",
    "_looks",
    "_probe",
    "monitor_op",
    "min_delta",
    "filepath",
    "filename",
}
"""Attributes of a callback that belong to a process or a `fit`: parameters, clocks, paths, what is made when needed."""


class Forgetful(Monitor):
    """Keeps something that is not in its state."""

    def __init__(self):
        super().__init__("forgetful")
        self.seen = 0

    @property
    def record(self):
        return {"seen": np.array(self.seen)}

    def on_epoch_end(self, epoch, logs=None):
        self.seen += 1


class Moments(keras.callbacks.Callback):
    """The last of the callbacks: takes the state at the moments, or goes on from one.

    Args:
        callbacks: The others.
        moment: The one to begin with, as (epoch, step); None begins with the beginning.
        state: As taken then.
    """

    def __init__(self, callbacks, moment=None, state=None):
        super().__init__()
        self.callbacks = callbacks
        self.moment, self.state = moment, state
        self.taken, self.attributes = {}, {}
        self.epoch = 0

    def on_train_begin(self, logs=None):
        if self.moment is not None:
            self.model._initial_epoch = self.moment[0]
            if not self.model.optimizer.built:
                self.model.optimizer.build(self.model.trainable_variables)
            self.bring_back(metrics=False)

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        if self.moment is not None and self.moment[0] == epoch and self.moment[1]:
            self.skipped = SkippedBatches(self.model, callback_list(), {}, lambda step: None)

    def on_train_batch_begin(self, batch, logs=None):
        if not batch:
            return
        if self.moment == (self.epoch, batch):
            self.skipped.end()
            self.bring_back(metrics=True)
        elif (self.epoch, batch) in MOMENTS.values() and self.moment is None:
            self.take((self.epoch, batch))

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1, 0) in MOMENTS.values() and self.moment is None:
            self.take((epoch + 1, 0))

    def take(self, moment):
        """As a file would have it."""
        states = [state_of(each) for each in self.callbacks]
        value, arrays = encode({"variables": copied(self.model, metrics=moment[1] > 0), "callbacks": states})
        self.taken[moment] = json.dumps(value, allow_nan=False), {name: each.copy() for name, each in arrays.items()}
        self.attributes[moment] = [attributes_of(each) for each in self.callbacks]

    def bring_back(self, metrics):
        text, arrays = self.state
        state = decode(json.loads(text), arrays)
        values = {place: value for place, value in state["variables"].items() if metrics or "metrics/" not in place}
        if metrics:  # the order must not matter
            put_back(self.model, values)
        for callback, of_callback in zip(self.callbacks, state["callbacks"], strict=True):
            bring_back(callback, of_callback)
        if not metrics:
            put_back(self.model, values)
        self.attributes[self.moment] = [attributes_of(each) for each in self.callbacks]
        self.model.calls_of_loss.clear()


def attributes_of(callback):
    """What it keeps in plain values, now."""
    found = {name: plain(value) for name, value in vars(callback).items() if name not in PROCESS}
    return {name: value for name, value in found.items() if value is not NotImplemented}


def plain(value):
    """A copy that can be compared; NotImplemented of what is no value."""
    if value is None or isinstance(value, bool | int | float | str | bytes | np.generic):
        return value
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, StepRecord):
        return plain(value.arrays)
    if dataclasses.is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        parts = {key: plain(each) for key, each in value.items()}
        return NotImplemented if any(each is NotImplemented for each in parts.values()) else parts
    if isinstance(value, list | tuple | set | frozenset | deque):
        ordered = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        parts = [plain(each) for each in ordered]
        return NotImplemented if any(each is NotImplemented for each in parts) else parts
    return NotImplemented


def make_model(dtype="float32", **options):
    """With every kind of state: weights, moving statistics, the seed of a dropout, the optimizer's, a metric's."""
    keras.utils.set_random_seed(1)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(4, activation="relu", dtype=dtype, name="first"),
            layers.BatchNormalization(dtype=dtype, name="norm"),
            layers.Dropout(0.5, seed=2, dtype=dtype, name="dropout"),
            layers.Dense(1, activation="sigmoid", dtype="float32", name="last"),
        ],
        name="model",
    )
    optimizer = keras.optimizers.Adam(0.01, **options)
    if dtype == "mixed_float16":
        # A scale that is too large at first, so that there are skipped steps too.
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=2.0**24, dynamic_growth_steps=4)
    calls = []

    def loss(y, p):
        calls.append(1)
        return keras.losses.binary_crossentropy(y, p)

    model.compile(optimizer, loss, metrics=[keras.metrics.BinaryAccuracy(name="accuracy")])
    model.calls_of_loss = calls
    return model


def callbacks_for(way, folder):
    """All of ours, and Keras' own, by name, in their order."""
    units = MONITORS | CONTROLS | ACTING
    own = {name: make(folder / name) for name, make in units.items() if name not in DIRECTORY}
    for unit in own.values():
        if hasattr(unit, "budget"):
            unit.budget = None  # it is of time, which is never the same
    swap = {
        "plain": {"Forgetful": Forgetful()},
        "accumulation": {"SwapEMAWeights": keras.callbacks.SwapEMAWeights(swap_on_epoch=True)},
        "float16": {"AveragedWeights": AveragedWeights()},
    }[way]
    of_keras = {
        "EarlyStopping": keras.callbacks.EarlyStopping("loss", patience=5, restore_best_weights=True),
        "ReduceLROnPlateau": keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=1.0, cooldown=1),
        "LearningRateScheduler": keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.9),
        "ModelCheckpoint": keras.callbacks.ModelCheckpoint(
            folder / "{epoch}.{batch}.weights.h5", save_freq=5, save_weights_only=True
        ),
        "ModelCheckpoint best": keras.callbacks.ModelCheckpoint(
            folder / "best.weights.h5", "val_loss", save_best_only=True, save_weights_only=True
        ),
        "CSVLogger": keras.callbacks.CSVLogger(folder / "log.csv"),
        "TerminateOnNaN": keras.callbacks.TerminateOnNaN(),
        "LambdaCallback": keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None),
        "History": keras.callbacks.History(),
    }
    return swap | own | of_keras


def trained(way, folder, moment=None, state=None):
    """One training, from the beginning or from a moment on."""
    model, callbacks = make_model(**WAYS[way]), callbacks_for(way, folder)
    moments = Moments(list(callbacks.values()), moment, state)
    x = np.random.default_rng(0).random((STEPS * BATCH, 4)).astype("float32")
    y = (x[:, :1] > 0.5).astype("float32")
    model.fit(
        x,
        y,
        batch_size=BATCH,
        epochs=EPOCHS,
        shuffle=False,
        validation_data=(x[:6], y[:6]),
        verbose=0,
        callbacks=[*callbacks.values(), moments],
    )
    return SimpleNamespace(
        model=model,
        variables=copied(model),
        callbacks=callbacks,
        attributes={name: attributes_of(each) for name, each in callbacks.items()},
        taken=moments.taken,
        at={moment: dict(zip(callbacks, found, strict=True)) for moment, found in moments.attributes.items()},
        calls=len(model.calls_of_loss),
        log=(folder / "log.csv").read_bytes(),
        folder=folder,
    )
