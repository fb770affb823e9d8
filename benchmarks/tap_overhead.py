"""What the optimizer tap and the monitors on it cost: step time with them over step time without.

    KERAS_BACKEND=jax python benchmarks/tap_overhead.py --filters 16 --size 128 --batch 8 --steps 20 --repeats 15
    KERAS_BACKEND=jax python benchmarks/tap_overhead.py --memory --steps 5

How it measures. Monitors attach when `fit` begins, and the train step is compiled then; a `fit` for each measurement
would measure the compiler. So every condition has one model, in one thread, in one long `fit`, whose epochs are the
measurements: `--steps` batches, the synchronisation with the device at their end, and the monitors' reading of the
epoch. A first callback holds each thread at the beginning of every epoch until it is its turn: only one runs at a time,
every repeat has one epoch of each condition, and the order rotates. That they did not overlap is checked. All models
start from the same seed; the one batch is random and fed from the host (from `tf.data` with TensorFlow).

A ratio is the median over repeats of (epoch of this condition / epoch of `plain` in the same repeat), with quartiles.
`again` is a second `plain`: how far its ratio is from 1 says what this machine can tell apart.

`--memory` trains each condition in a process of its own and reports the peaks instead: of the device where the backend
counts it, and of the process. Speed and memory are never measured in one run.
"""

# ruff: noqa: ARG001, ARG002, ARG005 - Keras and the table of conditions say what arguments there are

import argparse
import functools
import itertools
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unetdyn.callbacks import (
    BatchMonitor,
    GradientMonitor,
    NoiseScaleMonitor,
    NonFiniteGuard,
    ThresholdFlipMonitor,
    TrainInferenceGapMonitor,
    UpdateMonitor,
)
from unetdyn.dynamics import OptimizerTap
from unetdyn.losses import BinaryFocalLoss
from unetdyn.models import UNet

WARMUP = 2  # epochs: the first compiles; in the second, what is read at the end of an epoch is ready as well


class Tap(keras.callbacks.Callback):
    """The tap alone, read once an epoch."""

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.tap = OptimizerTap(self.model)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.tap.read()

    def on_train_end(self, logs: dict | None = None) -> None:
        self.tap.detach()


class ReadEveryStep(keras.callbacks.Callback):
    """Makes monitors that can wait until the end of the epoch read each step at once."""

    def __init__(self, monitors: list[Any]) -> None:
        super().__init__()
        self.monitors = monitors

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        for monitor in self.monitors:
            monitor.read()


