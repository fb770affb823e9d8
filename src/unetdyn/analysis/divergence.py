"""Whether a training loss has left its past: levels that a slow divergence can't drag along."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from unetdyn._checks import check_count, check_positive
from unetdyn.analysis.robust import scaled_mad
from unetdyn.analysis.series import series

DEVIATIONS, DIVERGENCE_WINDOW = 10.0, 10
LEAST_PAST = 5
"""Fewer losses have no scatter to speak of."""
ROUNDING = 1e-6
"""Of the largest loss that was good: of a loss that has come down so far only rounding is left, which may double."""
LEAST_DEVIATION = 0.05
"""Of the level: with ten deviations, a loss that is less than half above its level has never diverged, however calm."""
EARLY_DEVIATION = 0.2
"""The same where there is no past yet: with ten deviations, three times the level. One batch is no sure level."""


@dataclass(frozen=True)
class DivergenceLimits:
    """From where on a loss is suspicious, and has diverged.

    Attributes:
        level: What the loss has come down to; NaN where nothing is known of its past.
        deviation: A robust standard deviation about it, or the least that counts as one; NaN where nothing is known.
        suspicious: Above it a state is not worth coming back to; infinite where nothing is known.
        diverged: Above it the loss has diverged; infinite where nothing is known.
    """

    level: float
    deviation: float
    suspicious: float
    diverged: float

    def judge(self, loss: float) -> str:
        """`"good"`, `"suspicious"` or `"diverged"`; what is not finite has diverged.

        >>> limits = divergence_limits([1.0, 0.9, 1.1, 1.0, 1.0])
        >>> [limits.judge(loss) for loss in (1.2, 1.4, 1.6, float("nan"))]
        ['good', 'suspicious', 'diverged', 'diverged']
        """
        if not np.isfinite(loss) or loss > self.diverged:
            return "diverged"
        return "suspicious" if loss > self.suspicious else "good"


def divergence_limits(
    past: ArrayLike, untrained: float | None = None, k: float = DEVIATIONS, window: int = DIVERGENCE_WINDOW
) -> DivergenceLimits:
    """Limits of the next loss, from those of the epochs that were good.

    The level is the lowest median of any `window` losses in a row, the deviation 1.4826 · MAD of the same losses, where
    MAD is the median of |loss − level| and 1.4826 makes it the standard deviation of normal ones (Hampel 1974). A loss
    has diverged above level + k · deviation, and is suspicious above level + k/2 · deviation. Since the level never
    rises, a loss that creeps up is noticed once it is that far above the best that it has held; limits about its latest
    losses would creep with it. The deviation is at least a twentieth of the level: on a plateau, where it goes to 0,
    any epoch would lie many deviations above; and a
    millionth of the largest loss, which is rounding.

    With fewer than five good losses there is no scatter. Then the level is the lowest of them and of the loss before
    training, and the deviation a fifth of it.

    Args:
        past: Shape `(n,)`, oldest first: the losses of good epochs; those that were not good must be left out. What is
            not finite is left out too.
        untrained: The loss before training, such as that of the first batch; None (default) where unknown.
        k: How many robust deviations, > 0. Default 10: of normal losses one in 10²³ lies above, and single wild
            epochs of a training that goes well lie below; a divergence goes on.
        window: How many losses make a level, ≥ 5. Default 10, the studies' window of the stability.

    Returns:
        `DivergenceLimits`.

    Raises:
        ValueError: If `k` or `window` is out of its range.

    Example:
        >>> divergence_limits([9.0, 5.0, 4.25, 4.0, 4.0, 4.0, 3.75], window=5)
        DivergenceLimits(level=4.0, deviation=0.2, suspicious=5.0, diverged=6.0)

    Reference:
        Hampel, The influence curve and its role in robust estimation (1974), for median and MAD. The limits: rules of
        thumb.
    """
    check_positive("k", k)
    check_count("window", window, LEAST_PAST)
    values = series(past).values
    values = values[np.isfinite(values)]
    nan, inf = float("nan"), float("inf")
    known = [*values, *([] if untrained is None or not np.isfinite(untrained) else [untrained])]
    if not any(known):
        return DivergenceLimits(nan, nan, inf, inf)
    level, scatter, share = float(min(known)), 0.0, EARLY_DEVIATION
    if len(values) >= LEAST_PAST:
        windows = sliding_window_view(values, min(window, len(values)))
        medians = np.median(windows, axis=1)
        lowest = len(medians) - 1 - int(np.argmin(medians[::-1]))  # of equals the latest
        level, scatter, share = float(medians[lowest]), float(scaled_mad(windows[lowest])[0]), LEAST_DEVIATION
    deviation = max(scatter, share * abs(level), ROUNDING * float(np.abs(known).max()))
    return DivergenceLimits(level, deviation, level + k / 2 * deviation, level + k * deviation)
