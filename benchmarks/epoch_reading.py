"""What of an epoch's end is the host's? Milliseconds in which monitors read and digest an epoch's steps, by part.

    KERAS_BACKEND=jax python benchmarks/epoch_reading.py
    KERAS_BACKEND=torch python benchmarks/epoch_reading.py --epochs 8

How it measures. One U-Net of depth 4, as small as there is (what the host does depends on the number of weights and
steps, not on their size), trains with GradientMonitor, UpdateMonitor, NoiseScaleMonitor and NonFiniteGuard. At the end
of an epoch everything that the device was told is waited for before the first of them is called: what is measured is
no step. The functions of each part are timed from inside. Medians over epochs, with quartiles, after three to warm up.

Parts: `ring`, from the device to arrays on the host; `rows`, what the taps make of these; a line for each monitor,
which makes numbers, arrays and findings of its rows; `rest`, the hooks around it. `handed over`, which is not in the
sum, is what JAX' trainer takes to put the values into all variables at an epoch's end, and how many these are.
With `--record` a RunRecorder writes all of it down, too, as `recorder`. `--cpu` counts the seconds in which this thread
computes instead of those that pass: of a machine that others use, but without any waiting for a device.
"""

import argparse
import functools
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from unetdyn.callbacks import GradientMonitor, NoiseScaleMonitor, NonFiniteGuard, RunRecorder, UpdateMonitor
from unetdyn.dynamics.rows import Ring
from unetdyn.dynamics.tap import OptimizerTap
from unetdyn.models import UNet

WARMUP = 3  # epochs: compiling, the first findings, and what is looked up once


class Clock:
    """Seconds of each part of an epoch's end; a part within another is taken off that."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.epochs: list[dict[str, float]] = []
        self._inside: list[float] = []

    def begin(self) -> None:
        self.epochs.append(defaultdict(float))

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Time a method from now on."""
        original = getattr(owner, name)

        @functools.wraps(original)
        def timed(*args: Any, **kwargs: Any) -> Any:
            self._inside.append(0.0)
            start = self._now()
            try:
                return original(*args, **kwargs)
            finally:
                seconds = self._now() - start
                own = seconds - self._inside.pop()
                if self._inside:
                    self._inside[-1] += seconds
                if self.epochs:
                    self.epochs[-1][part] += own

        setattr(owner, name, timed)


class Begin(keras.callbacks.Callback):
    """First in the list: waits for the device."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:  # noqa: ARG002
        self.clock.begin()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:  # noqa: ARG002
        backend = keras.backend.backend()
        if backend == "jax":
            import jax

            jax.block_until_ready([v.value for v in [*self.model.variables, *self.model.optimizer.variables]])
        elif backend == "torch":
            import torch

            if torch.cuda.is_available():
                torch.cuda.synchronize()


def measure(args: argparse.Namespace, folder: Path) -> tuple[Clock, dict[str, int]]:
    clock = Clock(time.thread_time if args.cpu else time.perf_counter)
    keras.utils.set_random_seed(0)
    model = UNet((args.size, args.size, 1), filters=args.filters, depth=4)
    model.compile(keras.optimizers.Adam(), "binary_crossentropy")
    monitors = [GradientMonitor(), UpdateMonitor(), NoiseScaleMonitor(), NonFiniteGuard(verbose=0)]
    clock.watch(Ring, "take", "ring")
    clock.watch(OptimizerTap, "read", "rows")
    for monitor in monitors:
        clock.watch(monitor, "_measure", monitor.name)
        clock.watch(monitor, "on_epoch_end", "rest")
    last = [RunRecorder(folder / "run")] if args.record else []
    for recorder in last:
        clock.watch(recorder, "on_epoch_end", "recorder")
    if keras.backend.backend() == "jax":
        clock.watch(model, "jax_state_sync", "handed over")
    x = np.random.default_rng(0).random((args.batch * args.steps, args.size, args.size, 1), dtype=np.float32)
    counts = {}
    count = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: counts.update(  # noqa: ARG005
            trained=len(model.trainable_variables), carried=len(model.variables) + len(model.optimizer.variables)
        )
    )
    model.fit(
        x,
        (x > 0.5).astype("float32"),
        batch_size=args.batch,
        epochs=WARMUP + args.epochs,
        verbose=0,
        callbacks=[Begin(clock), *monitors, *last, count],
    )
    return clock, counts


def main() -> None:
    parser = argparse.ArgumentParser(description="Milliseconds of the host at an epoch's end, by part.")
    for name, default in (("filters", 2), ("size", 16), ("batch", 2), ("steps", 26), ("epochs", 30)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--record", action="store_true", help="with a RunRecorder")
    parser.add_argument("--cpu", action="store_true", help="this thread's computing, not the time that passes")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clock, counts = measure(args, Path(folder))
    epochs = clock.epochs[WARMUP:]
    print(f"{keras.backend.backend()}, {args.steps} steps an epoch, {counts['trained']} weights\n")
    print("| part | ms an epoch (median, quartiles) |\n| --- | --- |")
    parts = dict.fromkeys(part for epoch in epochs for part in epoch if part != "handed over")
    rows = {part: [epoch[part] for epoch in epochs] for part in parts}
    rows["sum"] = [sum(epoch[part] for part in parts) for epoch in epochs]
    if "handed over" in epochs[0]:
        rows[f"handed over ({counts['carried']} variables)"] = [epoch["handed over"] for epoch in epochs]
    for part, seconds in rows.items():
        low, middle, high = 1e3 * np.percentile(seconds, [25, 50, 75])
        print(f"| {part} | {middle:.2f} ({low:.2f} to {high:.2f}) |")


if __name__ == "__main__":
    main()
