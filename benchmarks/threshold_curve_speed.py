"""What `analysis.threshold_curve` costs: seconds and memory for 10⁸ pixels, and time over scikit-learn's.

    python benchmarks/threshold_curve_speed.py [--images 100] [--small 4]

Each condition is a process of its own, on one thread. It makes its input: uniform probabilities, the worst case for
caches, and labels drawn with these probabilities. A first call of `threshold_curve` is timed, with every check and
conversion and the bootstrap of 1,000 resamples; a second one runs under `tracemalloc`, whose peak is what the call
allocated beside its input.

The comparison with `sklearn.metrics.precision_recall_curve`, which sorts all probabilities and has a threshold for
each, is on fewer images, interleaved: the median of seven ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

# ruff: noqa: E402 - the number of threads is read when NumPy is imported
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np

from unetdyn.analysis import ThresholdCurve, threshold_curve

SIDE = 1000
CONDITIONS = {
    "float32, uint8 labels": ("float32", "uint8"),
    "float16, bool labels": ("float16", "bool"),
    "float64, float32 labels": ("float64", "float32"),
    "pairs of memory-mapped float32": ("float32", "uint8"),
}


def make(images: int, probabilities: str, labels: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    p = np.empty((images, SIDE, SIDE), probabilities)
    y = np.empty(p.shape, labels)
    for i in range(images):
        drawn = rng.random((SIDE, SIDE), dtype="float32")
        p[i], y[i] = drawn, rng.random((SIDE, SIDE), dtype="float32") < drawn
    return y, p


def mapped(y: np.ndarray, p: np.ndarray, folder: str) -> list[np.ndarray]:
    arrays = []
    for name, array in (("y", y), ("p", p)):
        np.save(Path(folder) / f"{name}.npy", array)
        arrays.append(np.load(Path(folder) / f"{name}.npy", mmap_mode="r"))
    return arrays


def measure(condition: str, images: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        y, p = make(images, *CONDITIONS[condition])
        pairs = "mapped" in condition
        if pairs:
            y, p = mapped(y, p, folder)
        start = time.perf_counter()
        curve = _call(y, p, pairs)
        seconds = time.perf_counter() - start
        tracemalloc.start()
        _call(y, p, pairs)
        peak = tracemalloc.get_traced_memory()[1]
    return {"seconds": seconds, "megabytes": peak / 1e6, "pixels": curve.pixels}


def _call(y: np.ndarray, p: np.ndarray, pairs: bool) -> ThresholdCurve:
    return threshold_curve(zip(y, p, strict=True)) if pairs else threshold_curve(y, p)


def ratio(images: int) -> list[float]:
    from sklearn.metrics import precision_recall_curve

    y, p = make(images, "float32", "uint8")
    ratios = []
    for _ in range(7):
        start = time.perf_counter()
        precision_recall_curve(y.ravel(), p.ravel())
        between = time.perf_counter()
        threshold_curve(y, p)
        ratios.append((time.perf_counter() - between) / (between - start))
    return sorted(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time and memory of threshold_curve.")
    parser.add_argument("--images", type=int, default=100, help="images of 10⁶ pixels; default 100")
    parser.add_argument("--small", type=int, default=4, help="images for the comparison; default 4")
    parser.add_argument("--one", choices=list(CONDITIONS), help="measure one condition in this process")
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one, arguments.images)))
        return
    for condition in CONDITIONS:
        command = [sys.executable, __file__, "--one", condition, "--images", str(arguments.images)]
        found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(
            f"{condition}: {found['seconds']:.2f} s for {found['pixels']:.0e} pixels, "
            f"at most {found['megabytes']:.1f} MB beside the input"
        )
    ratios = ratio(arguments.small)
    print(
        f"{arguments.small}e6 pixels: {statistics.median(ratios):.3f} of the time of precision_recall_curve "
        f"({ratios[0]:.3f} to {ratios[-1]:.3f})"
    )


if __name__ == "__main__":
    main()
