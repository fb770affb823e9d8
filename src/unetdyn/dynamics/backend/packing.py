"""Where arrays lie in few blocks of memory, for an allocator that makes a power of two of whatever it is asked for."""

from collections.abc import Sequence
from typing import NamedTuple

BLOCK = 2**26
"""Bytes of a block: some six for the whole state of a training of 31 M parameters."""

ALIGNMENT = 64
"""Bytes: of a line of a processor's cache, and a multiple of what any dtype needs."""


class Packing(NamedTuple):
    """Blocks, and where the arrays are in them.

    Attributes:
        blocks: Bytes of each block, powers of two.
        places: For each array its block, and its first byte there, a multiple of `ALIGNMENT`.
    """

    blocks: list[int]
    places: list[tuple[int, int]]


def packed(sizes: Sequence[int], block: int = BLOCK) -> Packing:
    """Put arrays one behind another, the largest first, each into the first block with room for it.

    An array that is larger than a block has one of its own size, rounded up to a power of two; what is left of it takes
    others. Each block ends at the power of two that its arrays need, so that less than half of all is left empty.

    Args:
        sizes: Bytes of each array, 0 or more.
        block: Bytes of a block, a power of two.

    Example:
        >>> packed([100, 1000, 24], block=1024)
        Packing(blocks=[1024, 256], places=[(1, 0), (0, 0), (1, 128)])

    Reference:
        First fit decreasing: Johnson, Near-optimal bin packing algorithms (1973).
    """
    room: list[int] = []
    used: list[int] = []
    places = [(0, 0)] * len(sizes)
    for array in sorted(range(len(sizes)), key=lambda place: -sizes[place]):
        whole = -(-sizes[array] // ALIGNMENT) * ALIGNMENT
        fitting = (number for number, size in enumerate(room) if used[number] + whole <= size)
        number = next(fitting, len(room))
        if number == len(room):
            room.append(max(block, _power_of_two(whole)))
            used.append(0)
        places[array] = (number, used[number])
        used[number] += whole
    return Packing([_power_of_two(size) for size in used], places)


def _power_of_two(size: int) -> int:
    """The least that is not smaller."""
    return 1 << max(size - 1, 0).bit_length()
