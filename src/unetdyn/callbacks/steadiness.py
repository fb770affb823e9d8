"""How unsteady a training is: the scatter of a loss, its oscillation, and how many pixels flip. NaN where not known."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unetdyn import analysis
from unetdyn.analysis.scatter import scatter_about_descent
from unetdyn.analysis.stability_classes import DDOF, WINDOW, stability
from unetdyn.callbacks.logged_number import logged_number

SWINGS = 40
"""Epochs in which an oscillation is looked for: twice as many as it needs, so that an old one is forgotten."""
_NAN = float("nan")


def scatter_of(values: Sequence[float], name: str, logs: Mapping[str, Any]) -> float:
    """σ of the last ten values, or of what is left of them without their descent, whichever is less.

    Args:
        values: Of a loss, oldest first.
        name: In `logs`; where a `StabilityMonitor` has put its σ there, that is taken.
        logs: Of the epoch.

    Example:
        >>> round(scatter_of([1.0, 2.0] * 5, "val_loss", {}), 3), scatter_of([3.0, 2.0], "val_loss", {})
        (0.527, nan)
    """
    own = stability(values, WINDOW, DDOF)
    if not own.determined or not own.finite:
        return _NAN
    logged = logged_number(logs.get("stability" if name == "val_loss" else f"{name}_stability"))
    sigma = own.sigma if logged is None or not np.isfinite(logged) else logged
    return min(scatter_about_descent(own).sigma, sigma)


def swings_of(values: Sequence[float], name: str, alpha: float) -> tuple[float, str]:
    """Whether the last values oscillate, 1 or 0, and that in words.

    Args:
        values: Oldest first.
        name: What they are.
        alpha: The level of the test, see `analysis.oscillation`.
    """
    found = analysis.oscillation(values[-SWINGS:], alpha=alpha)
    if not found.determined:
        return _NAN, ""
    chance = found.sign_changes_p if found.kind == "zigzag" else found.p_value
    words = f"{name} oscillates (a {found.kind}, period {found.period:.3g} epochs, p {chance:.1g})"
    return float(found.kind is not None), words


def flips_in(logs: Mapping[str, Any]) -> float:
    """The share of pixels that flipped, as a `ThresholdFlipMonitor` has put it into `logs`.

    >>> flips_in({"flips_rate": 0.02}), flips_in({})
    (0.02, nan)
    """
    logged = logged_number(logs.get("flips_rate"))
    return _NAN if logged is None or not np.isfinite(logged) else logged
