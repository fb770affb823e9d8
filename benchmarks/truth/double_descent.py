"""Double descent: seldom found in curves that have none, often in curves that have one."""

import numpy as np
from truth._planted import ar1, share

from unetdyn.analysis import double_descent

SIGMA = 0.05


def single(epochs: int) -> dict[str, np.ndarray]:
    """Curves without a second descent; the last two are the hardest, for noise need add but one of the turns."""
    t = np.arange(epochs) / epochs
    return {
        "exponential": np.exp(-10 * t),
        "U (overfitting)": np.where(t < 0.3, 8 * (0.3 - t) ** 2, 0.6 * (t - 0.3)),
        "falls, rises, plateau": np.where(t < 0.2, 1 - 5 * t, np.minimum(4 * (t - 0.2), 0.8)),
        "falls, plateau, falls": np.where(t < 0.1, 1 - 5 * t, np.where(t < 0.7, 0.5, 1.2 - t)),
    }


def bumps(epochs: int) -> dict[str, np.ndarray]:
    """An exponential with a Gaussian bump some σ high, whose own standard deviation is a tenth of the training."""
    t = np.arange(epochs) / epochs
    bump, fall = np.exp(-(((t - 0.5) / 0.1) ** 2) / 2), 0.3 + 0.7 * np.exp(-15 * t)
    return {f"bump of {height} σ": fall + height * SIGMA * bump for height in (2, 4, 6)}


def blips(rng: np.random.Generator, epochs: int, length: int) -> np.ndarray:
    """A fall with noise of 0.01, and one rise by 0.3 that ends after a few epochs."""
    curve = np.exp(-10 * np.arange(epochs) / epochs) + 0.01 * rng.standard_normal(epochs)
    begin = rng.integers(epochs // 4, epochs - 6)
    curve[begin : begin + length] += 0.3
    return curve


def spiking(rng: np.random.Generator, epochs: int, chance: float) -> np.ndarray:
    """The same fall, where each epoch may be 0.3 too high."""
    curve = np.exp(-10 * np.arange(epochs) / epochs) + 0.01 * rng.standard_normal(epochs)
    return curve + 0.3 * (rng.random(epochs) < chance)


def wild_rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    found = []
    for epochs in (60, 100, 200):
        curves = [(f"a blip of {length} epochs", blips, length) for length in (1, 2, 3, 4)]
        curves += [(f"each epoch spikes with {chance:.0%}", spiking, chance) for chance in (0.05, 0.08)]
        for number, (name, make, setting) in enumerate(curves):
            rng = np.random.default_rng([seed, epochs, 1000 + number])
            hits = [double_descent(make(rng, epochs, setting)).found for _ in range(draws)]
            found.append((f"{name}, {epochs} epochs: called double descent", share(hits), "≤ 5 %"))
    return found


def rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    found = []
    for wanted, curves in (("≤ 5 %", single), ("high", bumps)):
        for epochs in (60, 100, 200):
            for phi in (0.0, 0.3, 0.6):
                for number, (name, curve) in enumerate(curves(epochs).items()):
                    rng = np.random.default_rng([seed, epochs, int(10 * phi), number])
                    hits = [double_descent(curve + SIGMA * ar1(rng, epochs, phi)).found for _ in range(draws)]
                    what = f"{name}, {epochs} epochs, AR(1) φ = {phi:g}: called double descent"
                    found.append((what, share(hits), wanted))
    return [*found, *wild_rows(draws, seed)]
