from pathlib import Path

import numpy as np
import pytest

from unetdyn.data.formats.volume import Volume, guessed_axes, nanometres, sections_of, voxel_size
from unetdyn.data.refused import RefusedFile


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("um", 1e3),
        ("µm", 1e3),
        ("μm", 1e3),
        ("Micron", 1e3),
        ("nm", 1),
        ("Å", 0.1),
        ("mm", 1e6),
        ("inch", 25.4e6),
        ("px", None),
    ],
)
def test_nanometres_knows_the_names_that_programs_write(unit, expected):
    assert nanometres(unit) == expected


@pytest.mark.parametrize("sizes", [(1, 2, None), (1, 2, 0), (1, 2, -1), (1, 2, np.nan)])
def test_voxel_size_is_none_unless_all_is_known(sizes):
    assert voxel_size(sizes, [1.0] * 3) is None


@pytest.mark.parametrize("axes", ["zyxc", "xyzc", "cxyz", "yczx", "cyzx"])
def test_sections_of_puts_any_order_of_axes_in_ours(axes):
    array = np.arange(2 * 3 * 4 * 5, dtype="uint16").reshape(2, 3, 4, 5)
    expected = np.einsum(f"{axes}->zyxc", array)
    sections = sections_of(Volume(array, axes), Path("a"))
    assert sections.shape == expected.shape
    np.testing.assert_array_equal(sections[:], expected)
    np.testing.assert_array_equal(sections[1, 0:2, 1:], expected[1, 0:2, 1:])


def test_sections_of_adds_axes_that_are_missing_and_drops_those_of_length_one():
    array = np.arange(12, dtype="uint8").reshape(3, 1, 4)
    np.testing.assert_array_equal(sections_of(Volume(array, "xty"), Path("a"))[0][..., 0], array[:, 0].T)


@pytest.mark.parametrize(
    ("shape", "axes", "text"),
    [
        ((2, 3, 4), "tyx", "2 along 't'"),
        ((2, 3), "zy", "no axes y and x"),
        ((0, 3, 4), "zyx", r"must hold pixels.*\(0, 3, 4\)"),
    ],
)
def test_sections_of_refuses_what_are_no_sections(shape, axes, text):
    with pytest.raises(RefusedFile, match=text):
        sections_of(Volume(np.zeros(shape), axes), Path("a"))


def test_guessed_axes_refuses_what_is_not_likely():
    for shape in ((5, 6, 7, 8), (2, 5, 6, 7, 8), (5,), (3, 50, 60, 70)):
        with pytest.raises(RefusedFile, match=r"can't be told from its shape"):
            guessed_axes(shape, "a")


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("bool", "uint8"),
        ("uint8", "uint8"),
        (">u2", "uint16"),
        ("int8", "float32"),
        (">f4", "float32"),
        ("int64", "float32"),
    ],
)
def test_sections_of_gives_values_a_dtype_of_stacks(dtype, expected):
    sections = sections_of(Volume(np.array([[0, 1]]).astype(dtype), "yx"), Path("a"))
    assert (sections.dtype, sections[0].dtype.isnative) == (np.dtype(expected), True)
    np.testing.assert_array_equal(sections[0][..., 0], [[0, 1]])


def test_sections_of_judges_what_is_read_whole_as_read_image_does():
    array = 1e9 + np.arange(20.0).reshape(1, 4, 5)  # float32 has steps of 64 there
    sections = sections_of(Volume(array, "zyx"), Path("a"))
    with pytest.raises(RefusedFile, match=r"from 1000000000.0 to 1000000019.0, which float32 cannot tell apart"):
        sections[0]
    assert sections[0, :2].dtype == np.float32  # nobody can say of a window what the image's contrast is
    labels = np.array([[2**24, 2**24 + 1]])
    with pytest.raises(RefusedFile, match="number the labels from 1"):
        sections_of(Volume(labels, "yx"), Path("a"), mask=True)[0]


def test_sections_of_refuses_what_is_no_number():
    with pytest.raises(RefusedFile, match=r"real numbers\. Received: 'a' of dtype <U1"):
        sections_of(Volume(np.array([["x"]]), "yx"), Path("a"))
