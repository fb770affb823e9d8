"""Noise whose correlation is known."""

import numpy as np
from scipy.signal import lfilter


def ar1(rng, shape, phi):
    """First-order autoregressive noise of variance one, along the last axis."""
    *draws, count = np.atleast_1d(shape)
    innovations = rng.standard_normal((*draws, count + 100))
    return lfilter([1], [1, -phi], innovations, axis=-1)[..., 100:] * np.sqrt(1 - phi**2)
