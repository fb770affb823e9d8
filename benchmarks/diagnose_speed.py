"""What does a diagnosis of 100 epochs cost? Seconds of `diagnose`, and of `unetdyn diagnose` in a fresh process.

The run has what every monitor records, and the set-up: 100 steps an epoch, a U-Net of depth 5 with attention gates.
It is diagnosed as it is and with a Jaccard that falls in every fourth epoch, of which there is more to explain. The
target is 0.5 seconds of diagnosing, without Keras.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from report_cost import BLOCKS, EPOCHS, write_arrays, write_epochs

from unetdyn.analysis import diagnose
from unetdyn.runs import RunWriter

REPEATS = 5
LAYERS = [f"{block}_norm{place}" for block in BLOCKS for place in (1, 2)]
EACH = np.ones(EPOCHS)
BATCH = {
    "images": 800,
    "steps": 100,
    "batch_size": 8,
    "foreground": 0.06,
    "empty": 0.05,
    "above": 0.06,
    "near": 0.02,
    "input_min": 0,
    "input_max": 1,
    "input_mean": 0.5,
    "input_std": 0.2,
    "input_nonfinite": 0,
    "target_min": 0,
    "target_max": 1,
    "target_fractional": 0,
    "target_other": 0,
    "target_nonfinite": 0,
    "output_min": 0,
    "output_max": 1,
    "output_mean": 0.06,
    "output_std": 0.2,
    "output_nonfinite": 0,
    "output_spread": 0.2,
    "constant_loss": 0.23,
    "constant_output": 0.06,
    "constant_jaccard": 0.06,
}
FLIPS = {
    "on": 0.01,
    "off": 0.01,
    "on_boundary": 0.009,
    "off_boundary": 0.009,
    "near": 0.02,
    "chronic": 0.001,
    "jaccard": 0.8,
    "soft_jaccard": 0.7,
    "best_jaccard": 0.81,
    "best_threshold": 0.45,
    "jaccard_change": 0.001,
    "explained_on": 0.001,
    "explained_off": 0.0,
}
SETUP = {
    "optimizer": {"name": "adam", "learning_rate": 1e-3, "schedule": None, "config": {"weight_decay": None}},
    "loss": {"name": "binary_crossentropy", "config": {}},
    "metrics": ["jaccard"],
    "batch_size": 8,
    "steps_per_epoch": 100,
    "epochs": EPOCHS,
    "dropout": 0.1,
    "output_activation": "sigmoid",
    "norms": [{"layer": n, "kind": "BatchNormalization", "momentum": 0.9, "trainable": True} for n in LAYERS],
    "hidden_activations": {"relu": len(LAYERS)},
    "frozen_layers": [],
    "clip": None,
}


def make_run(path: Path, falls: bool) -> None:
    """A run with everything in it."""
    rng = np.random.default_rng(0)
    writer = RunWriter(path, seed=0)
    write_epochs(writer, rng)
    write_arrays(writer, rng)
    epoch = np.arange(EPOCHS)
    batch = {name: value * EACH for name, value in BATCH.items()}
    writer.save_arrays("batch", epoch=epoch, **batch, **{f"val_{name}": values for name, values in batch.items()})
    losses = {"training_loss": 0.1 * EACH, "inference_loss": 0.11 * EACH, "seconds": EACH}
    jaccards = {"training_jaccard": 0.8 * EACH, "inference_jaccard": 0.79 * EACH}
    layers = {name: {n: rng.random(EPOCHS) for n in LAYERS} for name in ("mean_distance", "variance_ratio")}
    writer.save_arrays("mode_gap", epoch=epoch, **losses, **jaccards, **layers)
    counts = rng.integers(0, 9, (8, 256, 256)).astype(np.uint8)
    writer.save_arrays("flips", epoch=epoch, flip_count=counts, **{name: value * EACH for name, value in FLIPS.items()})
    writer.finish("finished", {"test_jaccard": 0.7})
    header = json.loads((path / "run.json").read_text(encoding="utf-8"))
    (path / "run.json").write_text(json.dumps(header | {"setup": SETUP}), encoding="utf-8")
    if falls:
        make_fall(path / "epochs.jsonl")


def make_fall(path: Path) -> None:
    """Take the validation Jaccard away in every fourth epoch."""
    epochs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    fallen = [logs | ({} if logs["epoch"] % 4 else {"val_jaccard": 0.0, "val_loss": 5.0}) for logs in epochs]
    path.write_text("".join(json.dumps(logs) + "\n" for logs in fallen), encoding="utf-8")


def seconds_in_process(path: Path) -> list[float]:
    """Of `diagnose`, imported before."""
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        diagnose(path)
        seconds.append(time.perf_counter() - began)
    return seconds


def seconds_of_command(path: Path) -> list[float]:
    """Of `unetdyn diagnose` with all that it imports."""
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "unetdyn.cli", "diagnose", path], capture_output=True, check=False)
        seconds.append(time.perf_counter() - began)
        if done.returncode not in (0, 1):
            raise RuntimeError(done.stderr.decode())
    return seconds


def loaded_backends(path: Path) -> str:
    """Which of Keras and the backends a diagnosis loads."""
    code = (
        "import sys; from unetdyn.analysis import diagnose; diagnose(sys.argv[1]);"
        "print(', '.join(sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules))) or 'none')"
    )
    return subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("calm", "falling"):
            path = Path(folder) / name
            make_run(path, falls=name == "falling")
            found = diagnose(path)
            print(f"{name}: {found.level}, {len(found.findings)} findings, {len(found.not_applied)} rules not applied")
            for what, seconds in (("diagnose", seconds_in_process(path)), ("command", seconds_of_command(path))):
                target = " (target: below 0.5 s)" if what == "diagnose" else ""
                print(f"  {what}: median {statistics.median(seconds):.3f} s, least {min(seconds):.3f} s{target}")
        print(f"Keras and backends that it loads: {loaded_backends(path)}")


if __name__ == "__main__":
    main()
