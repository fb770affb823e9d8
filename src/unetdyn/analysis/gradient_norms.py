"""What a record of gradient norms tells: steps that are spikes, and the profile through the network."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetdyn._checks import check_count, check_positive
from unetdyn.analysis.robust import MAD_TO_SIGMA, finite_median, finite_medians

SPIKE_FACTOR = 6.0
SPIKE_WINDOW = 100

_LEAST_RISE = 2.0  # in a nearly noiseless history six robust standard deviations would be a few per cent


def spikes(
    norms: ArrayLike, factor: float = SPIKE_FACTOR, window: int = SPIKE_WINDOW, since: int = 0
) -> NDArray[np.bool_]:
    """Which norms are far above the running median of those before.

    Step t is a spike where log nₜ − m > factor · s and nₜ > 2 exp(m), with m the median of the logarithms of the last
    `window` norms before t, and s = 1.4826 · median |log n − m| over the same steps, the standard deviation of a normal
    variable. Both bear outliers: a spike does not hide the next. Norms vary by factors and not by differences, hence
    the logarithm. A quarter of the window must have been seen first. Norms that are zero, infinite or NaN are no
    spikes, and are left out of the window.

    Args:
        norms: `(steps,)` in order, ≥ 0.
        factor: How many robust standard deviations are too many, > 0. Default 6: no false alarm in half a million steps
            of normal noise, 8 in 10,000 with the heavy tails of Student's t with 5 degrees of freedom; where norms vary
            by 30 %, nine in ten of the steps with ten times the usual norm are found.
        window: How many steps are usual, ≥ 4. Default 100: long enough for a scale to within 10 %, short enough to
            follow a learning-rate schedule.
        since: The first step that is looked at; those before it only say what is usual. Default 0.

    Returns:
        `(steps − since,)` bool.

    Raises:
        ValueError: If `factor` or `window` is out of range.

    Example:
        >>> norms = np.exp(0.1 * np.sin(np.arange(60.0)))
        >>> norms[50] *= 20
        >>> np.flatnonzero(spikes(norms))
        array([50])

    Reference:
        Median absolute deviation as a scale: Hampel, The influence curve and its role in robust estimation (1974).
    """
    check_spike(factor, window)
    norms = np.asarray(norms, dtype=np.float64)
    found = np.zeros(len(norms), dtype=bool)
    usable = np.flatnonzero(np.isfinite(norms) & (norms > 0))
    first = max(window // 4, 1, int(np.searchsorted(usable, since)))
    if len(usable) <= first:
        return found[since:]
    logs = np.log(norms[usable])
    padded = np.concatenate([np.full(window, np.nan), logs[:-1]])
    past = np.lib.stride_tricks.sliding_window_view(padded, window)[first:]
    centre = finite_medians(past)
    scale = MAD_TO_SIGMA * finite_medians(np.abs(past - centre[:, None]))
    found[usable[first:]] = logs[first:] - centre > np.maximum(factor * scale, np.log(_LEAST_RISE))
    return found[since:]


def check_spike(factor: float, window: int) -> None:
    """Refuse a factor or a window that means nothing."""
    check_positive("spike", factor)
    check_count("window", window, least=4, unit="steps")


@dataclass(frozen=True)
class Profile:
    """Median gradient norm of each block.

    Attributes:
        norms: Block name → median norm, in the order of the network; NaN where no step was finite.
        ratio: The first encoder's over the bottleneck's; NaN where the model has no such blocks.
    """

    norms: dict[str, float]
    ratio: float


def profile(block_norms: Mapping[str, ArrayLike], last: int | None = None) -> Profile:
    """How the gradient's size runs through the network, from a record's `block_grad_norm`.

    A ratio far from one says that one end of the encoder learns while the other hardly does; but wider blocks have
    larger norms, and a network at its start another profile than at its end: compare with the same network's own.

    Args:
        block_norms: Block name → `(steps,)` norms.
        last: How many of the last steps count; default all.

    Returns:
        A `Profile`.

    Raises:
        ValueError: If `last` isn't positive.

    Example:
        >>> profile({"enc1": [3.0, 2.0, 1.0], "bottleneck": [4.0, 4.0, 5.0], "head": [1.0, 1.0, 1.0]}, last=2)
        Profile(norms={'enc1': 1.5, 'bottleneck': 4.5, 'head': 1.0}, ratio=0.3333333333333333)
    """
    if last is not None:
        check_count("last", last, least=1, unit="steps", otherwise="or None for all")
    norms = {name: finite_median(np.asarray(values)[-last if last else 0 :]) for name, values in block_norms.items()}
    bottleneck = norms.get("bottleneck", 0.0)
    return Profile(norms, norms.get("enc1", float("nan")) / bottleneck if bottleneck else float("nan"))