class SecondPass(keras.callbacks.Callback):
    """The callback without a tap: after each step the gradient once more, compiled as the step is.

    It gets the batch for nothing, computes only ‖g‖² of each variable, and leaves them on the device until the epoch
    ends.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray) -> None:
        super().__init__()
        self.batch = x, y
        self.kept: list[Any] = []

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.norms = SECOND_PASS[keras.backend.backend()](self.model, *self.batch)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.kept.append(self.norms())

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.norms_sq = [keras.ops.convert_to_numpy(norms) for norms in self.kept]
        self.kept = []


def second_pass_tensorflow(model: keras.Model, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    import tensorflow as tf

    x, y = tf.constant(x), tf.constant(y)

    @tf.function(jit_compile=bool(model.jit_compile))
    def norms() -> Any:
        with tf.GradientTape() as tape:
            loss = model.compute_loss(x, y, model(x, training=True))
        grads = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
        return tf.stack([tf.reduce_sum(tf.square(grad)) for grad in grads])

    return norms


def second_pass_jax(model: keras.Model, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    import jax
    import jax.numpy as jnp

    x, y = jnp.asarray(x), jnp.asarray(y)

    def loss(trainable: list[Any], other: list[Any], x: Any, y: Any) -> Any:
        predicted, _ = model.stateless_call(trainable, other, x, training=True)
        return model.compute_loss(x, y, predicted)

    @jax.jit
    def norms(*values: Any) -> Any:
        return jnp.stack([jnp.sum(jnp.square(grad)) for grad in jax.grad(loss)(*values)])

    def call() -> Any:
        model.jax_state_sync()  # within an epoch the values are not in the variables
        trainable = [variable.value for variable in model.trainable_variables]
        return norms(trainable, [variable.value for variable in model.non_trainable_variables], x, y)

    return call


def second_pass_torch(model: keras.Model, x: np.ndarray, y: np.ndarray) -> Callable[[], Any]:
    import torch

    x, y = keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y)

    def call() -> Any:
        loss = model.compute_loss(x, y, model(x, training=True))
        grads = torch.autograd.grad(loss, [variable.value for variable in model.trainable_variables])
        return torch.stack(torch._foreach_norm(grads)) ** 2

    return call


SECOND_PASS = {"tensorflow": second_pass_tensorflow, "jax": second_pass_jax, "torch": second_pass_torch}


def read_every_step(x: np.ndarray, y: np.ndarray) -> list[Any]:
    monitors = [GradientMonitor(), UpdateMonitor()]
    return [*monitors, ReadEveryStep(monitors)]


PROBING = (TrainInferenceGapMonitor, ThresholdFlipMonitor)

CONDITIONS: dict[str, Callable[[np.ndarray, np.ndarray], list[Any]]] = {
    "plain": lambda x, y: [],
    "again": lambda x, y: [],
    "tap": lambda x, y: [Tap()],
    "monitors": lambda x, y: [GradientMonitor(), UpdateMonitor()],
    "noise_scale": lambda x, y: [NoiseScaleMonitor()],
    "batch": lambda x, y: [BatchMonitor()],
    "guard": lambda x, y: [NonFiniteGuard(verbose=0)],
    "mode_gap": lambda x, y: [TrainInferenceGapMonitor(probe=(x, y))],
    "flips": lambda x, y: [ThresholdFlipMonitor(probe=(x, y))],
    "probe_always": lambda x, y: [make(probe=(x, y), budget=None) for make in PROBING],
    "all": lambda x, y: [GradientMonitor(), UpdateMonitor(), NoiseScaleMonitor(), NonFiniteGuard(verbose=0)],
    "every_step": read_every_step,
    "second_pass": lambda x, y: [SecondPass(x, y)],
}

MEANING = {
    "plain": "no callback",
    "again": "no callback, a second time",
    "tap": "OptimizerTap alone",
    "monitors": "GradientMonitor, UpdateMonitor",
    "noise_scale": "NoiseScaleMonitor",
    "batch": "BatchMonitor",
    "guard": "NonFiniteGuard",
    "mode_gap": "TrainInferenceGapMonitor within its budget, one batch as probe",
    "flips": "ThresholdFlipMonitor within its budget, one batch as probe",
    "probe_always": "both, in every epoch",
    "all": "GradientMonitor, UpdateMonitor, NoiseScaleMonitor, NonFiniteGuard",
    "every_step": "GradientMonitor, UpdateMonitor, read at every step",
    "second_pass": "no tap: the gradient a second time, norms only",
}


def synchronise(model: keras.Model) -> None:
    """Wait until the device has done everything it was told."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tf.test.experimental.sync_devices()
    elif backend == "jax":
        import jax

        jax.block_until_ready([variable.value for variable in [*model.variables, *model.optimizer.variables]])
    else:
        import torch

        if torch.cuda.is_available():
            torch.cuda.synchronize()


class Start(keras.callbacks.Callback):
    """First in the list: stops at the beginning of each epoch until it is this lane's turn."""

    def __init__(self, lane: "Lane") -> None:
        super().__init__()
        self.lane = lane

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.lane.parked.set()
        self.lane.go.wait()
        self.lane.go.clear()
        self.lane.started = time.perf_counter()


