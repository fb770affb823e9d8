"""How the gradient's size runs through the network, from the first encoder over the bottleneck to the head."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unetdyn.analysis.robust import finite_median


@dataclass(frozen=True)
class Profile:
    """Median gradient norm of each block.

    Attributes:
        norms: block name → median norm, in the order of the network; NaN where no step was finite.
        ratio: the first encoder's over the bottleneck's; NaN where the model has no such blocks.
    """

    norms: dict[str, float]
    ratio: float


def profile(block_norms: Mapping[str, ArrayLike], last: int | None = None) -> Profile:
    """The profile of a record's `block_grad_norm`.

    A ratio far from one says that one end of the encoder learns while the other hardly does; but wider blocks have
    larger norms, and a network at its start another profile than at its end: compare with the same network's own.

    Args:
        block_norms: block name → `(steps,)` norms.
        last: how many of the last steps count; default all.

    Returns:
        A `Profile`.

    Raises:
        ValueError: if `last` isn't positive.

    Example:
        >>> profile({"enc1": [3.0, 2.0, 1.0], "bottleneck": [4.0, 4.0, 5.0], "head": [1.0, 1.0, 1.0]}, last=2)
        Profile(norms={'enc1': 1.5, 'bottleneck': 4.5, 'head': 1.0}, ratio=0.3333333333333333)
    """
    if last is not None and last < 1:
        raise ValueError(f"`last` must be a positive number of steps, or None for all. Received: last={last}.")
    norms = {name: finite_median(_tail(values, last)) for name, values in block_norms.items()}
    bottleneck = norms.get("bottleneck", 0.0)
    return Profile(norms, norms.get("enc1", float("nan")) / bottleneck if bottleneck else float("nan"))


def _tail(values: ArrayLike, last: int | None) -> NDArray:
    return np.asarray(values)[-last if last else 0 :]
