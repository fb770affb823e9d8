"""What `fit_convergence` found for one history."""

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetdyn.analysis.fitting import models
from unetdyn.analysis.fitting.held_out import HeldOutTail
from unetdyn.analysis.result import Determinable, epoch, interval, number

_NAN = float("nan")
_COUNTABLE = 1e6  # epochs; of more, a person reads the magnitude


@dataclass(frozen=True)
class ConvergenceFit(Determinable):
    """Where a logged value is heading to, as `fit_convergence` found it.

    Attributes:
        model: `"exponential"`, `"power law"` or `"last value"`, by the largest weight; None where nothing was fitted.
        params: The model's parameters by the names in its formula: `J_inf`, and `J_0` and `lambda`, or `C` and `beta`.
        asymptote: J∞ of the model; NaN where nothing was fitted.
        asymptote_interval: Lower and upper end.
        reason: In words, why the history does not tell where it is heading to; empty where it does.
        weights: Model → AICc weight; their sum is 1.
        autocorrelation: φ of the noise, from one epoch to the next.
        epochs_to_within: The epoch, from 0 and not rounded, from which on the fitted curve is within `within` of J∞;
            infinite where never, as for J∞ = 0.
        epochs_to_within_interval: Lower and upper end.
        held_out: The check on the last fifth of the epochs; None where nothing was fitted.
        confidence: Of both intervals.
        within: Fraction of |J∞|.
        span: The first and the last epoch that were fitted, from 0.
    """

    model: str | None = None
    params: dict[str, float] = field(default_factory=dict)
    asymptote: float = _NAN
    asymptote_interval: tuple[float, float] = (_NAN, _NAN)
    reason: str = ""
    weights: dict[str, float] = field(default_factory=dict)
    autocorrelation: float = _NAN
    epochs_to_within: float = _NAN
    epochs_to_within_interval: tuple[float, float] = (_NAN, _NAN)
    held_out: HeldOutTail | None = None
    confidence: float = 0.95
    within: float = 0.01
    span: tuple[float, float] = (_NAN, _NAN)

    def predict(self, epochs: ArrayLike) -> NDArray[np.float64]:
        """The fitted curve.

        Args:
            epochs: Of any shape, from 0; beyond the last one that was fitted, the curve goes on.

        Returns:
            J(t), of the same shape; NaN where nothing was fitted.

        Example:
            >>> from unetdyn.analysis import fit_convergence
            >>> fitted = fit_convergence([0.8 - 0.5 / epoch for epoch in range(1, 41)])
            >>> fitted.model, fitted.predict([0, 99, 999]).round(4).tolist()
            ('power law', [0.3, 0.795, 0.7995])
        """
        t, p = np.asarray(epochs, dtype=np.float64), self.params
        if self.model == models.EXPONENTIAL.name:
            return p["J_inf"] - (p["J_inf"] - p["J_0"]) * np.exp(-p["lambda"] * (t - self.span[0]))
        if self.model == models.POWER_LAW.name:
            return p["J_inf"] - p["C"] * (t + 1) ** -p["beta"]
        return np.full(t.shape, self.asymptote)

    def _rows(self) -> list[tuple[str, str]]:
        if self.held_out is None:
            return [("asymptote", self._if_determined(""))]
        level = f"{100 * self.confidence:g} % interval"
        low, high = self.epochs_to_within_interval
        others = ", ".join(f"{name} {weight:.2f}" for name, weight in self.weights.items())
        found = f"{number(self.asymptote)} ({level} {interval(*self.asymptote_interval)})"
        return [
            ("asymptote", self._if_determined(found)),
            *([] if self.determined else [("best guess", found)]),
            (f"within {100 * self.within:g} % of it", f"{self._reached()} ({level} {_whole(low)} to {_whole(high)})"),
            ("model", f"{self.model} (weights: {others})"),
            ("parameters", ", ".join(f"{name} {number(value)}" for name, value in self.params.items())),
            ("last fifth predicted", _compared(self.held_out)),
        ]

    def _reached(self) -> str:
        value, last = self.epochs_to_within, self.span[1]
        if not math.isfinite(value):
            return "never"
        return f"from epoch {_whole(value)} on" + (f", after the last, {epoch(last)}" if value > last else "")


def _compared(tail: HeldOutTail) -> str:
    """Which predicted better; of a level, the last value is the model."""
    errors = f"{number(tail.fit_error)} by the model, {number(tail.last_value_error)} by the last value"
    if tail.fit_error == tail.last_value_error:
        return f"as well by the model as by the last value: RMS error {number(tail.fit_error)}"
    return f"better by the {'model' if tail.beaten else 'last value'}: RMS error {errors}"


def _whole(value: float) -> str:
    """The first whole epoch that is not before this one, as a person counts."""
    if not math.isfinite(value):
        return "never"
    return epoch(math.ceil(value)) if value < _COUNTABLE else number(value, digits=1)