class Stop(keras.callbacks.Callback):
    """Last in the list: the epoch ends when the device has finished and every monitor has read."""

    def __init__(self, lane: "Lane") -> None:
        super().__init__()
        self.lane = lane

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        synchronise(self.model)
        self.lane.spans.append((self.lane.started, time.perf_counter()))
        self.lane.bytes = self.lane.bytes or tap_bytes(self.model)  # once: it copies them to the host


class Lane(threading.Thread):
    """One condition: a model, and its one `fit` in a thread that runs when it is let."""

    def __init__(self, name: str, options: argparse.Namespace) -> None:
        super().__init__(name=name, daemon=True)
        self.go, self.parked = threading.Event(), threading.Event()
        self.started = 0.0
        self.spans: list[tuple[float, float]] = []
        self.bytes: dict[str, int] = {}
        self.error: BaseException | None = None
        keras.utils.set_random_seed(0)
        self.options = options
        self.model = UNet((options.size, options.size, 1), filters=options.filters, depth=4)
        self.model.compile(keras.optimizers.Adam(), BinaryFocalLoss(gamma=2))
        self.callbacks = CONDITIONS[name](*batch_of(options))

    def run(self) -> None:
        keras.config.set_dtype_policy(self.options.precision)  # Keras keeps it for each thread
        try:
            self.model.fit(
                feed(*batch_of(self.options)),
                steps_per_epoch=self.options.steps,
                epochs=WARMUP + self.options.repeats,
                callbacks=[Start(self), *self.callbacks, Stop(self)],
                shuffle=False,
                verbose=0,
            )
        except BaseException as error:  # handed to the main thread, which raises it
            self.error = error
        finally:
            self.parked.set()

    def wait(self) -> None:
        """Until this lane has stopped again."""
        self.parked.wait()
        self.parked.clear()
        if self.error is not None:
            raise self.error

    def take_turn(self) -> None:
        """Run one epoch."""
        self.go.set()
        self.wait()


@functools.cache
def random_batch(size: int, batch: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, size, size, 1)).astype("float32")
    return x, (rng.random(x.shape) < 0.2).astype("float32")


