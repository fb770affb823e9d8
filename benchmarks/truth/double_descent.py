"""Double descent: seldom found in curves that have none, often in curves that have one."""

import numpy as np
from scipy.signal import lfilter

from unetdyn.analysis import double_descent

SIGMA = 0.05


def noise(rng: np.random.Generator, epochs: int, phi: float) -> np.ndarray:
    """AR(1) noise of standard deviation SIGMA."""
    warm_up = 200
    drawn = lfilter([1], [1, -phi], rng.standard_normal(epochs + warm_up))[warm_up:]
    return SIGMA * drawn * np.sqrt(1 - phi**2)


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


def rate(curve: np.ndarray, phi: float, draws: int, rng: np.random.Generator) -> float:
    return float(np.mean([double_descent(curve + noise(rng, len(curve), phi)).found for _ in range(draws)]))


def rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    found = []
    for wanted, curves in (("≤ 5 %", single), ("high", bumps)):
        for epochs in (60, 200):
            for phi in (0.0, 0.3, 0.6):
                for number, (name, curve) in enumerate(curves(epochs).items()):
                    rng = np.random.default_rng([seed, epochs, int(10 * phi), number])
                    share = rate(curve, phi, draws, rng)
                    error = 100 * np.sqrt(share * (1 - share) / draws)
                    what = f"{name}, {epochs} epochs, AR(1) φ = {phi:g}: called double descent"
                    found.append((what, f"{100 * share:.1f} ± {error:.1f} %", wanted))
    return found
