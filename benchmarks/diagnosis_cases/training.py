"""Train one case in this process: with every monitor, recorded, and labelled with how good the net really is."""

import shutil
import time
import warnings
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unetdyn import callbacks
from unetdyn.callbacks import RunRecorder

from . import datasets, nets
from .cases import Case
from .labels import label_of, write_label
from .setups import Setup

MONITORS = (
    "GradientMonitor",
    "UpdateMonitor",
    "NoiseScaleMonitor",
    "StabilityMonitor",
    "BatchMonitor",
    "TrainInferenceGapMonitor",
    "ThresholdFlipMonitor",
)
"""Those of `unetdyn.callbacks` that measure; one that is not there yet is left out."""


class Recorder(RunRecorder):
    """Keeps everything but the model: thousands of runs are to be kept."""

    def _save_model(self) -> None:
        """Not kept."""


def train(case: Case, out: Path, cache: Path) -> dict[str, Any]:
    """Train a case and write its run to `out / case.id`, with `label.json` beside the record.

    An error in training is a result: the record ends as failed, and the label says so.
    """
    began, began_computing = time.perf_counter(), time.process_time()
    keras.utils.clear_session()
    keras.utils.set_random_seed(case.seed)
    folder, temporary = out / case.id, out / f".{case.id}"
    shutil.rmtree(temporary, ignore_errors=True)
    setup = case.setup
    keras.config.set_dtype_policy(setup.policy)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            label = _trained(case, setup, temporary, cache)
    finally:
        keras.config.set_dtype_policy("float32")
    label["warnings"] = sorted({str(each.message)[:300] for each in caught if each.category is UserWarning})[:20]
    label["seconds"] = round(time.perf_counter() - began, 2)
    label["cpu_seconds"] = round(time.process_time() - began_computing, 2)
    write_label(temporary, label)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
    return label


def _trained(case: Case, setup: Setup, folder: Path, cache: Path) -> dict[str, Any]:
    label = label_of(case)
    arrays = datasets.load(cache, case.data, setup.scaling)
    rng = np.random.default_rng([case.seed, zlib.crc32(case.family.encode())])
    for change in (setup.task, setup.change):
        if change is not None:
            change(arrays, rng)
    # What the validation would have been, had nobody changed it.
    clean = datasets.load(cache, case.data, setup.scaling)
    if setup.task is not None:
        setup.task(clean, rng)
    model = nets.build(setup, case.net, case.seed)
    steps = setup.epochs * -(-len(arrays.x) // setup.batch_size)
    if setup.pretraining:
        nets.compile_model(model, setup, steps)
        model.fit(arrays.x, arrays.y, batch_size=setup.batch_size, epochs=setup.pretraining, verbose=0)
    nets.freeze(model, setup.frozen)
    nets.compile_model(model, setup, steps)
    monitors = _monitors()
    recorder = Recorder(folder, config={"benchmark": case.id}, seed=case.seed, save_best=None, monitors=monitors)
    plateau = keras.callbacks.ReduceLROnPlateau(monitor="val_loss", factor=0.3, patience=5)
    try:
        history = model.fit(
            arrays.x,
            arrays.y,
            batch_size=setup.batch_size,
            epochs=setup.epochs,
            shuffle=setup.shuffle,
            validation_data=(arrays.val_x, arrays.val_y),
            verbose=0,
            callbacks=[*monitors, *([plateau] if setup.plateau else []), recorder],
        ).history
        label["final_val_jaccard"] = float(history["val_jaccard"][-1])
    except Exception as error:
        recorder.fail(error)
        label["error"] = f"{type(error).__name__}: {error}"[:500]
    answers = model.predict(np.concatenate([arrays.test_x, clean.val_x]), batch_size=16, verbose=0)
    label["test_jaccard"] = nets.jaccard(arrays.test_y, answers[: len(arrays.test_y)])
    label["clean_val_jaccard"] = nets.jaccard(clean.val_y, answers[len(arrays.test_y) :])
    return label


def _monitors() -> list[Any]:
    """As anybody would have them; the probes may take their time, as 2 % of so short a training would be nothing."""
    settings: dict[str, dict[str, Any]] = {
        "StabilityMonitor": {"monitor": ("val_loss", "val_jaccard")},
        "TrainInferenceGapMonitor": {"budget": None},
        "ThresholdFlipMonitor": {"budget": None},
    }
    return [getattr(callbacks, name)(**settings.get(name, {})) for name in MONITORS if hasattr(callbacks, name)]
