"""How long does the analysis of a very long training take? Seconds for 10⁵ epochs, beside those for 100 as a ratio.

    python benchmarks/long_histories.py --repeats 3

Time that grew with the square of the length would show as a ratio of a million. `variance_components` is of runs:
560 of them, unbalanced, beside 16.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from unetdyn import analysis

LONG, SHORT = 100_000, 100
MANY, FEW = (10, 10, 6), (2, 5, 2)  # architectures, settings of each, seeds


def history(epochs: int) -> dict[str, np.ndarray]:
    """A training that overfits from the middle on; its loss has a bump before, and its metric collapses at times."""
    t, rng = np.arange(epochs) / epochs, np.random.default_rng(0)
    noise = 0.02 * rng.normal(size=(3, epochs))
    jaccard = 0.8 - 0.7 * np.exp(-8 * t) + noise[2]
    jaccard[epochs // 20 :: epochs // 10] *= 0.01
    return {
        "loss": 0.1 + 0.8 * np.exp(-9 * t) + 0.3 * np.exp(-(((t - 0.4) / 0.1) ** 2)) + noise[0],
        "val_loss": 0.3 + 0.6 * np.exp(-8 * t) + np.maximum(t - 0.5, 0) + noise[1],
        "val_jaccard": jaccard,
    }


def runs(architectures: int, settings: int, seeds: int) -> list[analysis.RunSummary]:
    """Repeated runs, of which the last of every third setting is lost."""
    rng = np.random.default_rng(0)
    return [
        analysis.summarise(
            {"val_jaccard": [0.5 + 0.05 * rng.normal()]},
            factors={"architecture": architecture, "learning_rate": setting, "seed": seed},
        )
        for architecture in range(architectures)
        for setting in range(settings)
        for seed in range(seeds if setting % 3 else max(seeds - 1, 1))
    ]


OF_HISTORIES: dict[str, Callable[[dict[str, np.ndarray]], object]] = {
    "training_health": analysis.training_health,
    "training_stability": analysis.training_stability,
    "convergence": lambda logs: analysis.convergence(logs, delta=0.01),
    "overfitting": analysis.overfitting,
    "oscillation": lambda logs: analysis.oscillation(logs["val_loss"]),
    "collapses": lambda logs: analysis.collapses(logs["val_jaccard"]),
    "double_descent": lambda logs: analysis.double_descent(logs["loss"]),
    "fit_double_descent": lambda logs: analysis.fit_double_descent(logs["loss"]),
    "training_phases": analysis.training_phases,
    "training_regime": analysis.training_regime,
    "converged_by_improvement": lambda logs: analysis.converged_by_improvement(logs["val_loss"]),
    "fit_convergence": lambda logs: analysis.fit_convergence(logs["val_loss"]),
    "summarise": analysis.summarise,
}


def seconds(function: Callable[[object], object], argument: object) -> float:
    began = time.perf_counter()
    function(argument)
    return time.perf_counter() - began


def show(name: str, function: Callable, long: object, short: object, repeats: int) -> None:
    function(short)  # what is loaded at the first call is not counted
    pairs = [(seconds(function, long), seconds(function, short)) for _ in range(repeats)]
    middle = statistics.median(one for one, _ in pairs)
    ratio = statistics.median(one / other for one, other in pairs)
    print(f"{name:<24} {middle:7.3f} s, {ratio:8.1f} times the short one", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    long, short = history(LONG), history(SHORT)
    for name, function in OF_HISTORIES.items():
        show(name, function, long, short, repeats)
    show("variance_components", analysis.variance_components, runs(*MANY), runs(*FEW), repeats)


if __name__ == "__main__":
    main()
