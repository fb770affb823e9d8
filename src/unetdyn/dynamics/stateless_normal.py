"""Normal random numbers that are a function of a seed, a step and a place: nothing is kept, nothing else is drawn."""

from typing import Any

import keras
import numpy as np
from keras import ops

# There is no public way to ask: JAX wants unsigned numbers for a key, TensorFlow and PyTorch signed ones.
from keras.src.backend import random_seed_dtype

Tensor = Any


def word_of(seed: int) -> int:
    """A seed's 31 bits, so mixed that the streams of neighbouring seeds lie far apart.

    PyTorch adds the two numbers of a key, and would give seed 1 the numbers that seed 0 has one step later.

    Args:
        seed: Whole number ≥ 0.

    Example:
        >>> word_of(0), word_of(1)
        (821328062, 1835504127)
    """
    return int(np.random.SeedSequence(seed).generate_state(1)[0]) & 0x7FFFFFFF


def standard_normal(shape: tuple[int, ...], word: int, step: Tensor, places: int, place: int) -> Tensor:
    """Independent numbers from N(0, 1), which differ for each step and place. Also inside a compiled step.

    Args:
        shape: Of the numbers.
        word: From `word_of`.
        step: Integer scalar; with `places` it counts to 2³¹ before it repeats.
        places: How many tensors of numbers there are in a step.
        place: Which of them this is, from 0.

    Returns:
        A float32 tensor.

    Example:
        >>> first = standard_normal((2,), word_of(0), ops.array(3), places=2, place=1)
        >>> second = standard_normal((2,), word_of(0), ops.array(3), places=2, place=1)
        >>> bool(ops.all(first == second))
        True
    """
    dtype = random_seed_dtype()
    count = ops.cast(step, dtype) * places + place
    key = ops.stack([ops.cast(word, dtype), ops.cast(count, dtype)])
    return keras.random.normal(shape, dtype="float32", seed=_Key(key))


class _Key(keras.random.SeedGenerator):
    """What stands where Keras draws the key of its next numbers; it has no state, so that it can be made in a step."""

    def __init__(self, key: Tensor) -> None:
        self._key = key

    def next(self, ordered: bool = True) -> Tensor:
        del ordered
        return self._key
