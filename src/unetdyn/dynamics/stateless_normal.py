"""Normal random numbers that are a function of a seed and a step: nothing is kept, and nothing else is drawn."""

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


def standard_normal(count: int, word: int, step: Tensor) -> Tensor:
    """Independent numbers from N(0, 1), other ones at each step. Also inside a compiled step.

    Args:
        count: How many.
        word: From `word_of`.
        step: Integer scalar.

    Returns:
        A float32 tensor of shape `(count,)`.

    Example:
        >>> first, second = (standard_normal(2, word_of(0), ops.array(3)) for _ in range(2))
        >>> bool(ops.all(first == second))
        True
    """
    dtype = random_seed_dtype()
    key = ops.stack([ops.cast(word, dtype), ops.cast(step, dtype)])
    return keras.random.normal((count,), dtype="float32", seed=_Key(key))


class _Key(keras.random.SeedGenerator):
    """What stands where Keras draws the key of its next numbers; it has no state, so that it can be made in a step."""

    def __init__(self, key: Tensor) -> None:
        self._key = key

    def next(self, ordered: bool = True) -> Tensor:
        del ordered
        return self._key
