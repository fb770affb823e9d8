"""Operations of a step, and what times of interleaved blocks say."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

TRAINING = 3
"""A training step is counted as three forward passes: of each convolution also the gradient of its input and that of
its kernel, of as many operations each. The first convolution needs no gradient of its input; it is counted."""


def forward_flops(model: Any, batch: int) -> int:
    """Multiplications and additions of a Keras model's convolutions in one forward pass; all else is left out.

    A kernel is applied once for each pixel that a convolution gives, or that a transposed one takes. Those of nearest
    upsampling followed by a convolution are counted as the network is written, whichever way they are computed.
    """
    total = 0
    for layer in model._flatten_layers(include_self=False):
        kernel = getattr(layer, "kernel", None)
        if kernel is None or len(kernel.shape) < 3:
            continue
        of = layer.input if "Transpose" in type(layer).__name__ else layer.output
        total += 2 * math.prod(kernel.shape) * math.prod(of.shape[1:-1])
    return batch * total


def share_of_ceiling(flops: int, milliseconds: float, ceiling: float) -> float:
    """Operations a second over those of a large matrix product, which `ceiling` has in TFLOP/s."""
    return flops / (milliseconds / 1e3) / (ceiling * 1e12)


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """Median, lower and upper quartile."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return float(middle), float(low), float(high)


def ratios(own: Sequence[float], other: Sequence[float]) -> tuple[float, float, float]:
    """How many times faster than `other`, repeat by repeat: median and quartiles."""
    return spread([b / a for a, b in zip(own, other, strict=True)])
