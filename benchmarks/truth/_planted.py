"""What the planted truths share: correlated noise, and a rate with its standard error."""

from collections.abc import Sequence

import numpy as np
from scipy.signal import lfilter


def ar1(rng: np.random.Generator, epochs: int, phi: float) -> np.ndarray:
    """First-order autoregressive noise of variance one."""
    warm_up = 200
    drawn = lfilter([1], [1, -phi], rng.standard_normal(epochs + warm_up))[warm_up:]
    return drawn * np.sqrt(1 - phi**2)


def share(hits: Sequence[bool]) -> str:
    """A rate in per cent with its binomial standard error."""
    rate = float(np.mean(hits))
    return f"{100 * rate:.1f} ± {100 * np.sqrt(rate * (1 - rate) / len(hits)):.1f} %"