def batch_of(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    return random_batch(options.size, options.batch)


def feed(x: np.ndarray, y: np.ndarray) -> Any:
    """The same batch for ever."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.data.Dataset.from_tensors((x, y)).repeat()
    return forever(x, y)


def forever(x: np.ndarray, y: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    while True:
        yield x, y


def tap_bytes(model: keras.Model) -> dict[str, int]:
    """What the tap keeps on the device between steps: the ring, and what probes asked for beside it."""
    attachments = vars(model.optimizer).get("_unetdyn_attachments")
    if attachments is None:
        return {"ring": 0, "probes": 0}
    ring = nbytes([attachments._measured.ring.table, attachments._measured.ring.count])
    return {"ring": ring, "probes": nbytes(attachments._carried.variables) - ring}


def nbytes(variables: list[keras.Variable]) -> int:
    return sum(keras.ops.convert_to_numpy(v.value).nbytes for v in variables)


def device_peak() -> int | None:
    """Most bytes ever in use on the accelerator in this process."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    if backend == "torch":
        import torch

        return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
    import tensorflow as tf

    return tf.config.experimental.get_memory_info("GPU:0")["peak"] if tf.config.list_physical_devices("GPU") else None


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Train all conditions in turns."""
    keras.config.set_dtype_policy(options.precision)
    lanes = [Lane(name, options) for name in options.conditions]
    for lane in lanes:
        lane.start()
        lane.wait()
    for repeat in range(WARMUP + options.repeats):
        first = repeat % len(lanes)
        for lane in [*lanes[first:], *lanes[:first]]:
            lane.take_turn()
    check_turns(lanes)
    seconds = {lane.name: [(end - start) / options.steps for start, end in lane.spans[WARMUP:]] for lane in lanes}
    return {
        "seconds": seconds,
        "bytes": {lane.name: lane.bytes for lane in lanes},
        "weights": nbytes(lanes[0].model.trainable_variables),
        "device_peak": device_peak(),
    }


def check_turns(lanes: list[Lane]) -> None:
    """One at a time, and each once in every repeat."""
    spans = sorted((start, end, number) for lane in lanes for number, (start, end) in enumerate(lane.spans))
    overlap = any(end > start for (_, end, _), (start, _, _) in itertools.pairwise(spans))
    if overlap or [number for *_, number in spans] != sorted(number for *_, number in spans):
        raise RuntimeError("the conditions did not take turns")


def table(found: dict[str, Any]) -> str:
    """Median seconds a step, and the ratio to `plain` with quartiles."""
    lines = [f"{'condition':<12} {'ms/step':>9} {'ratio':>7} {'quartiles':>15} {'ring':>9} {'probes':>11}  what"]
    plain = found["seconds"].get("plain")
    for name, seconds in found["seconds"].items():
        ratio = f"{'':>7} {'':>15}"
        if plain is not None:
            low, middle, high = np.percentile(np.divide(seconds, plain), [25, 50, 75])
            ratio = f"{middle:7.4f} {low:7.4f}-{high:.4f} "
        kept = found["bytes"][name]
        start = f"{name:<12} {1e3 * np.median(seconds):9.2f} {ratio}"
        lines.append(f"{start} {kept['ring']:9,} {kept['probes']:11,}  {MEANING[name]}")
    lines.append(f"ring and probes in bytes; the weights have {found['weights']:,}")
    return "\n".join(lines)


def measure_memory(options: argparse.Namespace) -> dict[str, Any]:
    """Peaks of each condition, from a process of its own."""
    peaks = {}
    for name in options.conditions:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "found.json")
            size = [f"--{key}={getattr(options, key)}" for key in ("filters", "size", "batch", "steps", "precision")]
            command = [sys.executable, __file__, *size, "--repeats=1", f"--conditions={name}", f"--json={file}"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            peaks[name] = {key: json.loads(file.read_text())[key] for key in ("device_peak", "process_peak")}
    return {"peaks": peaks}


def memory_table(found: dict[str, Any]) -> str:
    lines = [f"{'condition':<12} {'device MB':>10} {'process MB':>11}  what"]
    for name, peaks in found["peaks"].items():
        device, process = (f"{peaks[key] / 1e6:.1f}" if peaks[key] else "-" for key in ("device_peak", "process_peak"))
        lines.append(f"{name:<12} {device:>10} {process:>11}  {MEANING[name]}")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Step time with the tap's monitors over step time without.")
    parser.add_argument("--filters", type=int, default=16)
    parser.add_argument("--size", type=int, default=128, help="pixels a side")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20, help="steps of one measurement")
    parser.add_argument("--repeats", type=int, default=15, help="measurements of each condition")
    parser.add_argument("--precision", choices=["float32", "mixed_bfloat16"], default="float32")
    parser.add_argument("--conditions", default=",".join(CONDITIONS), help="some of the default, with commas")
    parser.add_argument("--memory", action="store_true", help="peak memory, each condition in its own process")
    parser.add_argument("--json", type=Path, help="write everything to this file as well")
    options = parser.parse_args()
    options.conditions = options.conditions.split(",")
    unknown = set(options.conditions) - set(CONDITIONS)
    if unknown:
        parser.error(f"--conditions knows {', '.join(CONDITIONS)}. Received: {', '.join(sorted(unknown))}")
    return options


def main() -> None:
    options = parse()
    found = measure_memory(options) if options.memory else measure(options)
    found["options"] = {key: value for key, value in vars(options).items() if key not in ("json", "memory")}
    found["backend"] = keras.backend.backend()
    found["process_peak"] = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found["load"] = os.getloadavg()
    print(f"{found['backend']}, {found['options']}, load {found['load'][0]:.1f}")
    print(memory_table(found) if options.memory else table(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
