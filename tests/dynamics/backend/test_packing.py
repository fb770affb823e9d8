"""Where arrays lie in blocks: compared with the bytes themselves, and with what first fit decreasing does by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unetdyn.dynamics.backend.packing import ALIGNMENT, BLOCK, packed

SIZES = st.lists(st.integers(0, 5000), max_size=40)


@given(SIZES, st.sampled_from([64, 256, 1024, 4096]))
def test_arrays_lie_apart_aligned_within_blocks_that_are_powers_of_two(sizes, block):
    blocks, places = packed(sizes, block)
    memory = [np.zeros(size, dtype="int8") for size in blocks]
    assert len(places) == len(sizes)
    for size, (number, first) in zip(sizes, places, strict=True):
        assert first % ALIGNMENT == 0
        assert first + size <= blocks[number]
        memory[number][first : first + size] += 1
    assert all(part.max() <= 1 for part in memory)
    assert sum(int(part.sum()) for part in memory) == sum(sizes)
    assert all(size & (size - 1) == 0 for size in blocks)
    assert all(size <= max(block, 2 * max(sizes)) for size in blocks)


@given(SIZES, st.sampled_from([64, 256, 1024, 4096]))
def test_less_than_half_is_left_empty_and_no_two_blocks_could_be_one(sizes, block):
    blocks, places = packed(sizes, block)
    used = [0] * len(blocks)
    for size, (number, _) in zip(sizes, places, strict=True):
        used[number] += -(-size // ALIGNMENT) * ALIGNMENT
    # the arrays that are all empty have a byte
    assert all(whole < 2 * filled or (whole == 1 and not filled) for whole, filled in zip(blocks, used, strict=True))
    assert all(one + other > block for place, one in enumerate(used) for other in used[:place])


@given(st.lists(st.integers(1, 20), max_size=25))
def test_places_are_those_of_first_fit_decreasing(lines):
    """By hand, in units of `ALIGNMENT`."""
    left: list[int] = []
    expected = {}
    for number in sorted(range(len(lines)), key=lambda number: (-lines[number], number)):
        block = min((block for block, free in enumerate(left) if free >= lines[number]), default=len(left))
        left += [16 if lines[number] <= 16 else 32] * (block == len(left))
        expected[number] = block
        left[block] -= lines[number]
    _, places = packed([ALIGNMENT * size for size in lines], 16 * ALIGNMENT)
    assert {number: block for number, (block, _) in enumerate(places)} == expected


def test_the_state_of_a_large_unet_takes_six_blocks():
    """Kernels of 3 x 3 and 2 x 2 of a U-Net of 64 filters and depth 4, with a bias each, and two slots for each."""
    wide = [64, 128, 256, 512, 1024]
    kernels = [(9, 1, 64), *((9, one, 2 * one) for one in wide[:-1]), *((9, one, one) for one in wide)]
    kernels += [(4, one, one // 2) for one in wide[1:]] + [(9, one, one // 2) for one in wide[1:]]
    kernels += [(9, one, one) for one in wide[:-1]] + [(1, 64, 1)]
    sizes = [4 * int(np.prod(shape)) for shape in [*kernels, *((out,) for *_, out in kernels)] * 3]
    blocks, _ = packed(sizes)
    assert 370e6 < sum(sizes) < 375e6
    assert blocks == [BLOCK] * 6
    assert sum(blocks) < 1.1 * sum(sizes)


@pytest.mark.parametrize(
    ("sizes", "blocks"),
    [([], []), ([0, 0], [1]), ([1], [64]), ([65], [128]), ([BLOCK + 1], [2 * BLOCK]), ([BLOCK + 1, 7], [2 * BLOCK])],
    ids=str,
)
def test_blocks_of_few_arrays(sizes, blocks):
    assert packed(sizes).blocks == blocks
