"""What the losses of a run say: whether it learned, how its loss scatters at the end."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis import Curves
from unetdyn.analysis.logged_names import readable
from unetdyn.analysis.monotone import around_monotone
from unetdyn.analysis.result import number
from unetdyn.analysis.stability import Stability, stability
from unetdyn.report.page.signs import Sign, graded, worst

# What of its descent a loss has given back at the end, from where on it is to be watched, and ill; 1 is where it began.
# A validation loss often rises while the metric still does: that is overfitting, which has a sign of its own.
GIVEN_BACK = {"loss": (0.5, 1.0), "val_loss": (0.5, 3.0)}
LITTLE, NOISE_SCALES = 0.1, 6.0  # a change below a tenth, and below six noise scales, is none
LEVEL_OF = {"Excellent": "good", "Good": "good", "Moderate": "watch", "Poor": "ill", "Very poor": "ill"}
_TO_SIGMA = 1.4826 / np.sqrt(2)  # the median absolute change from one value to the next → σ of normal noise


def loss_signs(curves: Curves, window: int, ddof: int) -> Iterator[Sign]:
    """Whether the losses fell, and how the watched one scatters.

    Args:
        curves: What the run logged.
        window: Over how many values of the end stability is measured; with fewer, only NaN speaks against a loss.
        ddof: 1 or 0, see `unetdyn.analysis.stability`.
    """
    losses = [_descent(name, curves[name].values, window) for name in GIVEN_BACK if name in curves]
    if not losses:
        yield Sign("stability", "unknown", "no loss was logged")
        return
    text = "; ".join(sign.text for sign in losses)
    why = "; ".join(sign.why for sign in losses if sign.why)
    yield Sign("loss", worst(sign.level for sign in losses), text, why)
    yield _scatter(curves, window, ddof)


def never_left(values: NDArray[np.float64], best: float) -> bool:
    """Whether the way from the first value to the best one is less than a tenth, and no more than noise.

    >>> never_left(np.array([0.050, 0.051, 0.049, 0.052]), 0.052), never_left(np.array([0.05, 0.3, 0.4]), 0.4)
    (True, False)
    """
    first = values[np.isfinite(values)][0]
    way = abs(best - first)
    return bool(way <= LITTLE * max(abs(best), abs(first)) and way <= NOISE_SCALES * _noise(values))


def _noise(values: NDArray[np.float64]) -> float:
    """1.4826 / sqrt(2) times the median absolute change from one finite value to the next."""
    finite = values[np.isfinite(values)]
    return _TO_SIGMA * float(np.median(np.abs(np.diff(finite)))) if len(finite) > 1 else 0.0


def _descent(name: str, values: NDArray[np.float64], window: int) -> Sign:
    """Whether a loss fell, and how much of that is left at the end; a rise within noise is none."""
    words = readable(name) if name != "loss" else "training loss"
    last = float(values[-1])
    if not np.isfinite(last):
        return Sign(name, "ill", f"{words} {last} at the end", f"its {words} is not finite at the end")
    finite = values[np.isfinite(values)]
    first, lowest = float(finite[0]), float(finite.min())
    text = f"{words} {number(first)} at first, {number(lowest)} at best, {number(last)} at the end"
    if len(values) < window:
        return Sign(name, "unknown", text)
    watch, ill = GIVEN_BACK[name]
    if last - lowest > NOISE_SCALES * _noise(values):
        given_back = (last - lowest) / (first - lowest) if first > lowest else float("inf")
        level = graded(given_back, watch, ill)
        why = f"its {words} rose from {number(lowest)} to {number(last)} at the end"
        return Sign(name, level, text, why if level != "good" else "")
    if never_left(values, lowest):
        return Sign(name, "ill" if name == "loss" else "watch", text, f"its {words} never fell by more than noise")
    return Sign(name, "good", text)


def _scatter(curves: Curves, window: int, ddof: int) -> Sign:
    """The class of the loss's stability: of all its scatter, or where that is a descent, of the scatter about it."""
    logged, curve = curves.watched("loss")
    found, words = stability(curve.values, window, ddof), readable(logged)
    if not found.defined:
        return Sign("stability", "unknown", str(found))
    if not found.finite:
        return Sign("stability", "ill", str(found), f"the stability of its {words} is {str(found.label).lower()}")
    text = f"{found.label}: σ of the {words} {number(found.sigma)}"
    variation = found.coefficient_of_variation
    text += f", {variation:.0%} of its mean" if np.isfinite(variation) else ""
    if LEVEL_OF[str(found.label)] == "good":
        return Sign("stability", "good", text)
    return _about_descent(found, words, text)


def _about_descent(found: Stability, words: str, text: str) -> Sign:
    """A loss that still falls has a large σ, and may be calm all the same."""
    about = stability(around_monotone(found.values, rising=False), found.window, found.ddof)
    level = LEVEL_OF[str(about.label)]
    if level == "good":
        still = f"{text}; but {number(about.sigma)} about its descent: still improving"
        return Sign("stability", "unknown", still)
    if about.label != found.label:
        text += f"; {about.label}, {number(about.sigma)}, about its descent"
    return Sign("stability", level, text, f"the stability of its {words} is {str(about.label).lower()}")
