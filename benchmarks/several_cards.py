"""Several cards by `keras.distribution.DataParallel`: how much faster, and what do the monitors cost there?

    KERAS_BACKEND=jax python benchmarks/several_cards.py
    KERAS_BACKEND=jax python benchmarks/several_cards.py --cpus 2 --filters 2 --size 16 --batch 2 --steps 2 --repeats 2

How it measures. As `tap_overhead.py`: each condition has one model in one long `fit`, whose epochs of `--steps` batches
are the measurements; only one runs at a time, each round has one epoch of each, and the order rotates. Ratios are those
of epochs of one round, as medians with quartiles. All devices that JAX has take part; `--cpus N` makes N of the CPU,
which share its cores: that shows that it runs, not how it scales.

- `one`: one device, no distribution, batch b.
- `weak`: N devices, batch N·b. Its efficiency is the time of `one` over its own: 1 where N cards do N times as much.
- `weak_all`: the same with GradientMonitor, UpdateMonitor, NoiseScaleMonitor and NonFiniteGuard.
- `strong`: N devices, batch b in all. Its efficiency is the time of `one` over N times its own.

Then a small network is trained with the monitors on one device and on N with the same batches in float32, and their
gradient norms and noise scales are compared.
"""

# ruff: noqa: E402 - the number of devices is fixed when JAX is loaded

import argparse
import contextlib
import copy
import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

FLAG = "--xla_force_host_platform_device_count"
if "--cpus" in sys.argv:  # before JAX is loaded
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FLAG}={sys.argv[sys.argv.index('--cpus') + 1]}"

import keras
import numpy as np
from tap_overhead import WARMUP, Lane, check_turns

from unetdyn.callbacks import GradientMonitor, NoiseScaleMonitor
from unetdyn.data import TileDataset
from unetdyn.losses import BinaryFocalLoss
from unetdyn.models import UNet

CONDITIONS = {
    "one": (False, False, "plain"),
    "weak": (True, True, "plain"),
    "weak_all": (True, True, "all"),
    "strong": (True, False, "plain"),
}
"""By name: whether all devices take part, whether the batch grows with them, and the callbacks of `tap_overhead`."""


def scope(shared: bool) -> contextlib.AbstractContextManager:
    """All devices, or none but the first."""
    return keras.distribution.DataParallel(auto_shard_dataset=False).scope() if shared else contextlib.nullcontext()


class CardLane(Lane):
    """A condition; its thread has the distribution, which Keras keeps for each thread."""

    def __init__(self, condition: str, options: argparse.Namespace, devices: int) -> None:
        self.shared, grows, callbacks = CONDITIONS[condition]
        options = copy.copy(options)
        options.batch *= devices if grows else 1
        with scope(self.shared):
            super().__init__(callbacks, options)
        self.name = condition

    def run(self) -> None:
        with scope(self.shared):
            super().run()


def measure(options: argparse.Namespace, devices: int) -> dict[str, list[float]]:
    """Seconds a step, one number a round, of each condition."""
    keras.config.set_dtype_policy(options.precision)
    lanes = [CardLane(name, options, devices) for name in options.conditions]
    for lane in lanes:
        lane.start()
        lane.wait()
    for turn in range(WARMUP + options.repeats):
        shift = turn % len(lanes)
        for lane in itertools.chain(lanes[shift:], lanes[:shift]):
            lane.take_turn()
    check_turns(lanes)
    return {lane.name: [(end - start) / options.steps for start, end in lane.spans[WARMUP:]] for lane in lanes}


def efficiency(one: list[float], other: list[float], times: int) -> np.ndarray:
    """Quartiles of the time on one device over `times` the other, of the same round.

    >>> efficiency([1.0, 2.0], [0.5, 1.0], 2).tolist()
    [1.0, 1.0, 1.0]
    """
    return np.percentile(np.divide(one, np.multiply(other, times)), [25, 50, 75])


