"""`analysis.oscillation` on planted curves: false alarms in correlated noise, and planted swings found."""

import numpy as np
from truth._planted import share_of

from unetdyn.analysis import oscillation
from unetdyn.analysis.ar1 import AR1

SIGMA = 0.01


def curve(epochs, phi, rng):
    t = np.arange(epochs)
    noise = AR1(phi, SIGMA * np.sqrt(1 - phi**2)).draw(epochs, 1, rng)[0]
    return 0.2 + 0.8 * np.exp(-t / 8) + noise


def rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    rng = np.random.default_rng(seed)
    table = []
    for epochs in (20, 50, 100, 300):
        for phi in (0.0, 0.5, 0.8):
            alarms = sum(oscillation(curve(epochs, phi, rng)).kind is not None for _ in range(draws))
            table.append((f"noise, {epochs} epochs, φ = {phi:g}: oscillation", share_of(alarms, draws), "1 %"))
    table += _abrupt(draws, rng)
    t = np.arange(100)
    for period in (2, 7, 20):
        for amplitude in (0.5, 1.0):
            swing = amplitude * SIGMA * np.sqrt(2) * np.cos(2 * np.pi * t / period) / (np.sqrt(2) if period == 2 else 1)
            found = [oscillation(curve(100, 0.3, rng) + swing) for _ in range(draws)]
            right = sum(one.kind is not None and abs(one.period / period - 1) < 0.15 for one in found)
            name = f"swing of {amplitude:g} σ (rms), period {period}, 100 epochs, φ = 0.3: found"
            table.append((name, share_of(right, draws), "the more the better"))
    for phi in (-0.4, -0.7):
        found = sum(oscillation(curve(100, phi, rng)).kind == "zigzag" for _ in range(draws))
        table.append(
            (f"zigzag without a period, φ = {phi:g}, 100 epochs: found", share_of(found, draws), "the more the better")
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
        table.append((f"{name}, 60 epochs: oscillation", share_of(alarms, draws), "1 %; known limit"))
    return table
