"""Do the statistics of a sweep tell the truth? Coverage, false alarms and stated probabilities on planted designs.

    python benchmarks/sweep_truth.py --draws 500

A design is one of 3 architectures × 2 learning rates × 2 batch sizes with 3 seeds in each of the 12 cells, 36 runs;
`σ` is the scatter over seeds. "Unequal" is a scatter of 0.5, 1 and 2 σ by architecture, "heavy tails" Student's t with
3 degrees of freedom, "a quarter lost" 27 of the 36 runs. It needs no Keras, and takes ten minutes of a core.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from analysis_truth import table
from truth.comparison import share

from unetdyn.analysis import (
    RunSummary,
    assumptions,
    effect_intervals,
    holm,
    probability_of_best,
    robust_tests,
    summarise,
)

Row = tuple[str, str, str]
FACTORS = ("architecture", "learning_rate", "batch_size")
CELLS = [(i, rate, batch) for i in range(3) for rate in (1e-3, 5e-3) for batch in (8, 16)]
SEEDS = 3
EFFECT = np.array([-1.0, 0.0, 1.0])  # of the architectures, in σ
UNEQUAL = np.array([0.5, 1.0, 2.0])  # times σ, by architecture
RUN = summarise({"val_jaccard": [0.5], "val_loss": [0.5]}, "run")

Noise = Callable[[np.random.Generator, int], float]


def equal(rng: np.random.Generator, _: int) -> float:
    return rng.normal()


def unequal(rng: np.random.Generator, architecture: int) -> float:
    return UNEQUAL[architecture] * rng.normal()


def heavy(rng: np.random.Generator, _: int) -> float:
    return rng.standard_t(3) / np.sqrt(3)


SCATTERS: dict[str, tuple[Noise, int]] = {
    "equal": (equal, 0),
    "unequal": (unequal, 0),
    "heavy tails": (heavy, 0),
    "equal, a quarter lost": (equal, 9),
    "unequal, a quarter lost": (unequal, 9),
}


def design(rng: np.random.Generator, noise: Noise, effect: np.ndarray, lost: int = 0) -> list[RunSummary]:
    """36 runs, less a random few; every cell keeps at least two."""
    runs = [
        replace(
            RUN,
            name=f"{cell} {seed}",
            performance=float(effect[cell[0]] + noise(rng, cell[0])),
            factors={**dict(zip(FACTORS, cell, strict=True)), "seed": seed},
        )
        for cell in CELLS
        for seed in range(SEEDS)
    ]
    gone = {int(cell) * SEEDS for cell in rng.permutation(len(CELLS))[:lost]}  # one run of a cell at most
    return [run for place, run in enumerate(runs) if place not in gone]


def alarms(draws: int, rng: np.random.Generator, permutations: int) -> Iterator[Row]:
    """Without any effect: how often p < 0.05, of the architecture and of any factor adjusted by Holm."""
    for name, (noise, lost) in SCATTERS.items():
        alone: dict[str, list[bool]] = {"F": [], "Welch": [], "permutation": [], "the test that `assumptions` says": []}
        family: dict[str, list[bool]] = {test: [] for test in alone}
        for draw in range(draws):
            runs = design(rng, noise, np.zeros(3), lost)
            tests = robust_tests(runs, FACTORS, permutations=permutations, seed=draw).tests
            p = {
                "F": {factor: test.p for factor, test in tests.items()},
                "Welch": {factor: test.welch_p for factor, test in tests.items()},
                "permutation": {factor: test.permutation_p for factor, test in tests.items()},
            }
            p["the test that `assumptions` says"] = p[assumptions(runs, FACTORS).read]
            for test, values in p.items():
                alone[test].append(values["architecture"] < 0.05)
                family[test].append(min(holm(values).values()) < 0.05)
        for test in alone:
            yield f"no effect, scatter {name}: {test}", f"p < 0.05 in {share(alone[test])}", "0.05"
            yield f"no effect, scatter {name}: {test}, any by Holm", f"in {share(family[test])}", "0.05 or less"


def coverage(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """With an effect: whether all intervals of the architectures' differences hold the truth at once."""
    truth = {(one, other): EFFECT[one] - EFFECT[other] for one in range(3) for other in range(3)}
    for name in ("equal", "unequal", "unequal, a quarter lost"):  # the studentised range of three takes its time
        noise, lost = SCATTERS[name]
        held: dict[bool, list[bool]] = {True: [], False: []}
        etas = []
        spread = np.var(EFFECT[[run.factors["architecture"] for run in design(rng, noise, EFFECT)]])
        for _ in range(draws):
            runs = design(rng, noise, EFFECT, lost)
            for pooled in (True, False):
                found = effect_intervals(runs, FACTORS, equal_variances=pooled)
                pairs = found.differences["architecture"]
                held[pooled].append(all(pair.low <= truth[pair.one, pair.other] <= pair.high for pair in pairs))
            eta = found.effects["architecture"]
            etas.append(eta.low <= spread / (spread + 1) <= eta.high)
        what = f"differences of architectures, scatter {name}"
        yield f"{what}: Tukey–Kramer", f"all held in {share(held[True])}", "0.95"
        yield f"{what}: Games–Howell", f"all held in {share(held[False])}", "0.95"
        if name == "equal":
            yield "partial η² of the architecture, 90 %", f"held in {share(etas)}", "0.90"


