"""How often does each pruner end a trial that would have won, and how many epochs does it save?

python benchmarks/pruning_truth.py --draws 70

Learning curves of a search are planted, all of them to their end, so that the winner is known: the trial with the best
value of any epoch. Then each pruner sees them epoch by epoch, in the order of the trials, as Optuna would show them.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import optuna
from scipy.stats import binomtest
from truth._planted import ar1

from unetdyn.sweeps.pruning import StabilityPruner
from unetdyn.sweeps.pruning_signals import TrialRecord

EPOCHS, TRIALS = 60, 20

Curves = tuple[np.ndarray, np.ndarray]
"""Values, of which more is better, and losses, each `(trials, epochs)`."""


def noisy(curves: np.ndarray, rng: np.random.Generator, sigma: float | np.ndarray = 0.01) -> Curves:
    """With noise of first order; the loss is what the value lacks, with noise of its own."""
    noise = ar1(rng, curves.shape, 0.3, warm_up=50) * np.reshape(sigma, (-1, 1))
    other = ar1(rng, curves.shape, 0.3, warm_up=50) * np.reshape(sigma, (-1, 1))
    return curves + noise, np.maximum(1 - curves + other, 1e-3)


def rise(ends: np.ndarray, rates: np.ndarray, clock: np.ndarray | None = None) -> np.ndarray:
    clock = np.arange(EPOCHS)[None] if clock is None else clock
    return ends[:, None] - (ends[:, None] - 0.05) * np.exp(-rates[:, None] / EPOCHS * np.maximum(clock, 0))


def exponential(rng: np.random.Generator) -> Curves:
    return noisy(rise(rng.normal(0.72, 0.05, TRIALS), np.exp(rng.uniform(np.log(3), np.log(30), TRIALS))), rng)


def crossing(rng: np.random.Generator) -> Curves:
    """The slower, the better in the end, as with smaller learning rates."""
    rates = np.exp(rng.uniform(np.log(2.5), np.log(40), TRIALS))
    ends = 0.85 - 0.06 * np.log(rates) + rng.normal(0, 0.02, TRIALS)
    return noisy(rise(ends, rates), rng)


def power_law(rng: np.random.Generator) -> Curves:
    ends, beta = rng.normal(0.8, 0.05, TRIALS), rng.uniform(0.4, 1.5, TRIALS)
    return noisy(ends[:, None] - 0.7 * (np.arange(EPOCHS)[None] + 1.0) ** -beta[:, None], rng)


def late(rng: np.random.Generator) -> Curves:
    """A net that answers "background" everywhere, and takes off after a while, some much later than others."""
    clock = np.arange(EPOCHS)[None] - rng.integers(0, 35, TRIALS)[:, None]
    return noisy(rise(rng.normal(0.72, 0.05, TRIALS), rng.uniform(8, 30, TRIALS), clock), rng)


def dropped_rate(rng: np.random.Generator) -> Curves:
    """The learning rate falls at 70 % of the epochs, and lifts each trial, one more than the other."""
    drop = int(0.7 * EPOCHS)
    before = rise(rng.normal(0.65, 0.04, TRIALS), rng.uniform(4, 30, TRIALS))
    lift = rng.uniform(0.02, 0.15, TRIALS)[:, None] * (1 - np.exp(-np.maximum(np.arange(EPOCHS) - drop, 0) / 3))[None]
    return noisy(before + lift, rng)


def overfitting(rng: np.random.Generator) -> Curves:
    peak = rng.uniform(10, 50, TRIALS)[:, None]
    fall = rng.uniform(0.0, 0.004, TRIALS)[:, None] * np.maximum(np.arange(EPOCHS)[None] - peak, 0)
    return noisy(rise(rng.normal(0.72, 0.05, TRIALS), rng.uniform(6, 30, TRIALS)) - fall, rng)


def restless(rng: np.random.Generator) -> Curves:
    """Noise from calm to wild; three in ten diverge, of which half come back after one to eight epochs."""
    sigma = np.exp(rng.uniform(np.log(0.003), np.log(0.15), TRIALS))
    values, losses = noisy(rise(rng.normal(0.72, 0.05, TRIALS), rng.uniform(5, 30, TRIALS)), rng, sigma)
    for trial in np.flatnonzero(rng.random(TRIALS) < 0.3):
        begins = int(rng.integers(8, EPOCHS - 5))
        ends = begins + int(rng.integers(1, 9)) if rng.random() < 0.5 else EPOCHS
        values[trial, begins:ends] = rng.uniform(0, 0.1, ends - begins)
        losses[trial, begins:ends] = rng.uniform(4, 30, ends - begins)
    return values, losses


def mixed(rng: np.random.Generator) -> Curves:
    kinds = [exponential, crossing, power_law, late, overfitting, restless]
    made = [kind(rng) for kind in kinds]
    chosen = rng.integers(0, len(kinds), TRIALS)
    values = np.array([made[kind][0][trial] for trial, kind in enumerate(chosen)])
    return values, np.array([made[kind][1][trial] for trial, kind in enumerate(chosen)])


FAMILIES = [exponential, crossing, power_law, late, dropped_rate, overfitting, restless, mixed]

Records = Callable[[optuna.trial.FrozenTrial], TrialRecord]
PRUNERS: dict[str, Callable[[Records], optuna.pruners.BasePruner]] = {
    "StabilityPruner(rate=0.05)": lambda records: StabilityPruner(0.05, records=records),
    "MedianPruner()": lambda _: optuna.pruners.MedianPruner(),
    "MedianPruner(n_warmup_steps=15)": lambda _: optuna.pruners.MedianPruner(n_warmup_steps=15),
    "SuccessiveHalvingPruner()": lambda _: optuna.pruners.SuccessiveHalvingPruner(),
    f"HyperbandPruner(max_resource={EPOCHS})": lambda _: optuna.pruners.HyperbandPruner(max_resource=EPOCHS),
}


def pruned_after(curves: Curves, make: Callable[[Records], optuna.pruners.BasePruner]) -> list[int]:
    """How many epochs each trial had."""
    values, losses = curves

    def records(trial: optuna.trial.FrozenTrial) -> TrialRecord:
        epochs = (trial.last_step or 0) + 1
        return TrialRecord.of(values[trial.number], losses[trial.number], losses[trial.number]).until(epochs)

    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0), pruner=make(records)
    )
    had = []
    for row in values:
        trial, epochs, state = study.ask(), EPOCHS, optuna.trial.TrialState.COMPLETE
        for epoch, value in enumerate(row):
            trial.report(value, epoch)
            if epoch + 1 < EPOCHS and trial.should_prune():
                epochs, state = epoch + 1, optuna.trial.TrialState.PRUNED
                break
        study.tell(trial, None if epochs < EPOCHS else float(np.nanmax(row)), state)
        had.append(epochs)
    return had


def measured(draws: int, seed: int = 0, pruners: list[str] | None = None, families: list | None = None) -> dict:
    """Pruner → family → winners pruned, epochs saved (a share) and what the best finished trial lacks."""
    found: dict[str, dict] = {}
    for name in pruners or list(PRUNERS):
        for number, family in enumerate(families or FAMILIES):
            winners, saved, regret = 0, [], []
            began = time.process_time()
            for draw in range(draws):
                curves = family(np.random.default_rng([seed, number, draw]))
                best = curves[0].max(axis=1)
                had = pruned_after(curves, PRUNERS[name])
                winners += had[int(best.argmax())] < EPOCHS
                saved.append(1 - np.sum(had) / (EPOCHS * TRIALS))
                whole = [value for value, epochs in zip(best, had, strict=True) if epochs == EPOCHS]
                regret.append(float(best.max() - max(whole)))
            found.setdefault(name, {})[family.__name__] = {
                "draws": draws,
                "winners_pruned": winners,
                "epochs_saved": float(np.mean(saved)),
                "regret": float(np.mean(regret)),
                "seconds": time.process_time() - began,
            }
    return found


def row(name: str, families: list[dict]) -> str:
    pruned, draws = sum(each["winners_pruned"] for each in families), sum(each["draws"] for each in families)
    low, high = binomtest(pruned, draws).proportion_ci(0.95)
    saved, regret = np.mean([each["epochs_saved"] for each in families]), np.mean([each["regret"] for each in families])
    return (
        f"{name:34} {pruned:4} of {draws:4} winners pruned: {100 * pruned / draws:5.1f} % "
        f"({100 * low:.1f} to {100 * high:.1f} %); {100 * saved:3.0f} % of the epochs saved; regret {regret:.4f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--draws", type=int, default=70, help="searches of each family")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pruners", nargs="*", choices=PRUNERS)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    found = measured(given.draws, given.seed, given.pruners)
    for name, families in found.items():
        print(row(name, list(families.values())))
        for family, numbers in families.items():
            print("  " + row(family, [numbers]))
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
