"""Whether a fitted curve predicts epochs that it has not seen, and better than the last value would."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.fitting import models
from unetdyn.analysis.fitting.models import Array, Shape

_NOTICEABLE = 1.25  # times the last value's error
_ROUNDING = 1e-6  # of a curve's range: a smaller error isn't counted


@dataclass(frozen=True)
class HeldOutTail:
    """The last fifth of the epochs, at least 3, predicted from those before.

    Attributes:
        epochs: How many were held out; of a history that was averaged in groups, how many groups.
        fit_error: Root mean square error of the model, fitted to the earlier epochs.
        last_value_error: The same of the last value: the mean of a tenth of the earlier epochs, at least 3.
        worse: Whether the fit's error is larger by more than a quarter.
    """

    epochs: int
    fit_error: float
    last_value_error: float
    worse: bool

    @property
    def beaten(self) -> bool:
        """Whether the fit's error is the smaller one."""
        return self.fit_error < self.last_value_error


def last_values(values: Array) -> Array:
    """Those of which the mean is "the last value", `(curves, m)`: a tenth of the epochs, at least 3."""
    return values[:, -max(3, values.shape[1] // 10) :]


def held_out(epochs: Array, values: Array, shapes: tuple[Shape, ...], best: NDArray[np.intp]) -> list[HeldOutTail]:
    """The check on each curve, of the shape that describes it best.

    On a curve that has arrived, the fit and the last value predict alike, and which is nearer is a matter of chance: in
    a third of such curves it is the last value. So a fit is worse only where its error is larger by a quarter.

    Args:
        epochs: `(n,)`, n ≥ 10.
        values: `(curves, n)`.
        shapes: Those that `best` counts; the number after the last is the last value itself, which is never worse.
        best: `(curves,)`.
    """
    n = len(epochs)
    tail = max(3, n // 5)
    head, ahead = values[:, : n - tail], values[:, n - tail :]
    last = ahead - last_values(head).mean(axis=1, keepdims=True)
    errors = last.copy()
    for number, shape in enumerate(shapes):
        mine = best == number
        found = models.fit(shape, epochs[: n - tail], head[mine])
        clock = shape.clock(epochs[n - tail :], epochs[0])
        errors[mine] = ahead[mine] - models.curve(found.asymptote, found.amplitude, found.rate, clock)
    rms, last_rms = (np.sqrt(np.mean(each**2, axis=1)) for each in (errors, last))
    worse = rms > _NOTICEABLE * last_rms + _ROUNDING * np.ptp(values, axis=1)
    return [HeldOutTail(tail, float(a), float(b), bool(c)) for a, b, c in zip(rms, last_rms, worse, strict=True)]
