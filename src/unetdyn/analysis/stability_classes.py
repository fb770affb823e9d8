"""How stable a training was: the scatter of a logged value over its last epochs, and a word for it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetdyn._checks import check_choice, check_count
from unetdyn.analysis.result import Determinable, number
from unetdyn.analysis.series import Curve, series

WINDOW = 10
DDOF = 1


class StabilityClass(NamedTuple):
    """A row of the table of classes: `lower ≤ σ < upper`.

    >>> StabilityClass("Good", 0.01, 0.05).range
    '0.01 ≤ σ < 0.05'
    """

    label: str
    lower: float
    upper: float

    @property
    def range(self) -> str:
        """The bounds as a person writes them."""
        left = f"{self.lower:g} ≤ " if self.lower else ""
        right = f" < {self.upper:g}" if np.isfinite(self.upper) else ""
        return f"{left}σ{right}"


STABILITY_CLASSES = (
    StabilityClass("Excellent", 0.0, 0.01),
    StabilityClass("Good", 0.01, 0.05),
    StabilityClass("Moderate", 0.05, 0.1),
    StabilityClass("Poor", 0.1, 0.5),
    StabilityClass("Very poor", 0.5, float("inf")),
)
"""The classes of the studies (docs/studies.md), best first; set there for the validation loss.

