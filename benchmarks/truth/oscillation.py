"""`analysis.oscillation` on planted curves: false alarms in noise with memory, and planted swings found."""

import numpy as np

from unetdyn.analysis import oscillation
from unetdyn.analysis.noise import Noise

SIGMA = 0.01


def curve(epochs, memory, rng):
    t = np.arange(epochs)
    noise = Noise(memory, SIGMA * np.sqrt(1 - memory**2), 0).draw(epochs, 1, rng)[0]
    return 0.2 + 0.8 * np.exp(-t / 8) + noise


def rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    rng = np.random.default_rng(seed)
    table = []
    for epochs in (20, 50, 100, 300):
        for memory in (0.0, 0.5, 0.8):
            alarms = sum(oscillation(curve(epochs, memory, rng)).kind is not None for _ in range(draws))
            table.append((f"noise, {epochs} epochs, φ = {memory:g}: oscillation", _share(alarms, draws), "1 %"))
    table += _abrupt(draws, rng)
    t = np.arange(100)
    for period in (2, 7, 20):
        for amplitude in (0.5, 1.0):
            swing = amplitude * SIGMA * np.sqrt(2) * np.cos(2 * np.pi * t / period) / (np.sqrt(2) if period == 2 else 1)
            found = [oscillation(curve(100, 0.3, rng) + swing) for _ in range(draws)]
            right = sum(one.kind is not None and abs(one.period / period - 1) < 0.15 for one in found)
            name = f"swing of {amplitude:g} σ (rms), period {period}, 100 epochs, φ = 0.3: found"
            table.append((name, _share(right, draws), "the more the better"))
    for memory in (-0.4, -0.7):
        found = sum(oscillation(curve(100, memory, rng)).kind == "zigzag" for _ in range(draws))
        table.append(
            (f"zigzag without a period, φ = {memory:g}, 100 epochs: found", _share(found, draws), "the more the better")
        )
    return table


def _abrupt(draws: int, rng: np.random.Generator) -> list[tuple[str, str, str]]:
    """Curves that no smooth trend follows: what is left of them is taken for a swing now and then."""
    t = np.arange(60)
    noise = SIGMA * rng.standard_normal((draws, 60))
    curves = {
        "a step of 8 σ down at epoch 30, as a learning-rate drop makes": 0.2 + 0.8 * np.exp(-t / 8) - 0.08 * (t >= 30),
        "a logistic take-off at epoch 20": 0.75 / (1 + np.exp(-(t - 20.0))),
        "a slower one at epoch 30": 0.75 / (1 + np.exp(-(t - 30) / 2)),
    }
    table = []
    for name, curve in curves.items():
        alarms = sum(oscillation(curve + one).kind is not None for one in noise)
        table.append((f"{name}, 60 epochs: oscillation", _share(alarms, draws), "1 %; known limit"))
    return table


def _share(count, draws):
    share = count / draws
    return f"{100 * share:.1f} ± {100 * np.sqrt(share * (1 - share) / draws):.1f} %"
