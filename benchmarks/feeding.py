"""Does the model wait for its data? Milliseconds a step of `fit` from a `TileDataset`, over those of the step alone.

    KERAS_BACKEND=jax python benchmarks/feeding.py --filters 16 --size 256 --batch 16 --precision mixed_bfloat16
    KERAS_BACKEND=torch python benchmarks/feeding.py --filters 16 --size 128 --batch 8 --steps 12 --repeats 5

How it measures. One U-Net for each of `--filters`, compiled once. `bare` is its compiled train step, as Keras made it,
on one batch that lies on the device. `held` is `fit` with a dataset that returns that batch again and again: what the
loop of Keras costs. The others are `fit` from a `TileDataset` of `--steps` batches, whose augmentation is

    none        nothing: tiles are picked and made float32,
    simple      flips, quarter turns, contrast and brightness,
    everything  all that `Augmentation` can do, as it is called in this version,

with batches made ahead, as is the default, and with `ahead=0` (`…, each in its turn`). Each measurement is a `fit` of
two epochs, of which the second one counts: from its beginning, with the turn of the epoch, until the device is done.
All take turns, in an order that rotates; `--seconds` ends it early. A ratio is the median over repeats of that to
`bare` in the same repeat, with quartiles. `ms a batch` is the dataset alone: an epoch as Keras asks for it, no model.
"""

import argparse
import inspect
import itertools
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unetdyn.data import Augmentation, TileDataset
from unetdyn.data.on_device import Destination
from unetdyn.losses import BinaryFocalLoss
from unetdyn.metrics import ThresholdedJaccard
from unetdyn.models import UNet

BACKEND = keras.backend.backend()
SIMPLE = {"contrast": 0.2, "brightness": 0.2}  # with flips and quarter turns, which are on by default
EVERYTHING = SIMPLE | {
    "rotation": 15.0,
    "zoom": 0.1,
    "shear": 5.0,
    "shift": 8.0,
    "elastic": 3.0,
    "gamma": 0.2,
    "noise": 0.1,
    "blur": 1.0,
    "cutout": 0.2,
}
IN_TURN = ", each in its turn"


class Held(keras.utils.PyDataset):
    """The same batch for ever."""

    def __init__(self, batch: Any, steps: int) -> None:
        super().__init__()
        self.batch, self.steps = batch, steps

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> Any:
        return self.batch


class SecondEpoch(keras.callbacks.Callback):
    """Seconds of the second epoch, until the device is done."""

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:  # noqa: ARG002
        synchronise(self.model)
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:  # noqa: ARG002
        synchronise(self.model)
        self.seconds = time.perf_counter() - self.began


def synchronise(model: keras.Model) -> None:
    """Wait until the device has done everything it was told."""
    if BACKEND == "jax":
        import jax

        jax.block_until_ready((getattr(model, "_jax_state", None), [each.value for each in model.variables]))
    elif BACKEND == "torch":
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()
    else:
        import tensorflow as tf

        tf.test.experimental.sync_devices()


def augmentations() -> dict[str, Augmentation | None]:
    known = inspect.signature(Augmentation).parameters
    everything = {name: value for name, value in EVERYTHING.items() if name in known}
    return {"none": None, "simple": Augmentation(**SIMPLE), "everything": Augmentation(**everything)}


def datasets(options: argparse.Namespace) -> dict[str, TileDataset]:
    chance = np.random.default_rng(0)
    images = chance.standard_normal((options.steps * options.batch, options.size, options.size, 1), np.float32)
    masks = (images > 0.8).astype(np.uint8)
    made = {}
    for name, augmentation in augmentations().items():
        given: dict[str, Any] = {"batch_size": options.batch, "augmentation": augmentation}
        made[name] = TileDataset(images, masks, **given)
        made[name + IN_TURN] = TileDataset(images, masks, ahead=0, **given)
    return made


def compiled(filters: int, size: int) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = UNet((size, size, 1), filters=filters, depth=4)
    model.compile(keras.optimizers.Adam(), BinaryFocalLoss(gamma=2), metrics=[ThresholdedJaccard()])
    return model


def on_device(batch: Any) -> Any:
    """Where the step takes it from without moving it; with TensorFlow that is the host's memory."""
    if BACKEND == "jax":
        import jax

        return keras.tree.map_structure(jax.device_put, batch)
    if BACKEND == "torch":
        return keras.tree.map_structure(keras.ops.convert_to_tensor, batch)
    return batch


def bare_step(model: keras.Model, batch: Any, steps: int) -> Callable[[], None]:
    """Runs the compiled step of `fit` so many times on one batch."""
    if BACKEND == "jax":

        def run() -> None:
            kinds = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
            state = model._get_jax_state(**dict.fromkeys(kinds, True), purge_model_variables=True)
            batches = itertools.repeat(batch)
            for _ in range(steps):
                _, state = model.train_function(state, batches)
            model._jax_state, model._jax_state_synced = dict(zip(kinds, state, strict=True)), False
            model.jax_state_sync()

    elif BACKEND == "torch":

        def run() -> None:
            for _ in range(steps):
                model.train_function([batch])

    else:
        import tensorflow as tf

        # Batches of no fixed size, as those of `fit`, or the step would be traced once more.
        batches = iter(tf.data.Dataset.from_tensor_slices(batch).batch(len(batch[0])).cache().repeat().prefetch(2))

        def run() -> None:
            for _ in range(steps):
                model.train_function(batches)

    return run


