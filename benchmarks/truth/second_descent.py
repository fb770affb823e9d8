"""The five parameters of a double descent: covered as stated, and not claimed where there is none."""

import numpy as np
from scipy.stats import binomtest
from truth._planted import ar1, share, share_of
from truth.double_descent import single

from unetdyn.analysis import fit_double_descent

# Offset, J₁, λ₁, J₂, λ₂, t₀; epochs; noise.
PLANTED = [
    ((0.2, 0.7, 0.2, 0.4, 0.08, 40), 100, 0.02),
    ((0.2, 0.7, 0.1, 0.2, 0.1, 50), 100, 0.03),
    ((0.3, 1.0, 0.4, 0.5, 0.15, 20), 60, 0.03),
    ((0.1, 0.5, 0.05, 0.3, 0.04, 80), 200, 0.03),
]
NAMES = ("offset", "J_1", "lambda_1", "J_2", "lambda_2", "t_0")
SIGMA = 0.05


def curve(epochs: int, truth: tuple[float, ...]) -> np.ndarray:
    t, (offset, first, first_rate, second, second_rate, start) = np.arange(epochs), truth
    later = np.where(t >= start, second * np.exp(-second_rate * (t - start)), 0.0)
    return offset + first * np.exp(-first_rate * t) + later


def wilson(count: int, trials: int) -> float:
    """Upper end of the 95 % interval of a rate."""
    return float(binomtest(count, trials).proportion_ci(method="wilson").high)


def rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    found = []
    for number, (truth, epochs, sigma) in enumerate(PLANTED):
        for phi in (0.0, 0.5):
            rng = np.random.default_rng([seed, number, int(10 * phi)])
            results = [fit_double_descent(curve(epochs, truth) + sigma * ar1(rng, epochs, phi)) for _ in range(draws)]
            told = [result for result in results if result.determined]
            what = f"J₁ {truth[1]:g}, J₂ {truth[3]:g} at {truth[5]} of {epochs} epochs, σ {sigma:g}, φ {phi:g}"
            found.append((f"{what}: determined", share_of(len(told), draws), "high"))
            for name, value in zip(NAMES, truth, strict=True) if told else ():
                ends = [result.intervals[name] for result in told]
                estimates = np.array([result.params[name] for result in told])
                text = share([low <= value <= high for low, high in ends]) + f", bias {estimates.mean() - value:+.2g}"
                found.append((f"{what}: {name} covered", text, "92 to 98 %; t_0 may be 100 %"))
    for epochs in (60, 100):
        for phi in (0.0, 0.6):
            curves = {"level": np.full(epochs, 0.4), **single(epochs)}
            for number, (name, one) in enumerate(curves.items()):
                rng = np.random.default_rng([seed, epochs, int(10 * phi), 100 + number])
                hits = sum(fit_double_descent(one + SIGMA * ar1(rng, epochs, phi)).determined for _ in range(draws))
                text = f"{share_of(hits, draws)}, at most {100 * wilson(hits, draws):.1f} % (Wilson)"
                found.append((f"{name}, {epochs} epochs, φ {phi:g}: claimed", text, "≤ 5 %"))
    return found
