"""How far apart are two equal trainings on this machine, and one that a signal ended and that carried on?

    KERAS_BACKEND=jax python benchmarks/equal_runs.py --filters 16 --size 128 --precision mixed_bfloat16
    KERAS_BACKEND=torch python benchmarks/equal_runs.py

On a CPU all three are equal to the last bit (`tests/faults`). On a card kernels may add in another order each time.

How it measures. Each training has a process of its own: a U-Net with dropout, augmented tiles, Adam, and monitors;
SIGTERM comes in the midst of the second epoch. `uninterrupted` is trained several times, and each of these is compared
with the first; so is `carried on`. `equal` is the share of weights that are equal to the last bit, `apart` the norm of
the weights' difference over that of what training has changed of them, `loss` the largest relative difference in the
history. `--deterministic` sets what the backends have for that.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np


def make_deterministic(backend: str) -> None:
    """Before anything is computed."""
    if backend == "jax":
        os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_gpu_deterministic_ops=true"
    elif backend == "torch":
        import torch

        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        torch.use_deterministic_algorithms(True)
    else:
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def train(folder: Path, cut: bool, args: argparse.Namespace) -> None:
    """One start of a script."""
    if args.deterministic:
        make_deterministic(os.environ.get("KERAS_BACKEND", "tensorflow"))
    import keras

    from unetdyn.callbacks import BatchMonitor, GradientMonitor, ResumableRun, RunRecorder
    from unetdyn.data import Augmentation, TileDataset, synthetic_em
    from unetdyn.models import UNet

    class Cut(keras.callbacks.Callback):
        def get_state(self) -> dict:
            return {}

        def set_state(self, state: dict) -> None:
            pass

        def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:  # noqa: ARG002
            self.epoch = epoch

        def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:  # noqa: ARG002
            if cut and (self.epoch, batch) == (1, 7):
                signal.raise_signal(signal.SIGTERM)

    keras.config.set_dtype_policy(args.precision)
    keras.utils.set_random_seed(0)
    model = UNet((args.size, args.size, 1), filters=args.filters, dropout=0.2)
    start = [np.array(each) for each in model.get_weights()]
    model.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
    stack = synthetic_em(16, args.size, seed=1)
    images, masks = (np.tile(each, (args.batch, 1, 1, 1)) for each in (stack.images / np.float32(255), stack.masks))
    data = TileDataset(images, masks, args.batch, seed=2, augmentation=Augmentation(noise=0.05))
    monitors = [BatchMonitor(), GradientMonitor()]
    run = RunRecorder(folder, save_best=None, monitors=monitors, extend=True)
    callbacks = [*monitors, run, ResumableRun(folder, verbose=0), Cut()]
    history = model.fit(data, epochs=3, verbose=0, shuffle=False, callbacks=callbacks).history
    weights = np.concatenate([np.ravel(each) for each in model.get_weights()])
    begun = np.concatenate([np.ravel(each) for each in start])
    np.savez(folder / "found.npz", weights=weights, begun=begun, loss=history["loss"])


def started(folder: Path, cut: bool, arguments: list[str]) -> int:
    """Its exit code."""
    line = [sys.executable, __file__, *arguments, "--folder", str(folder), *(["--cut"] if cut else [])]
    return subprocess.run(line).returncode


def compared(folder: Path, other: Path) -> dict[str, float]:
    a, b = np.load(folder / "found.npz"), np.load(other / "found.npz")
    changed = np.linalg.norm(a["weights"].astype(float) - a["begun"])
    apart = np.linalg.norm(a["weights"].astype(float) - b["weights"])
    return {
        "equal": float(np.mean(a["weights"] == b["weights"])),
        "apart": float(apart / changed),
        "loss": float(np.max(np.abs(a["loss"] - b["loss"]) / a["loss"])),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("filters", 16), ("size", 128), ("batch", 8), ("times", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--deterministic", action="store_true")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cut", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.folder:
        train(args.folder, args.cut, args)
        return
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / str(number) for number in range(args.times)]
        for folder in folders:
            if started(folder, False, sys.argv[1:]):
                sys.exit("a training failed")
        carried_on = Path(place) / "cut"
        code = started(carried_on, True, sys.argv[1:])
        if code not in (-signal.SIGTERM, 128 + signal.SIGTERM) or started(carried_on, False, sys.argv[1:]):
            sys.exit(f"the training that a signal ends had the exit code {code}")
        found: dict[str, Any] = {"backend": os.environ.get("KERAS_BACKEND", "tensorflow"), **vars(args)}
        found["uninterrupted"] = [compared(folders[0], folder) for folder in folders[1:]]
        found["carried on"] = compared(folders[0], carried_on)
        print(json.dumps(found, default=str), flush=True)


if __name__ == "__main__":
    main()