def timed(run: Callable[[], None], model: keras.Model) -> float:
    synchronise(model)
    began = time.perf_counter()
    run()
    synchronise(model)
    return time.perf_counter() - began


def fitted(model: keras.Model, dataset: keras.utils.PyDataset, epochs: int = 2) -> float:
    clock = SecondEpoch()
    model.fit(dataset, shuffle=False, epochs=epochs, verbose=0, callbacks=[clock])
    return clock.seconds


def alone(dataset: TileDataset) -> float:
    """Seconds of an epoch that nobody trains on."""
    dataset.on_epoch_begin()
    began = time.perf_counter()
    for index in range(len(dataset)):
        batch = dataset[index]
    if BACKEND == "jax":
        import jax

        jax.block_until_ready(batch)
    elif BACKEND == "torch" and Destination.here(in_loop=True).moves:
        import torch

        torch.cuda.synchronize()
    seconds = time.perf_counter() - began
    dataset.on_epoch_end()
    return seconds


def measure(filters: int, options: argparse.Namespace) -> dict[str, Any]:
    """All conditions of one network, in turns: seconds a step, and a batch of the dataset alone."""
    model, fed = compiled(filters, options.size), datasets(options)
    fed = {name: fed[name] for name in fed if name.removesuffix(IN_TURN) in options.augmentations}
    batch = on_device(one_batch(options))
    held = Held(batch, options.steps)
    began = time.perf_counter()
    fitted(model, held, epochs=1)
    compiling = time.perf_counter() - began
    bare = bare_step(model, batch, options.steps)
    runs: dict[str, Callable[[], float]] = {"bare": lambda: timed(bare, model), "held": lambda: fitted(model, held)}
    runs |= {name: lambda dataset=dataset: fitted(model, dataset) for name, dataset in fed.items()}
    for dataset in fed.values():
        alone(dataset)  # what its augmentation compiles
    runs["bare"]()
    steps: dict[str, list[float]] = {name: [] for name in runs}
    batches: dict[str, list[float]] = {name: [] for name in fed}
    for repeat in range(options.repeats):
        if repeat > 0 and time.perf_counter() - began > options.seconds:
            break
        names = list(runs)
        for name in names[repeat % len(names) :] + names[: repeat % len(names)]:
            steps[name].append(runs[name]() / options.steps)
            if name in fed:
                batches[name].append(alone(fed[name]) / options.steps)
    return {
        "filters": filters,
        "repeats": len(steps["bare"]),
        "compiling": compiling,
        "seconds": steps,
        "alone": batches,
        "load": os.getloadavg(),
    }


def one_batch(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(1).standard_normal((options.batch, options.size, options.size, 1), np.float32)
    return images, (images > 0.8).astype(np.float32)


def table(found: dict[str, Any]) -> str:
    bare = found["seconds"]["bare"]
    lines = [f"{found['filters']} filters, {found['repeats']} repeats; the first epoch {found['compiling']:.0f} s"]
    lines.append(f"{'fit from':<30} {'ms a step':>9} {'ratio':>6} {'quartiles':>13} {'ms a batch':>10}")
    for name, seconds in found["seconds"].items():
        low, middle, high = np.percentile(np.divide(seconds, bare), [25, 50, 75])
        batches = found["alone"].get(name)
        own = f"{1e3 * np.median(batches):10.2f}" if batches else ""
        lines.append(f"{name:<30} {1e3 * np.median(seconds):9.2f} {middle:6.3f} {low:6.3f}-{high:.3f} {own}")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--filters", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20, help="steps of an epoch")
    parser.add_argument("--repeats", type=int, default=7, help="measurements of each condition")
    parser.add_argument(
        "--seconds", type=float, default=600, help="no repeat begins later than that, compiling counted"
    )
    parser.add_argument("--precision", choices=["float32", "mixed_bfloat16"], default="float32")
    parser.add_argument("--augmentations", nargs="+", choices=list(augmentations()), default=list(augmentations()))
    parser.add_argument("--json", type=Path, help="write everything to this file as well")
    return parser.parse_args()


def main() -> None:
    options = parse()
    keras.config.set_dtype_policy(options.precision)
    found: dict[str, Any] = {"backend": BACKEND, "options": {k: v for k, v in vars(options).items() if k != "json"}}
    found["everything"] = [name for name in EVERYTHING if name in inspect.signature(Augmentation).parameters]
    print(f"{BACKEND}, {found['options']}; everything: flips, quarter turns, {', '.join(found['everything'])}")
    found["networks"] = []
    for filters in options.filters:
        found["networks"].append(measure(filters, options))
        print(f"{table(found['networks'][-1])}\nload {found['networks'][-1]['load'][0]:.1f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
