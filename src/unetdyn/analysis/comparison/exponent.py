"""How the scatter of the loss grows with the learning rate: σ ∝ α^β."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from unetdyn._checks import check_fraction
from unetdyn.analysis.result import Determinable, interval, number


@dataclass(frozen=True)
class StabilityExponent(Determinable):
    """What `stability_exponent` found.

    Attributes:
        exponent: β; NaN where not defined.
        low: Lower end of its interval; NaN where not defined.
        high: Upper end.
        constant: σ at a learning rate of 1, as the line has it; NaN where not defined.
        r_squared: The share of the variance of log σ that the line explains; NaN where not defined.
        runs: How many runs it is from.
        left_out: How many had a rate or a σ that is 0, negative or not finite.
        confidence: Of the interval.
        reason: In words, why the exponent or its interval is not defined; empty where both are.
    """

    exponent: float
    low: float
    high: float
    constant: float
    r_squared: float
    runs: int
    left_out: int
    confidence: float
    reason: str = ""

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("exponent β in σ ∝ α^β", number(self.exponent))]
        ends = self._if_determined(interval(self.low, self.high))
        rows.append((f"{100 * self.confidence:g} % interval", ends))
        if not np.isnan(self.exponent):
            rows.append(("a rate ten times higher", f"σ × {number(float(10.0**self.exponent))}"))
            rows.append(("R²", number(self.r_squared)))
        rows.append(("from", f"{self.runs} runs" + (f", {self.left_out} left out" if self.left_out else "")))
        return rows


def stability_exponent(learning_rates: ArrayLike, sigmas: ArrayLike, confidence: float = 0.95) -> StabilityExponent:
    """The exponent β of σ = c · α^β, with its interval.

    Least squares of log σ = log c + β log α, with Student's t interval for β. It supposes independent runs that scatter
    by the same factor at every rate. To compare with: at small rates plain SGD in a quadratic bowl has stationary noise
    with Var(w) ∝ α. So σ of the weights has β = 0.5, and σ of the loss, which is quadratic in them, β = 1.

    Args:
        learning_rates: `(runs,)`, > 0: the rate α of each run.
        sigmas: `(runs,)`, > 0: σ of its loss, such as `RunSummary.stability`.
        confidence: Of the interval, between 0 and 1.

    Returns:
        A `StabilityExponent`. Runs whose rate or σ is 0, negative or not finite are left out, and counted. With fewer
        than two different rates β is not defined; with fewer than three runs, or one σ in all, its interval isn't.

    Raises:
        ValueError: If the two are not one-dimensional and of one length, or `confidence` is not between 0 and 1.

    Example:
        >>> print(stability_exponent([1e-4, 1e-3, 1e-2, 1e-1], [0.001, 0.0033, 0.0095, 0.031]))
        exponent β in σ ∝ α^β    0.493
        95 % interval            0.459 to 0.528
        a rate ten times higher  σ × 3.11
        R²                       0.999
        from                     4 runs

    Reference:
        The studies (docs/studies.md) state σ ∝ α^β with β from 0.5 to 1.5. For SGD in a quadratic bowl: Mandt, Hoffman
        and Blei, Stochastic Gradient Descent as Approximate Bayesian Inference (2017).
    """
    rates, scatter = np.asarray(learning_rates, dtype=np.float64), np.asarray(sigmas, dtype=np.float64)
    if rates.ndim != 1 or rates.shape != scatter.shape:
        raise ValueError(
            "`learning_rates` and `sigmas` must have one value a run, both of shape (runs,). "
            f"Received: shapes {rates.shape} and {scatter.shape}."
        )
    check_fraction("confidence", confidence)
    sound = np.isfinite(rates) & np.isfinite(scatter) & (rates > 0) & (scatter > 0)
    x, y, nan = np.log10(rates[sound]), np.log10(scatter[sound]), float("nan")
    runs, left_out = len(x), int(np.sum(~sound))
    if runs < 2 or np.ptp(x) == 0:
        reason = "it needs runs with two different learning rates at least"
        return StabilityExponent(nan, nan, nan, nan, nan, runs, left_out, confidence, reason)
    line = stats.linregress(x, y)
    slope, constant, explained = float(line.slope), float(10.0**line.intercept), float(line.rvalue**2)
    if runs < 3 or np.ptp(y) == 0:
        reason = "two runs always lie on a line: an interval needs three" if runs < 3 else "σ is the same in every run"
        return StabilityExponent(slope, nan, nan, constant, explained, runs, left_out, confidence, reason)
    half = float(stats.t.isf((1 - confidence) / 2, runs - 2)) * float(line.stderr)
    return StabilityExponent(slope, slope - half, slope + half, constant, explained, runs, left_out, confidence)
