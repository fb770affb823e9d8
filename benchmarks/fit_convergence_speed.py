"""How long does `fit_convergence` take, and how long would the plain way: `scipy.optimize.curve_fit` in a loop?

    python benchmarks/fit_convergence_speed.py --curves 1000 --epochs 100 --repeats 5

One thread. The plain way fits both models from five starts, then each model again to every curve that the bootstrap
makes anew, as many as `fit_convergence` makes. It is timed on a few curves, in turns with `fit_convergence` on all of
them, and compared by time a curve. It spares what else a result holds: weights, the tail, the epochs to within 1 %.
"""

# ruff: noqa: E402 - the number of threads must be set before NumPy is imported

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import argparse
import statistics
import time
import warnings

import numpy as np
from scipy.optimize import curve_fit

from unetdyn.analysis import fit_convergence

DRAWS = 1000
STARTS = (0.01, 0.03, 0.1, 0.3, 1.0)
FORMULAS = (lambda t, j, a, r: j + a * np.exp(-r * t), lambda t, j, a, r: j + a * (t + 1) ** -r)


def planted(curves: int, epochs: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    rates = rng.uniform(3, 12, (curves, 1)) / epochs
    return 0.8 - 0.7 * np.exp(-rates * np.arange(epochs)) + rng.normal(0, 0.02, (curves, epochs))


def plain(values: np.ndarray, draws: int) -> list[np.ndarray]:
    """The percentile intervals of J∞ by both models, of one curve."""
    t, rng, intervals = np.arange(len(values)), np.random.default_rng(0), []
    for formula in FORMULAS:
        fits = []
        for start in STARTS:
            p, _ = curve_fit(formula, t, values, p0=(values[-1], values[0] - values[-1], start), maxfev=5000)
            fits.append((np.sum((values - formula(t, *p)) ** 2), tuple(p)))
        best = min(fits)[1]
        residuals = values - formula(t, *best)
        asymptotes = []
        for _ in range(draws):
            made = formula(t, *best) + rng.choice(residuals, len(t))
            asymptotes.append(curve_fit(formula, t, made, p0=best, maxfev=5000)[0][0])
        intervals.append(np.quantile(asymptotes, [0.025, 0.975]))
    return intervals


def seconds(function, *arguments) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--curves", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--plain", type=int, default=2, help="curves of the plain way, in each repeat")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # curve_fit's about steps that overflow
    values = planted(options.curves, options.epochs)
    ours, theirs = [], []
    for repeat in range(options.repeats):
        ours.append(seconds(fit_convergence, values))
        rows = values[repeat * options.plain : (repeat + 1) * options.plain]
        theirs.append(sum(seconds(plain, row, DRAWS) for row in rows) / len(rows))
    ratio = statistics.median(b / (a / options.curves) for a, b in zip(ours, theirs, strict=True))
    print(
        f"{options.curves} curves of {options.epochs} epochs with intervals: {statistics.median(ours):.1f} s "
        f"({min(ours):.1f} to {max(ours):.1f}), {1000 * statistics.median(ours) / options.curves:.1f} ms a curve"
    )
    print(f"curve_fit in a loop: {statistics.median(theirs):.1f} s a curve, {ratio:.0f} times as long")


if __name__ == "__main__":
    main()