def probabilities(draws: int, rng: np.random.Generator) -> Iterator[Row]:
    """Whether the best is the best as often as is said, by what was said, and whether its loss is as expected."""
    for seeds, noise, name, of_seed in (
        (3, equal, "equal", 0.0),
        (2, equal, "equal", 0.0),
        (3, unequal, "unequal", 0.0),
        (3, equal, "equal, each seed with an effect of 2 σ on all", 2.0),
    ):
        stated, right, losses, expected, naive = [], [], [], [], []
        for ratio in np.repeat([0.0, 0.3, 1.0, 3.0], draws):
            true = ratio * rng.normal(size=len(CELLS))
            added = of_seed * rng.normal(size=seeds) if of_seed else np.zeros(seeds)
            values = [[m + noise(rng, cell[0]) + more for more in added] for m, cell in zip(true, CELLS, strict=True)]
            runs = [
                replace(
                    RUN,
                    name=f"{place}",
                    performance=float(value),
                    factors={**dict(zip(FACTORS, cell, strict=True)), "seed": seed},
                )
                for place, cell in enumerate(CELLS)
                for seed, value in enumerate(values[place])
            ]
            best = probability_of_best(runs, draws=2000, blocks="seed" if of_seed else ()).best
            stated.append(best.probability)
            right.append(true[int(best.name)] == true.max())
            losses.append(true.max() - true[int(best.name)])
            expected.append(best.expected_loss)
            if ratio == 0:
                right[-1] = rng.random() < 1 / len(CELLS)  # all are as good: any is the best
            naive.append(bootstrapped(np.array(values), rng))
        what = f"best of 12 cells with {seeds} seeds, scatter {name}"
        for low, high in ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.01)):
            inside = [low <= p < high for p in stated]
            if sum(inside) >= 20:
                said, were = np.mean(np.array(stated)[inside]), [r for r, i in zip(right, inside, strict=True) if i]
                yield f"{what}: said {low:.0%} to {min(high, 1):.0%}", f"{share(were)} were", f"{said:.3f} was said"
        yield f"{what}: expected loss, in σ", f"{np.mean(losses):.3f} it was", f"{np.mean(expected):.3f} was said"
        sure = np.array(naive) >= 0.8
        were = share([r for r, s in zip(right, sure, strict=True) if s])
        yield f"{what}: percentile bootstrap says 80 % or more", f"{were} were", f"{np.mean(np.array(naive)[sure]):.3f}"


def bootstrapped(values: np.ndarray, rng: np.random.Generator) -> float:
    """How often the best cell is the best of resampled runs: what `probability_of_best` does not do."""
    cells, seeds = values.shape
    drawn = values[np.arange(cells)[:, None], rng.integers(0, seeds, (500, cells, seeds))].mean(axis=2)
    return float(np.mean(drawn.argmax(axis=1) == values.mean(axis=1).argmax()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=500, help="designs for each row (default 500)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--permutations", type=int, default=999)
    parser.add_argument("--topics", nargs="*", default=["alarms", "coverage", "probabilities"])
    options = parser.parse_args()
    for topic in options.topics:
        began, rng = time.perf_counter(), np.random.default_rng(options.seed)
        if topic == "alarms":
            rows = list(alarms(options.draws, rng, options.permutations))
        else:
            rows = list({"coverage": coverage, "probabilities": probabilities}[topic](options.draws, rng))
        print(f"{topic}: {options.draws} draws, seed {options.seed}, {time.perf_counter() - began:.0f} s")
        print(table(rows) + "\n", flush=True)


if __name__ == "__main__":
    main()