def table(seconds: dict[str, list[float]], options: argparse.Namespace, devices: int) -> str:
    """Lines to print."""
    lines = [f"{'condition':<10} {'batch':>6} {'ms/step':>9} {'images/s':>9}  efficiency (median, quartiles)"]
    for name, found in seconds.items():
        shared, grows, _ = CONDITIONS[name]
        batch, middle = options.batch * (devices if grows else 1), float(np.median(found))
        line = f"{name:<10} {batch:>6} {1e3 * middle:9.2f} {batch / middle:9.1f}"
        if shared and "one" in seconds:
            low, middle, high = efficiency(seconds["one"], found, 1 if grows else devices)
            line += f"  {middle:.3f} ({low:.3f}-{high:.3f})"
        lines.append(line)
    if {"weak", "weak_all"} <= seconds.keys():
        low, middle, high = np.percentile(np.divide(seconds["weak_all"], seconds["weak"]), [25, 50, 75])
        lines.append(f"all monitors on {devices} devices: {middle:.4f} ({low:.4f}-{high:.4f}) of a step without")
    return "\n".join(lines)


def noise(shared: bool, batch: int) -> dict[str, Any]:
    """What the monitors say of a small network, trained in float32."""
    keras.config.set_dtype_policy("float32")
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).random((64 * batch, 16, 16, 1)).astype("float32")
    with scope(shared):
        model = UNet((16, 16, 1), filters=4, depth=1)
        model.compile(keras.optimizers.SGD(1e-3), BinaryFocalLoss(gamma=2))
        gradients, scale = GradientMonitor(), NoiseScaleMonitor()
        tiles = TileDataset(x, (x > 0.5).astype("float32"), batch_size=batch)
        model.fit(tiles, shuffle=False, verbose=0, callbacks=[gradients, scale])
    found = {name: float(getattr(scale.result, name)) for name in ("value", "low", "high", "trace_covariance")}
    return found | {"grad_norm": gradients.record["grad_norm"].tolist()}


def compared(batch: int) -> dict[str, Any]:
    """One device against all, with the same batches."""
    one, several = noise(False, batch), noise(True, batch)
    apart = np.abs(np.divide(several["grad_norm"], one["grad_norm"]) - 1).max()
    return {"one": one, "several": several, "grad_norm_apart": float(apart)}


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Training on several cards, against one.")
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--size", type=int, default=256, help="pixels a side")
    parser.add_argument("--batch", type=int, default=16, help="of one device; with `strong` of all together")
    parser.add_argument("--steps", type=int, default=30, help="steps of one measurement")
    parser.add_argument("--repeats", type=int, default=9, help="measurements of each condition")
    parser.add_argument("--precision", choices=["float32", "mixed_bfloat16"], default="mixed_bfloat16")
    parser.add_argument("--conditions", default=",".join(CONDITIONS), help="some of the default, with commas")
    parser.add_argument("--cpus", type=int, help="make so many devices of the CPU")
    parser.add_argument("--json", type=Path, help="write everything to this file as well")
    options = parser.parse_args()
    options.conditions = options.conditions.split(",")
    unknown = set(options.conditions) - set(CONDITIONS)
    if unknown:
        parser.error(f"--conditions knows {', '.join(CONDITIONS)}. Received: {', '.join(sorted(unknown))}")
    if keras.backend.backend() != "jax":
        parser.error("keras.distribution splits batches on JAX alone: set KERAS_BACKEND=jax.")
    devices = keras.distribution.get_device_count()
    if devices < 2 or options.batch % devices:
        parser.error(
            f"--batch must be a multiple of the devices, of which there must be at least 2. Received: --batch="
            f"{options.batch} and {devices} devices; `--cpus 2` makes two of the CPU."
        )
    return options


def main() -> None:
    options = parse()
    devices = keras.distribution.list_devices()
    seconds = measure(options, len(devices))
    print(f"{', '.join(devices)}, {vars(options)}")
    print(table(seconds, options, len(devices)))
    same = compared(4 * len(devices))
    for name in ("one", "several"):
        of = same[name]
        interval = f"({of['low']:.4g}-{of['high']:.4g})"
        print(f"noise scale on {name}: {of['value']:.4g} {interval}, trΣ {of['trace_covariance']:.4g}")
    print(f"gradient norms of the two are apart by at most {same['grad_norm_apart']:.1e} of themselves")
    if options.json:
        found = {
            "options": {key: str(value) for key, value in vars(options).items()},
            "seconds": seconds,
            "noise": same,
        }
        options.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
