"""What does a report of 100 epochs cost? Seconds of `unetdyn report` in a fresh process, and bytes of the page.

The run has what every monitor records: 100 steps an epoch, a U-Net of depth 5 with attention gates. The targets are
5 seconds and 3 MB.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from unetdyn.runs import RunWriter

EPOCHS, STEPS = 100, 100
REPEATS = 5
DEPTH = 5
BLOCKS = [
    *(f"enc{i}" for i in range(1, DEPTH + 1)),
    "bottleneck",
    *(f"{kind}{i}" for i in range(DEPTH, 0, -1) for kind in ("gate", "dec")),
    "head",
]


def make_run(path: Path) -> None:
    rng = np.random.default_rng(0)
    writer = RunWriter(path, {"optimizer": {"learning_rate": 1e-3}, "model": {"architecture": "AttentionUNet"}}, seed=0)
    write_epochs(writer, rng)
    write_arrays(writer, rng)
    writer.finish("finished", {"test_jaccard": 0.7})


def write_epochs(writer: RunWriter, rng: np.random.Generator) -> None:
    for epoch in range(EPOCHS):
        left = np.exp(-epoch / 15)
        loss, score = 0.1 + left + 0.01 * rng.normal(), 0.8 - 0.7 * left + 0.01 * rng.normal()
        logs = {"loss": loss, "val_loss": loss + 0.02, "jaccard": score, "val_jaccard": score - 0.02}
        monitored = {"grad_norm": 0.5, "grad_exploding": 0.0, "grad_nonfinite": 0.0, "update_ratio_log10": -3.0}
        writer.log_epoch(epoch, logs | monitored | {"learning_rate": 1e-3 * left, "seconds": 20.0})
        writer.event("monitor", f"Updates too large: in enc1 ({loss:.2g}).", monitor="update", epoch=epoch)


def write_arrays(writer: RunWriter, rng: np.random.Generator) -> None:
    steps = np.arange(EPOCHS * STEPS)
    common = {"step": steps, "epoch": steps // STEPS, "applied": np.ones(len(steps), bool)}

    def by_block(scale: float) -> dict[str, np.ndarray]:
        return {name: scale * np.exp(rng.normal(size=len(steps))).astype(np.float32) for name in BLOCKS}

    norms = np.exp(0.5 * rng.normal(size=len(steps)))
    spike = rng.random(len(steps)) < 1e-3
    writer.save_arrays(
        "gradient", **common, grad_norm=norms, spike=spike, block_grad_norm=by_block(0.2), explode=10.0, vanish=1e-6
    )
    writer.save_arrays(
        "update", **common, update_ratio=by_block(1e-3), effective_rate=by_block(1e-3), low=1e-4, high=3e-3
    )
    scale = np.exp(rng.normal(3, 0.2, EPOCHS))
    writer.save_arrays(
        "noise_scale",
        step=(np.arange(EPOCHS) + 1) * STEPS,
        noise_scale=scale,
        noise_scale_low=scale / 2,
        noise_scale_high=scale * 2,
        trace_covariance=scale,
        gradient_sq=np.ones(EPOCHS),
        batch_size=np.full(EPOCHS, 8),
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        run, page = Path(folder) / "run", Path(folder) / "report.html"
        make_run(run)
        seconds = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "unetdyn.cli", "report", run, "-o", page], check=True, capture_output=True
            )
            seconds.append(time.perf_counter() - began)
        pictures = page.read_text(encoding="utf-8").count("<svg")
        print(f"unetdyn report, {EPOCHS} epochs of {STEPS} steps, {len(BLOCKS)} blocks, {pictures} pictures:")
        print(f"median {statistics.median(seconds):.2f} s, least {min(seconds):.2f} s (target: below 5 s)")
        print(f"{page.stat().st_size / 1e6:.2f} MB (target: below 3 MB)")


if __name__ == "__main__":
    main()
