"""`analysis.overfitting` on planted trainings: false alarms, the onset and its delay, and the gap's interval."""

import numpy as np
from truth._planted import share_of

from unetdyn.analysis import overfitting
from unetdyn.analysis.ar1 import AR1

EPOCHS = (20, 50, 100)
PHIS = (0.0, 0.5, 0.8)
SIGMA = 0.02
ONSET = 60


def planted(epochs, phi, rise, rng):
    """A history whose validation loss rises by `rise` an epoch from `ONSET` on, and its true gap over ten epochs."""
    t = np.arange(epochs)
    noise = AR1(phi, SIGMA * np.sqrt(1 - phi**2)).draw(epochs, 2, rng)
    loss = 0.1 + 0.8 * np.exp(-t / 25)
    # Without a rise the validation loss is flat, which is the worst case for false alarms.
    fall = 0.6 * np.exp(-t / 10) if rise else 0.0
    val_loss = 0.3 + fall + rise * np.maximum(t - ONSET, 0)
    return {"loss": loss + 0.5 * noise[0], "val_loss": val_loss + noise[1]}, np.mean((val_loss - loss)[-10:])


def rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    rng = np.random.default_rng(seed)
    table = []
    for epochs in EPOCHS:
        for phi in PHIS:
            table += _without(epochs, phi, draws, rng)
    for phi in PHIS:
        for rise in (0.002, 0.005, 0.01):
            table += _with(phi, rise, max(draws // 5, 20), rng)
    return table


def _without(epochs, phi, draws, rng):
    alarms = covered = 0
    for _ in range(draws):
        history, gap = planted(epochs, phi, 0.0, rng)
        found = overfitting(history)
        alarms += found.onset is not None
        covered += found.gap_interval[0] <= gap <= found.gap_interval[1]
    name = f"{epochs} epochs, nothing overfits, φ = {phi:g}"
    return [
        (f"{name}: onset", share_of(alarms, draws), "1 %"),
        (f"{name}: 95 % interval of the gap holds it", share_of(covered, draws), "95 %"),
    ]


def _with(phi, rise, draws, rng):
    onsets, delays = [], []
    for _ in range(draws):
        history, _ = planted(120, phi, rise, rng)
        onset = overfitting(history).onset
        if onset is not None:
            onsets.append(onset - ONSET)
        delays.append(_delay(history))
    name = f"rise of {rise / SIGMA:g} σ an epoch from epoch {ONSET + 1}, φ = {phi:g}"
    low, middle, high = np.percentile(onsets, [5, 50, 95])
    return [
        (f"{name}: onset found by epoch 120", share_of(len(onsets), draws), "100 %"),
        (f"{name}: onset found − planted", f"{middle:+.0f} ({low:+.0f} to {high:+.0f})", "0"),
        (f"{name}: epochs until it is first found", f"{np.median(delays):.0f}", "few"),
    ]


def _delay(history):
    """Epochs after the planted onset until a user who asks every second epoch hears of it; the rest where never."""
    for last in range(ONSET, 121, 2):
        if overfitting({name: values[:last] for name, values in history.items()}).onset is not None:
            return last - ONSET
    return 120 - ONSET
