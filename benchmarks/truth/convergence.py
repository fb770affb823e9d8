"""Converged or not, and when: curves that still fall by just more than the margin, and curves that went flat."""

import numpy as np
from truth._planted import ar1, share

from unetdyn.analysis import converged_by_slope

EPOCHS, TURN, WINDOW, ALPHA = 100, 40, 30, 0.05
DELTA = 0.001
TOO_FAST = 1.02 * DELTA


def loss(slope: float, epochs: int = EPOCHS) -> np.ndarray:
    """Falls from 1 by 0.02 an epoch until the turn, and by `slope` an epoch from there."""
    epoch = np.arange(epochs)
    return 1 - 0.02 * np.minimum(epoch, TURN) - slope * np.maximum(epoch - TURN, 0)


def sigma(phi: float, part: float) -> float:
    """The noise at which a window's slope has a standard error of `part` of the margin."""
    return part * DELTA * np.sqrt(WINDOW**3 / 12 * (1 - phi) / (1 + phi))


def still_falling(rng: np.random.Generator, phi: float, part: float) -> tuple[bool, bool]:
    """Whether a curve outside the margin is called converged at its end, and whether in any epoch."""
    found = converged_by_slope(loss(TOO_FAST) + sigma(phi, part) * ar1(rng, EPOCHS, phi), WINDOW, DELTA, alpha=ALPHA)
    return found.converged, found.first_epoch is not None


def default_margin(rng: np.random.Generator, phi: float) -> bool:
    """The same with the margin that comes from the curve's own range."""
    slope = TOO_FAST
    for _ in range(
        20
    ):  # the tail is itself part of the range; a running median of five leaves out two values at an end
        slope = 1.02 * 0.001 * np.ptp(loss(slope)[2:-2])
    return converged_by_slope(loss(slope) + sigma(phi, 0.2) * ar1(rng, EPOCHS, phi), WINDOW).converged


def flat(rng: np.random.Generator, phi: float, part: float) -> tuple[bool, float, float]:
    """Whether a curve that went flat is found at its end, and how long after the turn: `since`, `first_epoch`."""
    found = converged_by_slope(loss(0) + sigma(phi, part) * ar1(rng, EPOCHS, phi), WINDOW, DELTA, alpha=ALPHA)
    nan = float("nan")
    since = nan if found.since is None else found.since - TURN
    return found.converged, since, nan if found.first_epoch is None else found.first_epoch - TURN


def long_rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    """Trainings that fall evenly all the way, and long ones that went flat at a tenth, with the default margin."""
    found = []
    for epochs in (100, 1200, 3000):
        rng = np.random.default_rng([seed, epochs])
        curve = np.linspace(1, 0, epochs)
        ends = [converged_by_slope(curve + 0.002 * rng.standard_normal(epochs)) for _ in range(draws)]
        what = f"falls evenly from 1 to 0 over {epochs} epochs, noise 0.002: called converged"
        found.append((what, share([end.converged for end in ends]), "≤ 5 %"))
    for window in (WINDOW, 4 * WINDOW):
        rng = np.random.default_rng([seed, window])
        curve = np.maximum(1 - np.arange(1200) / 120, 0)
        ends = [converged_by_slope(curve + 0.002 * rng.standard_normal(1200), window) for _ in range(draws)]
        what = f"flat from epoch 120 of 1200, noise 0.002, window {window}: called converged"
        found.append((what, share([end.converged for end in ends]), "high with a long window"))
    return found


def rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    found = []
    for phi in (0.0, 0.3, 0.6):
        for part in (0.1, 0.25):
            rng = np.random.default_rng([seed, int(10 * phi), int(100 * part)])
            ends, ever = zip(*(still_falling(rng, phi, part) for _ in range(draws)), strict=True)
            what = f"falls by 1.02 δ an epoch, AR(1) φ = {phi:g}, standard error {part:g} δ"
            found += [(f"{what}: called converged", share(ends), "≤ 5 %")]
            found += [(f"{what}: `first_epoch` named in any of {EPOCHS} epochs", share(ever), "stated")]
    for phi in (0.0, 0.3, 0.6):
        rng = np.random.default_rng([seed, int(10 * phi), 1000])
        hits = [default_margin(rng, phi) for _ in range(draws)]
        found += [(f"the same with the default margin, φ = {phi:g}: called converged", share(hits), "≤ 5 %")]
    for phi in (0.0, 0.3, 0.6):
        for part in (0.1, 0.25):
            rng = np.random.default_rng([seed, int(10 * phi), int(100 * part)])
            ends, since, first = zip(*(flat(rng, phi, part) for _ in range(draws)), strict=True)
            what = f"flat from epoch {TURN}, AR(1) φ = {phi:g}, standard error {part:g} δ"
            found += [(f"{what}: called converged", share(ends), "high")]
            if np.isfinite(since).any():
                middle = f"{np.nanmedian(since):.0f}, {np.nanmedian(first):.0f}"
                found += [
                    (f"{what}: epochs from the turn to `since`, `first_epoch` (medians)", middle, f"{WINDOW - 1}")
                ]
    return [*found, *long_rows(min(draws, 100), seed)]
