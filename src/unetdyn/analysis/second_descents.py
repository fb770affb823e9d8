"""Double descent: a loss that falls, rises and falls again, told apart from noise."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from unetdyn._checks import check_choice, check_fraction
from unetdyn.analysis.ar1 import autoregress, local_ar1
from unetdyn.analysis.result import Determinable, epoch, number
from unetdyn.analysis.series import Curve, series

ALPHA = 0.05
NEEDED = 30

_SHARE = 10  # the smoothing window is a tenth of the curve
_SHORTEST = 9  # and nine epochs at least: a median of nine does not see a rise of four
_START = 3  # values at the beginning, at least, have a median of their own
_LONGEST = 500  # longer curves are shortened by medians of blocks
_DRAWS = 399  # the p-value is 0.0025 at the least
_WARM_UP = 100  # epochs after which drawn noise is stationary: 0.95¹⁰⁰ is 0.006


@dataclass(frozen=True)
class DoubleDescent(Determinable):
    """What `double_descent` found.

    Attributes:
        p_value: How often noise alone makes a swing as large as `depth`; NaN where undetermined.
        alpha: The level of the test: the p-value below which it is called a double descent.
        depth: The smallest of first descent, rise and second descent; 0 where the curve never falls, rises and falls.
            It and the next two are read from the smoothed curve, whose turns are blunter.
        rise: From the first minimum up to the peak, in the unit of the values.
        second_descent: From the peak down to the second minimum.
        first_minimum: Its epoch, from 0, or None. It and the next two are middles of smoothing windows.
        peak: The epoch of the maximum between, or None.
        second_minimum: Its epoch, or None.
        second_is_lower: Whether the second minimum is below the first; None where there is none.
        smoothing: Length of the smoothing window in epochs.
        reason: In words, why it is undetermined; empty where it is not.
    """

    p_value: float
    alpha: float
    depth: float
    rise: float
    second_descent: float
    first_minimum: int | None
    peak: int | None
    second_minimum: int | None
    second_is_lower: bool | None
    smoothing: int
    reason: str = ""

    @property
    def found(self) -> bool:
        """Whether there is a double descent."""
        return self.p_value < self.alpha

    @property
    def verdict(self) -> str:
        """`"double descent"`, `"none found"` or `"undetermined"`."""
        if not self.determined:
            return "undetermined"
        return "double descent" if self.found else "none found"

    @property
    def evidence(self) -> str:
        """In words, what the verdict rests on; empty where undetermined."""
        if not self.determined:
            return ""
        swing = f"noise alone swings as far with p = {number(self.p_value)}"
        return swing if self.first_minimum is not None else "it never falls, rises and falls"

    def _answer(self) -> bool:
        return self.found

    def _rows(self) -> list[tuple[str, str]]:
        rows = [("verdict", self._if_determined(f"{self.verdict}: {self.evidence}"))]
        if self.first_minimum is None:
            return rows
        return [
            *rows,
            ("first minimum", f"epoch {epoch(self.first_minimum)}"),
            ("peak", f"epoch {epoch(self.peak)}, {number(self.rise)} above"),
            ("second minimum", f"epoch {epoch(self.second_minimum)}, {number(self.second_descent)} below the peak"),
            ("lower than the first", "yes" if self.second_is_lower else "no"),
            ("smoothed over", f"{self.smoothing} epochs"),
        ]


class _Turns(NamedTuple):
    """Depth, and the places of first minimum, peak and second minimum in a smoothed curve."""

    depth: float
    first: int
    peak: int
    second: int


def double_descent(
    values: ArrayLike | Curve,
    mode: Literal["min", "max"] = "min",
    alpha: float = ALPHA,
    epochs: ArrayLike | None = None,
    seed: int = 0,
) -> DoubleDescent:
    """Whether a curve falls, rises and falls again by more than its noise explains.

    The curve is smoothed by running medians over a tenth of its length, nine epochs at least. Its depth is the largest
    min(s_h − s_i, s_j − s_i, s_j − s_k) over h ≤ i < j ≤ k: first descent, rise, second descent. The p-value is how
    often the smoothed noise alone has a swing, from its smallest to its largest value, as large as that depth:
    (1 + count) / (1 + 399) over 399 drawn noises. The noise is first-order autoregressive, with the size and the
    correlation that this curve has around a parabola moved along it.

    A monotone or U-shaped curve has a rise or a later descent, not both; the other one must come from its noise. So its
    depth is no larger than the swing of the noise, and overfitting is not taken for double descent. The price: a double
    descent is found only where it is larger than the whole swing of the noise. A loss can also rise and fall between
    two drops of the learning rate: the test tells the shape, not its cause.

    The first quarter of a window, three values at least, has a median of its own, because a training falls fastest
    there. Every other median hides what lasts less than half of its window: four epochs in trainings of up to 90, a
    twentieth of the epochs in longer ones. So a blip of a few epochs, however high, is no double descent.

    Args:
        values: Shape `(epochs,)`, oldest first: a validation loss or error; or a `Curve` of `read_history`.
            NaN and infinity are left out.
        mode: `"min"` (default) for a loss or an error; `"max"` for a metric such as the Jaccard, which is turned over.
        alpha: The level of the test: the p-value below which it is called a double descent, between 0 and 1. Default
            0.05.
        epochs: Shape `(epochs,)`, the epoch of each value, from 0; default the curve's, or else 0, 1, 2, ...
        seed: Of the drawn noises.

    Returns:
        A `DoubleDescent`; undetermined with fewer than 30 finite values, which do not tell a curve from its noise.

    Raises:
        TypeError: If a whole history was passed.
        ValueError: If an argument is out of range.

    Example:
        >>> epoch = np.arange(200)
        >>> bump = 0.4 * np.exp(-(((epoch - 90) / 20) ** 2))
        >>> print(double_descent(0.3 + 0.7 * np.exp(-epoch / 15) + bump + 0.03 * np.sin(2.3 * epoch)))
        verdict               double descent: noise alone swings as far with p = 0.0025
        first minimum         epoch 50
        peak                  epoch 90, 0.331 above
        second minimum        epoch 180, 0.373 below the peak
        lower than the first  yes
        smoothed over         21 epochs

    Reference:
        Nakkiran et al., Deep double descent: where bigger models and more data hurt (2020), for the phenomenon over
        epochs.
    """
    check_choice("mode", mode, ["min", "max"])
    check_fraction("alpha", alpha)
    curve = _shortened(series(values, epochs))
    count = len(curve.values)
    if count < NEEDED:
        reason, nan = f"{count} of the {NEEDED} finite values that it needs", float("nan")
        return DoubleDescent(nan, alpha, nan, nan, nan, None, None, None, None, 0, reason)
    losses = curve.values if mode == "min" else -curve.values
    window = max(_SHORTEST, -(-count // _SHARE) | 1)
    smooth, middles = _smoothed(losses, window), _smoothed(curve.epochs.astype(float), window)
    turns = _turns(smooth)
    span = int(curve.epochs[window - 1] - curve.epochs[0]) + 1
    if not turns.depth > 0:
        return DoubleDescent(1.0, alpha, 0.0, 0.0, 0.0, None, None, None, None, span)
    drawn = _smoothed(_noises_like(losses, seed), window)
    p_value = float(1 + np.sum(np.ptp(drawn, axis=1) >= turns.depth)) / (1 + _DRAWS)
    low, high, last = (float(smooth[place]) for place in turns[1:])
    first_minimum, peak, second_minimum = (int(middles[place]) for place in turns[1:])
    return DoubleDescent(
        p_value=p_value,
        alpha=alpha,
        depth=turns.depth,
        rise=high - low,
        second_descent=high - last,
        first_minimum=first_minimum,
        peak=peak,
        second_minimum=second_minimum,
        second_is_lower=last < low,
        smoothing=span,
    )


def _shortened(curve: Curve) -> Curve:
    """The finite values, by medians of blocks where they are very many."""
    finite = np.isfinite(curve.values)
    epochs, values = curve.epochs[finite], curve.values[finite]
    block = -(-len(values) // _LONGEST)
    if block <= 1:
        return Curve(epochs, values)
    whole = len(values) // block * block  # from the end, where the second descent is
    epochs, values = epochs[-whole:].reshape(-1, block), values[-whole:].reshape(-1, block)
    return Curve(epochs[:, block // 2], np.median(values, axis=1))


def _noises_like(values: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """`(draws, n)`: noise of the size and the autocorrelation that the curve has, and nothing else."""
    noise = local_ar1(values)
    # Not `AR1.draw`: the same noise, but other random numbers, and p-values already given would change.
    innovations = np.random.default_rng(seed).standard_normal((_DRAWS, _WARM_UP + len(values)))
    return noise.sigma_innovation * autoregress(innovations.T, noise.phi)[_WARM_UP:].T


def _smoothed(values: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Running medians of the last axis, a quarter of a window apart, up to the last value: there the second descent is.

    The first quarter of a window, three values at least, has a median of its own: a training falls fastest there.
    """
    windows = sliding_window_view(values, window, axis=-1)
    step = window // 4
    start = np.median(values[..., : max(_START, step)], axis=-1, keepdims=True)
    medians = np.median(windows[..., (windows.shape[-2] - 1) % step :: step, :], axis=-1)
    return np.concatenate([start, medians], axis=-1)


def _turns(smooth: NDArray[np.float64]) -> _Turns:
    """Where the depth of the second descent is largest."""
    descent = np.maximum.accumulate(smooth) - smooth
    later = np.triu(np.ones((len(smooth), len(smooth)), dtype=bool), 1)
    rises = np.where(later, np.minimum(descent[:, None], smooth - smooth[:, None]), -np.inf)  # [minimum, peak]
    lowest_after = np.minimum.accumulate(smooth[::-1])[::-1]
    depths = np.minimum(rises.max(axis=0), smooth - lowest_after)
    peak = int(np.argmax(np.where(depths == depths.max(), smooth, -np.inf)))  # the first descent may limit many
    return _Turns(float(depths[peak]), int(np.argmax(rises[:, peak])), peak, peak + int(np.argmin(smooth[peak:])))
