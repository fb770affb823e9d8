"""`analysis.collapses` on planted curves: false alarms per training in ordinary noise, and planted falls found."""

import numpy as np
from truth._planted import share_of

from unetdyn.analysis import collapses
from unetdyn.analysis.ar1 import AR1

EPOCHS = 100


def noisy(rising, relative, phi, rng, freedom=None):
    """A Jaccard curve, flat at 0.6 or rising to it, with noise of `relative` times its height; Student's t if asked."""
    level = 0.6 * (1 - np.exp(-(np.arange(EPOCHS) + 1) / 15)) if rising else np.full(EPOCHS, 0.6)
    if freedom:
        noise = rng.standard_t(freedom, EPOCHS) * np.sqrt((freedom - 2) / freedom)
    else:
        noise = AR1(phi, np.sqrt(1 - phi**2)).draw(EPOCHS, 1, rng)[0]
    return np.clip(level * (1 + relative * noise), 0, 1)


def rows(draws: int, seed: int) -> list[tuple[str, str, str]]:
    rng = np.random.default_rng(seed)
    table = []
    for rising in (False, True):
        for relative, phi, freedom in ((0.1, 0.0, None), (0.2, 0.0, None), (0.2, 0.8, None), (0.1, 0.0, 3)):
            alarms = sum(bool(collapses(noisy(rising, relative, phi, rng, freedom))) for _ in range(draws))
            kind = f"t({freedom})" if freedom else f"φ = {phi:g}"
            curve = f"{'rising' if rising else 'flat'} curve, noise of {100 * relative:g} %, {kind}"
            # Noise with such tails does lose half of the level, in one training out of seven.
            wanted = "15 %, as many as really lose half" if freedom else "< 5 %"
            table.append((f"{curve}: trainings with an alarm", share_of(alarms, draws), wanted))
    for depth in (0.6, 0.9):
        for first, end in ((2, 9), (9, 20), (20, EPOCHS)):
            found = sum(_found(noisy(True, 0.05, 0.0, rng), depth, int(rng.integers(first, end))) for _ in range(draws))
            name = f"fall of {100 * depth:g} % in one of epochs {first} to {end - 1}, noise of 5 %: found"
            early = depth < 0.8 and first < 9
            table.append((name, share_of(found, draws), "noise not known yet: few" if early else "100 %"))
    return table


def _found(values, depth, at):
    values[at] *= 1 - depth
    return [event.epoch for event in collapses(values).events] == [at]
