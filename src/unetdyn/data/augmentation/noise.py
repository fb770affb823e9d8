"""Normal noise that is a function of a key and a pixel's number: the same on every backend and device."""

from __future__ import annotations

import math
from typing import Any

from keras import ops

Tensor = Any


def standard_normal(shape: tuple[int, ...], keys: Tensor) -> Tensor:
    """Numbers from N(0, 1), a function of the key of an image and the place in it.

    The generators of the backends differ from one another, and PyTorch's from device to device. A place's number is
    mixed with one half of the key and then with the other by a hash of 32 bits, whose upper 24 say which part of the
    normal distribution is taken. They are equal everywhere; the normal numbers are so to 0.001, and most to 0.00001.
    None is further than 5.5 from 0. Two images with equal second halves of their keys may have the same numbers in
    another order.

    Args:
        shape: `(batch, height, width, channels)`, with less than 2³¹ numbers in an image.
        keys: Int32, `(batch, 2)`.

    Returns:
        Float32 of that shape.

    Example:
        >>> import numpy as np
        >>> keys = np.array([[1, 2], [1, 2], [1, 3]], "int32")
        >>> noise = ops.convert_to_numpy(standard_normal((3, 2, 2, 1), keys))
        >>> bool((noise[0] == noise[1]).all()), bool((noise[0] == noise[2]).any())
        (True, False)
    """
    places = ops.reshape(ops.arange(math.prod(shape[1:]), dtype="int32"), (1, *shape[1:]))
    keys = ops.convert_to_tensor(keys)
    first, second = (keys[:, half][:, None, None, None] for half in (0, 1))
    bits = mixed(ops.bitwise_xor(mixed(ops.bitwise_xor(places, first)), second))
    odd = 2 * _shifted(bits, 8) - (2**24 - 1)
    return math.sqrt(2) * ops.erfinv(ops.cast(odd, "float32") * 2.0**-24)


def mixed(bits: Tensor) -> Tensor:
    """A permutation of the 32-bit numbers, in which each bit of the result depends on all bits.

    Products wrap around in int32 as in uint32. Source: C. Wellons, "Prospecting for hash functions", 2018
    (`lowbias32`).

    Example:
        >>> int(mixed(ops.convert_to_tensor(1, "int32"))), int(mixed(ops.convert_to_tensor(2, "int32")))
        (1753845952, -787275391)
    """
    bits = ops.bitwise_xor(bits, _shifted(bits, 16)) * 0x7FEB352D
    bits = ops.bitwise_xor(bits, _shifted(bits, 15)) * (0x846CA68B - 2**32)
    return ops.bitwise_xor(bits, _shifted(bits, 16))


def _shifted(bits: Tensor, by: int) -> Tensor:
    """Shifted to the right with zeros following, whatever the sign."""
    return ops.bitwise_and(ops.right_shift(bits, by), (1 << (32 - by)) - 1)
