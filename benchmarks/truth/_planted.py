"""What the planted truths share: correlated noise, and a rate with its standard error."""

from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter


def ar1(rng: np.random.Generator, shape: int | tuple[int, ...], phi: float, warm_up: int = 200) -> np.ndarray:
    """First-order autoregressive noise of variance one along the last axis, by SciPy and not by what is tested."""
    *draws, epochs = np.atleast_1d(shape)
    drawn = lfilter([1], [1, -phi], rng.standard_normal((*draws, epochs + warm_up)))[..., warm_up:]
    return drawn * np.sqrt(1 - phi**2)


def share(hits: Sequence[bool]) -> str:
    """A rate in per cent with its binomial standard error."""
    return share_of(int(np.sum(hits)), len(hits))


def share_of(count: int, draws: int) -> str:
    """The same from counts.

    >>> share_of(5, 100)
    '5.0 ± 2.2 %'
    """
    rate = count / draws
    return f"{100 * rate:.1f} ± {100 * np.sqrt(rate * (1 - rate) / draws):.1f} %"
