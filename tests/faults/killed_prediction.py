"""A prediction that is killed: of a function, so that nothing is compiled, and every moment is one of writing."""

import time
from pathlib import Path

import numpy as np
from scipy.ndimage import uniform_filter

from unetdyn.inference import predict_tiled

STACK = np.random.default_rng(0).random((8, 45, 30), dtype=np.float32)
PAUSE = 0.002
"""Seconds of each batch, of which there are 39."""


def smoothed(batch):
    time.sleep(PAUSE)
    return uniform_filter(batch, (0, 3, 3, 0))


def predict(out, tell):
    """Predict the stack into a file; a mark for each batch says how many tiles are behind it."""
    options = {"tile": 16, "overlap": 0.6, "batch_size": 5, "normalise": "none"}
    predict_tiled(smoothed, STACK, Path(out), **options, progress=lambda done, _: tell(f"tiles {done}"))
