import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.data.lazy import LazyArray

ARRAY = np.arange(5 * 6 * 7 * 2, dtype="uint16").reshape(5, 6, 7, 2)


class Counted:
    """An array that counts what is read of it."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.read = array, array.shape, array.dtype, 0

    def __getitem__(self, key):
        self.read += self.array[key].size
        return self.array[key]


slices = st.builds(slice, st.one_of(st.none(), st.integers(-8, 8)), st.one_of(st.none(), st.integers(-8, 8)))
firsts = st.one_of(st.integers(-5, 4), slices, st.lists(st.integers(-5, 4), max_size=6))


@given(firsts, slices, slices)
@settings(deadline=None, max_examples=60)
def test_lazy_array_is_indexed_as_numpy_does(first, rows, cols):
    for lazy in (LazyArray.of(ARRAY), LazyArray.joined([LazyArray.of(ARRAY[:2]), LazyArray.of(ARRAY[2:])])):
        first = np.asarray(first, dtype=int) if isinstance(first, list) else first
        np.testing.assert_array_equal(lazy[first, rows, cols], ARRAY[first, rows, cols])
        np.testing.assert_array_equal(lazy[first], ARRAY[first])


def test_lazy_array_reads_no_more_than_is_asked_for():
    counted = Counted(ARRAY)
    lazy = LazyArray.of(counted).take([4, 0, 1])
    assert counted.read == 0
    np.testing.assert_array_equal(lazy[1:, 2:4, 3:6], ARRAY[[0, 1], 2:4, 3:6])
    assert counted.read == 2 * 2 * 3 * 2


def test_lazy_array_reads_neighbours_at_once():
    asked = []
    lazy = LazyArray(
        ARRAY.shape, "uint16", lambda start, stop, window: asked.append((start, stop)) or ARRAY[start:stop]
    )
    lazy.take([1, 2, 3, 0])[:]
    assert asked == [(1, 4), (0, 1)]


def test_lazy_array_maps_shrinks_and_cuts():
    lazy = LazyArray.of(ARRAY[:, :, :6])
    expected = ARRAY[:, :, :6]
    doubled = lazy.map(lambda index, part: part[..., :1] * 2.0 + index, np.float64, 1)
    np.testing.assert_array_equal(doubled[3, 1:4], expected[3, 1:4, :, :1] * 2.0 + 3)
    small = lazy.shrunk(3, lambda sections: sections[:, ::3, ::3])
    assert small.shape == (5, 2, 2, 2)
    np.testing.assert_array_equal(small[2:4, 1:], expected[2:4, 3::3, ::3])
    both = lazy.shrunk(3, lambda sections, others: (sections * others)[:, ::3, ::3], [LazyArray.of(expected + 1)])
    np.testing.assert_array_equal(both[2:4, 1:], (expected * (expected + 1))[2:4, 3::3, ::3])
    flat = lazy.cut(np.array([[4, 0, 1], [2, 3, 2]]), (2, 3))
    np.testing.assert_array_equal(flat[1], expected[2, 3:5, 2:5])
    deep = lazy.cut(np.array([[3, 0, 1], [1, 3, 2]]), (2, 2, 3))
    np.testing.assert_array_equal(deep[[1, 0]], [expected[1:3, 3:5, 2:5], expected[3:5, 0:2, 1:4]])
    np.testing.assert_array_equal(deep[1, 1:, :, 2:], expected[2:3, 3:5, 4:5])


def test_lazy_array_tells_its_form_and_its_largest_value():
    lazy = LazyArray.of(ARRAY)
    assert (lazy.ndim, len(lazy), lazy.min(), lazy.max()) == (4, 5, 0, ARRAY.max())
    counted = Counted(ARRAY)
    assert [LazyArray.of(counted).max(), counted.read] == [ARRAY.max(), ARRAY.size]
    lazy = LazyArray.of(counted)
    assert (lazy.min(), lazy.max(), lazy.take([1]).max(), counted.read) == (
        0,
        ARRAY.max(),
        ARRAY[1].max(),
        2 * ARRAY.size,
    )
    known = LazyArray(ARRAY.shape, "uint16", lazy.read, np.array([[index, index + 9] for index in range(5)]))
    assert (known.take([3, 1]).min(), known.take([3, 1]).max()) == (1, 12)
    assert repr(lazy) == "LazyArray(shape=(5, 6, 7, 2), dtype=uint16)"
    assert LazyArray.of(lazy) is lazy
    np.testing.assert_array_equal(list(lazy), ARRAY)


def test_lazy_array_does_not_become_an_array_by_itself():
    with pytest.raises(TypeError, match=r"These 5 sections stay on disk .*`sections\[:\]`"):
        np.asarray(LazyArray.of(ARRAY))


@pytest.mark.parametrize("key", [(0, slice(0, 4, 2)), (0, 1), (0, slice(None), slice(None), slice(None)), (0, [1, 2])])
def test_lazy_array_refuses_what_it_cannot_read_as_one_part(key):
    with pytest.raises(IndexError, match=r"by at most 2 slices without a step\. Received: .*Read the section first"):
        LazyArray.of(ARRAY)[key]
    with pytest.raises(IndexError):
        LazyArray.of(ARRAY)[5]