The studies' table has each row twice: `0.01 ≤ σ < 0.05`, and 1 to 5 % of the loss. The two are one for a loss around 1;
for any other `Stability.relative_label` has the second.
"""


@dataclass(frozen=True)
class Stability(Determinable):
    """What `stability` found. Shows itself as a sentence, in a notebook as a table.

    Attributes:
        sigma: Standard deviation of the window; NaN where not defined or where a value of the window is not finite.
        mean: Mean of the window; NaN where `sigma` is.
        coefficient_of_variation: σ / |mean|, a fraction; NaN where the mean is 0 or `sigma` is NaN.
        label: `"Excellent"`, `"Good"`, `"Moderate"`, `"Poor"` or `"Very poor"`, by σ; None where not defined.
        window: How many values the window has.
        ddof: What was subtracted from `window` in the divisor.
        values: The values of the window, oldest first; fewer than `window` where not defined.
    """

    sigma: float
    mean: float
    coefficient_of_variation: float
    label: str | None
    window: int
    ddof: int
    values: tuple[float, ...]

    @property
    def reason(self) -> str:
        """In words, why σ is not defined; empty where the window was full."""
        return "" if self.label else f"{len(self.values)} of the {self.window} epochs that it needs"

    @property
    def finite(self) -> bool:
        """Whether every value of the window is a finite number."""
        return bool(np.isfinite(self.values).all())

    @property
    def poor(self) -> bool:
        """Whether the class is Poor or Very poor."""
        return self.label in ("Poor", "Very poor")

    @property
    def relative_label(self) -> str | None:
        """The same words by σ over the mean, which doesn't depend on the loss's scale: below 1, 5, 10 and 50 %.

        None where not defined: with too few values, and around a mean of 0.
        """
        if not self.determined or (self.finite and np.isnan(self.coefficient_of_variation)):
            return None
        return stability_class(self.coefficient_of_variation)

    @property
    def classes(self) -> str:
        """Both classes with the share that the second rests on; empty where not defined.

        >>> stability([0.010, 0.016] * 5).classes
        'Excellent; 24.3 % of the mean: Poor'
        """
        if not (self.label and self.relative_label):
            return self.label or ""
        if not self.finite:
            return self.label
        return f"{self.label}; {100 * self.coefficient_of_variation:.1f} % of the mean: {self.relative_label}"

    def _rows(self) -> list[tuple[str, str]]:
        return [
            ("σ", number(self.sigma)),
            ("class", self._if_determined(str(self.label))),
            ("coefficient of variation", number(self.coefficient_of_variation)),
            ("class by it", self.relative_label or "not defined"),
            ("mean", number(self.mean)),
            ("window", f"{self.window} epochs"),
        ]

    def __str__(self) -> str:
        if not self.determined:
            return f"σ not defined: {self.reason}"
        if not self.finite:
            broken = int(np.sum(~np.isfinite(self.values)))
            return f"σ not finite: {broken} of the last {self.window} values are NaN or infinite, so {self.label}"
        bounds = next(row.range for row in STABILITY_CLASSES if row.label == self.label)
        text = f"σ {self.sigma:.3g} over the last {self.window} epochs: {self.label} ({bounds})"
        if np.isfinite(self.coefficient_of_variation):
            text += f"; coefficient of variation {100 * self.coefficient_of_variation:.1f} %: {self.relative_label}"
        return text


def stability_class(sigma: float) -> str:
    """The word for a standard deviation of the loss.

    Excellent < 0.01 ≤ Good < 0.05 ≤ Moderate < 0.1 ≤ Poor < 0.5 ≤ Very poor.

    The bounds were set for the validation loss. Another value can be classed too, but the word then only says between
    which of the same numbers its scatter lies: read the class of the coefficient of variation beside it, which has the
    same bounds (`Stability.relative_label`).

    Args:
        sigma: A standard deviation, or a coefficient of variation, ≥ 0. NaN and infinity, the scatter of a loss that
            diverged, are Very poor.

    Returns:
        One of the five labels of `STABILITY_CLASSES`.

    Raises:
        ValueError: If `sigma` is negative.

    Example:
        >>> stability_class(0.03), stability_class(0.05)
        ('Good', 'Moderate')

    Reference:
        The table of the studies (docs/studies.md); an empirical convention, not a law.
    """
    if sigma < 0:
        raise ValueError(f"`sigma` is a standard deviation and must be 0 or more. Received: sigma={sigma}.")
    for row in STABILITY_CLASSES:
        if sigma < row.upper:
            return row.label
    return STABILITY_CLASSES[-1].label


def stability(values: ArrayLike | Curve, window: int = WINDOW, ddof: int = DDOF, partial: bool = False) -> Stability:
    """How much a logged value scattered over its last epochs.

    σ = sqrt(Σ (vᵢ − v̄)² / (window − ddof)) over the last `window` values; the coefficient of variation is σ / |v̄|.
    σ has the unit of the value, so that halving a loss halves it; the coefficient of variation has none.

    Args:
        values: Shape `(epochs,)`, oldest first: one value for each epoch in which the value was observed; or a
            `Curve` of `read_history`.
        window: How many values count, ≥ 2. 10 is what the studies used.
        ddof: 1 (default) is the sample standard deviation, the studies' formula; 0 the population's, which their code
            used (`numpy.std`) and which is smaller by a factor of sqrt(1 − 1/window).
        partial: Whether fewer values than `window` do, from two on, as in the studies' code: the window of the result
            is then as long as they are. Default False: σ of three epochs is that of a loss that still falls.

    Returns:
        A `Stability`. With fewer than `window` values it is not defined (σ is NaN, the label None), which is no
        error. A NaN or infinite value in the window makes σ NaN and the class Very poor: a loss that left the real
        numbers is not to be taken for a calm one.

    Raises:
        TypeError: If a whole history was passed.
        ValueError: If `values` isn't one-dimensional, `window` < 2 or `ddof` is neither 0 nor 1.

    Example:
        >>> print(stability([0.9, 0.30, 0.34, 0.32, 0.28], window=4))
        σ 0.0258 over the last 4 epochs: Good (0.01 ≤ σ < 0.05); coefficient of variation 8.3 %: Moderate
        >>> print(stability([0.5, 0.4]))
        σ not defined: 2 of the 10 epochs that it needs
        >>> print(stability([0.7, 0.4], ddof=0, partial=True))
        σ 0.15 over the last 2 epochs: Poor (0.1 ≤ σ < 0.5); coefficient of variation 27.3 %: Poor

    Reference:
        The studies (docs/studies.md); the coefficient of variation is Pearson's (1896).
    """
    last = _checked(values, window, ddof)[-window:]
    window, ddof = int(window), int(ddof)
    if partial:
        window = max(2, len(last))
    kept = tuple(map(float, last))
    nan = float("nan")
    if len(last) < window:
        return Stability(nan, nan, nan, None, window, ddof, kept)
    if not np.isfinite(last).all():
        return Stability(nan, nan, nan, stability_class(nan), window, ddof, kept)
    sigma, mean = float(_standard_deviation(last, ddof)), float(np.mean(last))
    variation = sigma / abs(mean) if mean else nan
    return Stability(sigma, mean, variation, stability_class(sigma), window, ddof, kept)


def sliding_stability(values: ArrayLike | Curve, window: int = WINDOW, ddof: int = DDOF) -> NDArray[np.float64]:
    """The σ of `stability` after each epoch, for the curve of a whole training.

    Args:
        values: Shape `(epochs,)`, oldest first; or a `Curve` of `read_history`.
        window: How many values count, ≥ 2.
        ddof: 1 or 0; see `stability`.

    Returns:
        Shape `(epochs,)`: element i is the standard deviation of values i − window + 1 … i; NaN until the window is
        full, and where it holds a value that is not finite.

    Raises:
        TypeError, ValueError: As `stability`.

    Example:
        >>> sliding_stability([1.0, 3.0, 3.0, 4.0], window=2).round(3).tolist()
        [nan, 1.414, 0.0, 0.707]
    """
    checked = _checked(values, window, ddof)
    result = np.full(checked.shape, np.nan)
    if len(checked) >= window:
        windows = np.lib.stride_tricks.sliding_window_view(checked, window)
        whole = np.isfinite(windows).all(axis=1)
        result[window - 1 :][whole] = _standard_deviation(windows[whole], ddof)
    return result


def _standard_deviation(values: NDArray[np.float64], ddof: int) -> NDArray[np.float64]:
    """`numpy.std` of the last axis, exactly 0 for values that are all the same: a rounded mean would leave 1e-17."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.std(values - values[..., :1], axis=-1, ddof=ddof)


def check_window(window: int, ddof: int) -> None:
    """Refuse a window that has no standard deviation.

    >>> check_window(1, 1)
    Traceback (most recent call last):
    ValueError: `window` must be a whole number of epochs, 2 or more. Received: window=1.
    """
    check_count("window", window, least=2)
    check_choice("ddof", ddof, [1, 0])


def _checked(values: ArrayLike | Curve, window: int, ddof: int) -> NDArray[np.float64]:
    check_window(window, ddof)
    return series(values).values
