import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from unetdyn.data import read_stack
from unetdyn.data.formats.registry import open_volume
from volume_files import volume


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as opened:
        yield opened


def read(file, name="", axes=None):
    file.flush()
    return read_stack(file.filename + name, axes=axes)[0]


def test_open_hdf5_takes_the_only_volume(file):
    file["volumes/raw"] = volume()
    file["positions"], file["about"], file["one"] = np.arange(5), "text", np.float32(3)
    np.testing.assert_array_equal(read(file)[..., 0], volume())


@pytest.mark.parametrize("name", ["::/volumes/raw", "::volumes/raw"])
def test_open_hdf5_takes_the_dataset_that_is_named(file, name):
    file["volumes/raw"], file["volumes/labels"] = volume(), volume(seed=1)
    np.testing.assert_array_equal(read(file, name)[..., 0], volume())


def test_open_hdf5_lists_what_there_is(file):
    file["volumes/raw"], file["volumes/labels"], file["points"] = volume(), volume(dtype="uint64"), np.arange(5)
    listed = r"'volumes/labels' of shape \(3, 4, 5\), uint64; 'volumes/raw' of shape \(3, 4, 5\), uint8"
    with pytest.raises(
        ValueError, match=rf"must lead to one array .*{listed}\. Name one, such as 'a\.h5::/volumes/labels'"
    ):
        read(file)
    with pytest.raises(ValueError, match=rf"a\.h5::volumes/rawe'\. Did you mean 'volumes/raw'\? It holds {listed}\."):
        read(file, "::volumes/rawe")
    del file["volumes"]
    with pytest.raises(ValueError, match=r"which holds 'points' of shape \(5,\), int64\."):
        read(file)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((6, 7), (1, 6, 7, 1)), ((6, 7, 3), (1, 6, 7, 3)), ((3, 6, 7), (3, 6, 7, 1)), ((5, 6, 7, 2), (5, 6, 7, 2))],
)
def test_open_hdf5_guesses_the_axes_that_nobody_names(file, shape, expected):
    file["raw"] = np.arange(np.prod(shape)).reshape(shape)
    np.testing.assert_array_equal(read(file), np.arange(np.prod(shape)).reshape(expected))


def test_open_hdf5_takes_axes_from_the_user_from_ilastik_or_from_labels(file):
    array = np.arange(120).reshape(2, 3, 4, 5)  # x, c, z, y
    expected = array.transpose(2, 3, 0, 1)
    file["raw"] = array
    np.testing.assert_array_equal(read(file, axes="xczy"), expected)
    for index, label in enumerate(["x", "channel", "z", "y"]):
        file["raw"].dims[index].label = label
    np.testing.assert_array_equal(read(file), expected)
    # What vigra.AxisTags.toJSON writes, and ilastik with it.
    tags = [{"key": key, "typeFlags": 2, "resolution": 0, "description": ""} for key in "yczx"]
    file["raw"].attrs["axistags"] = json.dumps({"axes": tags})
    np.testing.assert_array_equal(read(file), array.transpose(2, 0, 3, 1))
    np.testing.assert_array_equal(read(file, axes="xczy"), expected)


@pytest.mark.parametrize(("name", "value"), [("element_size_um", [0.04, 0.004, 0.005]), ("resolution", [40, 4, 5])])
def test_open_hdf5_knows_the_size_of_a_voxel_in_nanometres(file, name, value):
    file["raw"] = volume()
    file["raw"].attrs[name] = value
    file.flush()
    assert open_volume(Path(file.filename)).voxel_size == pytest.approx((40, 4, 5))


def test_open_hdf5_reads_bits_and_numbers_of_any_size(file):
    file["raw"] = volume() > 30
    assert read(file).dtype == np.uint8
    del file["raw"]
    file["raw"] = volume(dtype=">u2")
    assert read(file).dtype == np.uint16
    del file["raw"]
    file["raw"] = volume(dtype="int64") - 100
    np.testing.assert_array_equal(read(file)[..., 0], volume(dtype="float32") - 100)


def test_open_hdf5_refuses_what_is_no_number_and_axes_that_cannot_be_told(file):
    file["raw"] = volume() * 1j
    with pytest.raises(ValueError, match=r"must hold real numbers\. Received: '.*raw' of dtype complex128"):
        read(file, "::/raw")
    file["many"] = np.zeros((7, 6, 5, 8))
    with pytest.raises(ValueError, match=r"The axes of an array of shape \(7, 6, 5, 8\) can't be told.*axes='czyx'"):
        read(file, "::/many")
    with pytest.raises(ValueError, match=r"must have one letter for each axis.*Received: axes='zyx'"):
        read(file, "::/many", axes="zyx")
    with pytest.raises(ValueError, match=r"the axes 'tzyx' of shape \(7, 6, 5, 8\), so 7 along 't'"):
        read(file, "::/many", axes="tzyx")
