from pathlib import Path

import numpy as np
import pytest

from unetdyn.data.depth import standard_dtype, stretched

PATH = Path("a.tif")
LARGE = 2**24


@pytest.mark.parametrize("dtype", ["?", "u1", "u2", ">u2", "i1", "i2", "i4", "u4", "i8", "u8", "f2", ">f4", "f8"])
@pytest.mark.parametrize("mask", [False, True])
def test_standard_dtype_keeps_the_values(dtype, mask):
    page = np.array([[0, 1], [1, 100]]).astype(dtype)
    kept = standard_dtype(page, PATH, mask)
    assert kept.dtype == ({"?": bool, "u1": "uint8", "u2": "uint16", ">u2": "uint16"}.get(dtype, "float32"))
    np.testing.assert_array_equal(kept, page)


@pytest.mark.parametrize(
    "page",
    [
        np.array([0, 2**31 - 1], "int32"),
        np.array([0, 2**64 - 1], "uint64"),
        np.linspace(0, 2**30, 50).astype("int64"),
        np.full(4, 0.1),
        np.array([0.1, 0.1 + 1e-17, 0.3 - 0.2]),
        np.linspace(-1, 1, 7),
        np.array([np.nan, np.inf, 0.1, 0.7]),
        np.full(3, np.nan),
    ],
    ids=["int32", "uint64", "summed frames", "constant", "constant but for noise", "float64", "not finite", "nan"],
)
def test_standard_dtype_rounds_what_rounding_does_not_harm(page):
    np.testing.assert_array_equal(standard_dtype(page, PATH, mask=False), page.astype("float32"))


@pytest.mark.parametrize(
    ("page", "mask", "advice"),
    [
        (np.array([LARGE, LARGE + 1], "int32"), False, "Subtract the smallest value"),
        (np.array([0, LARGE, LARGE + 1], "uint32"), True, "number the labels from 1, and save as 16 bits"),
        (np.array([0, 2**53, 2**53 + 1], "int64"), True, "number the labels from 1"),
        (np.array([0, LARGE, LARGE + 1], "float64"), True, "number the labels from 1"),
        (1.7e9 + np.arange(100) / 100, False, "Subtract the smallest value, or rescale, and save as 32-bit floats"),
        (np.array([0.5, 1e300]), False, "rescale"),
        (np.full(3, 1e300) + 0.5, False, "save as"),
    ],
)
def test_standard_dtype_refuses_to_round_differences_away(page, mask, advice):
    with pytest.raises(ValueError, match=rf"{page.dtype} values from .* float32 cannot tell apart\. .*{advice}"):
        standard_dtype(page, PATH, mask)


def test_standard_dtype_keeps_apart_two_large_labels():
    kept = standard_dtype(np.array([0, 2**32 - 1], "uint32"), PATH, mask=True)
    assert len(np.unique(kept)) == 2


def test_standard_dtype_refuses_complex_values():
    with pytest.raises(ValueError, match=r"complex values \(complex64\)\. Save the magnitude"):
        standard_dtype(np.ones(2, "complex64"), PATH, mask=False)


@pytest.mark.parametrize("bits", [2, 3, 4, 7])
def test_stretched_spans_8_bits(bits):
    levels = np.arange(2**bits, dtype="uint8")
    np.testing.assert_array_equal(stretched(levels, bits), np.round(np.linspace(0, 255, 2**bits)))


@pytest.mark.parametrize("bits", [1, 8, 12, 16])
def test_stretched_leaves_other_depths_alone(bits):
    page = np.array([0, 1])
    assert stretched(page, bits) is page
