"""The phases of a training, and underfitting, overfitting or too short: right, wrong and undetermined."""

from collections import Counter

import numpy as np
from truth._planted import ar1, share_of

from unetdyn.analysis import training_phases, training_regime


def descents(epochs: int) -> dict[str, np.ndarray]:
    """Losses whose range is about one; the first two slow, the others do not."""
    t = np.arange(epochs) / epochs
    return {
        "exponential, 5 times": np.exp(-5 * t),
        "exponential, 20 times": np.exp(-20 * t),
        "exponential, once": np.exp(-t),
        "even": 1 - t,
        "level": np.zeros(epochs),
    }


def trainings() -> dict[str, dict[str, np.ndarray]]:
    """Of 100 epochs, by what they are."""
    t = np.arange(100.0)
    left, slow, later = np.exp(-t / 8), np.exp(-t / 80), np.exp(-t / 20)
    return {
        "underfitting": {
            "loss": 0.5 + 0.3 * left,
            "val_loss": 0.52 + 0.3 * left,
            "jaccard": 0.32 - 0.3 * left,
            "val_jaccard": 0.3 - 0.3 * left,
        },
        "overfitting": {
            "loss": 0.05 + 0.6 * later,
            "val_loss": 0.3 + 0.4 * left + 0.005 * np.maximum(t - 40, 0),
            "jaccard": 0.95 - 0.9 * later,
            "val_jaccard": 0.7 - 0.6 * left,
        },
        "not trained long enough": {
            "loss": 0.1 + 0.6 * slow,
            "val_loss": 0.12 + 0.6 * slow,
            "jaccard": 0.9 - 0.8 * slow,
            "val_jaccard": 0.88 - 0.8 * slow,
        },
        "fits": {
            "loss": 0.1 + 0.6 * left,
            "val_loss": 0.12 + 0.6 * left,
            "jaccard": 0.85 - 0.8 * left,
            "val_jaccard": 0.8 - 0.8 * left,
        },
    }


def rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    found = []
    for epochs in (30, 100):
        for sigma in (0.03, 0.1):
            for phi in (0.0, 0.5):
                for number, (name, curve) in enumerate(descents(epochs).items()):
                    rng = np.random.default_rng([seed, epochs, int(100 * sigma), int(10 * phi), number])
                    results = [training_phases({"loss": curve + sigma * ar1(rng, epochs, phi)}) for _ in range(draws)]
                    slow = sum(result.slow is not None for result in results)
                    told = sum(result.determined for result in results)
                    what = f"{name}, {epochs} epochs, σ {sigma:g}, φ {phi:g}: slow phase named"
                    text = f"{share_of(slow, draws)}; determined {share_of(told, draws)}"
                    found.append((what, text, "high" if "times" in name else "low"))
    for sigma in (0.005, 0.02, 0.05):
        for phi in (0.0, 0.5):
            for number, (name, curves) in enumerate(trainings().items()):
                rng = np.random.default_rng([seed, int(1000 * sigma), int(10 * phi), 100 + number])
                verdicts = Counter(
                    training_regime({key: curve + sigma * ar1(rng, 100, phi) for key, curve in curves.items()}).verdict
                    for _ in range(draws)
                )
                wrong = draws - verdicts[name] - verdicts["undetermined"]
                text = f"right {share_of(verdicts[name], draws)}, wrong {share_of(wrong, draws)}"
                found.append((f"{name}, σ {sigma:g}, φ {phi:g}", text, "wrong: low"))
    return found
