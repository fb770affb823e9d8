"""Trees of a training's state: whatever they hold comes back as it was, and anything else is refused by its place."""

import collections
import io
import json
import math
import struct

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unetdyn.runs.state_tree import decode, encode


def through_files(tree):
    """By way of JSON and an `.npz` file, as a state is kept."""
    value, arrays = encode(tree)
    file = io.BytesIO()
    np.savez(file, **arrays)
    with np.load(io.BytesIO(file.getvalue()), allow_pickle=False) as loaded:
        return decode(json.loads(json.dumps(value, allow_nan=False)), dict(loaded))


def same(one, other):
    """Of the same types, and equal to the last bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and not isinstance(one, np.generic):
        return struct.pack("d", one) == struct.pack("d", other)
    if isinstance(one, np.str_ | np.bytes_):
        return one == other
    if isinstance(one, np.ndarray | np.generic):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    return one == other


OWN = [np.dtype(getattr(ml_dtypes, name)) for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "int4")]
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?"),
    hnp.complex_number_dtypes(endianness="?"),
    hnp.unicode_string_dtypes(endianness="?"),
    hnp.byte_string_dtypes(),
)
ARRAYS = hnp.arrays(DTYPES, SHAPES) | st.builds(
    lambda dtype, bytes_: bytes_.astype(f"u{dtype.itemsize}").view(dtype),
    st.sampled_from(OWN),
    hnp.arrays(np.uint16, SHAPES, elements=st.integers(0, 15)),
)
SCALARS = hnp.from_dtype(np.dtype("f4")) | st.builds(lambda array: array[()], ARRAYS.filter(lambda a: a.ndim == 0))
TEXTS = st.text(st.characters(), max_size=4) | st.sampled_from(("$tuple", "$", "$x", "\ud800\udc00", "NaN"))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.binary(max_size=4), ARRAYS, SCALARS)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple) | st.dictionaries(TEXTS, inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(TREES)
def test_tree_comes_back_as_it_was(tree):
    assert same(through_files(tree), tree)


@pytest.mark.parametrize(
    "value",
    [
        -(2**64),
        2**53 + 1,
        -0.0,
        math.inf,
        struct.unpack(">d", bytes.fromhex("fff8000000000001"))[0],
        5e-324,
        "\udfff",
        {"$tuple": [1]},
        {"$a": 1, "b": {}},
        {"\ud800": ()},
        ((), [()], {}),
        b"\x00\xff",
        np.array(5, ml_dtypes.bfloat16),
        ml_dtypes.float8_e4m3fn(0.5),
        np.zeros((0, 3), ml_dtypes.float8_e5m2),
        np.zeros((2, 0), ">c8"),
        np.array(["é", ""], ">U3"),
        np.array(1, np.longdouble),
        np.str_("x"),
        np.bytes_(b"x"),
        np.True_,
        np.float16("nan"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_odd_value_comes_back_as_it_was(value):
    assert same(through_files({"a": [value]}), {"a": [value]})


def test_whole_number_of_more_digits_than_python_prints_comes_back():
    assert through_files(-(10**5000)) == -(10**5000)


def test_views_of_any_layout_come_back_with_their_values():
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4).astype(ml_dtypes.bfloat16)
    for view in (base.T, base[:, ::2], base[..., 1], np.asfortranarray(base), base[::-1]):
        assert same(through_files(view), view)


def test_arrays_can_be_written_to_and_are_not_copied():
    array, fixed = np.zeros(3), np.zeros(2, ml_dtypes.bfloat16)
    fixed.flags.writeable = False
    value, arrays = encode([array, fixed])
    assert np.shares_memory(arrays["0"], array)
    assert np.shares_memory(arrays["1"], fixed)
    assert all(back.flags.writeable for back in decode(value, arrays))
    assert all(back.flags.writeable for back in through_files([array, fixed]))


class Strange(dict):
    pass


Pair = collections.namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("tree", "text"),
    [
        ({"callbacks": [0, 1, {"state": {"best": Strange()}}]}, r"^callbacks\.2\.state\.best is of type .*Strange; a "),
        (Pair(1, 2), "^The state is of type .*Pair; "),
        ({"a": {5: 1}}, "^a has the key 5 of type int; keys of a state are texts"),
        ({"a": {1, 2}}, "^a is of type builtins.set; "),
        ([np.array([None])], "^0 is of dtype object; arrays of a state hold numbers"),
        ({"when": np.datetime64("2024-01-01")}, r"^when is of dtype datetime64\[D\]; "),
        ({"x": np.ma.masked_array([1])}, "^x is of type numpy.ma.*MaskedArray; "),
        ({"x": np.zeros(1, "i4,f4")}, "^x is of dtype .*; arrays of a state hold numbers"),
        ((lambda: 0,), "^0 is of type builtins.function; "),
    ],
)
def test_what_a_state_cannot_hold_is_refused_by_its_place(tree, text):
    with pytest.raises(TypeError, match=text):
        encode(tree)


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        ({"$other": 1}, ValueError, r"nothing of a state is written as '\$other'"),
        ({"$view": ["0", "finfo"]}, ValueError, "ml_dtypes has no dtype 'finfo'"),
        ({"$array": "7"}, KeyError, "7"),
    ],
)
def test_what_encode_never_makes_is_refused(value, error, text):
    with pytest.raises(error, match=text):
        decode(value, {"0": np.zeros(1, "u1")})


@pytest.mark.parametrize(
    "numbers",
    [
        [*(0.1 * place for place in range(40)), math.nan, math.inf, -0.0],
        [*range(-20, 20), 2**63 - 1, -(2**63)],
        [*range(40), 2**63],
        [*range(40), 0.5],
        [True] * 40,
    ],
    ids=["floats", "whole numbers", "larger ones", "both", "bool"],
)
def test_long_list_of_numbers_comes_back_as_it_was(numbers):
    assert same(through_files([numbers, 1]), [numbers, 1])


def test_history_of_many_epochs_is_an_array_in_the_file():
    value, arrays = encode({"loss": [0.5] * 1000})
    assert value == {"loss": {"$list": "0"}}
    np.testing.assert_array_equal(arrays["0"], np.full(1000, 0.5))
