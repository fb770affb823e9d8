"""Files and arrays as sections, with the axes that they have, normalised as in training."""

import h5py
import numpy as np
import pytest
import tifffile
import zarr

from unetdyn import data
from unetdyn.data import LazyArray
from unetdyn.inference.source import normalised, open_source

VOLUME = np.random.default_rng(0).integers(0, 255, (5, 9, 8), dtype="uint8")


def written(kind, folder):
    path = folder / f"volume.{kind}"
    if kind == "npy":
        np.save(path, VOLUME)
    elif kind == "npz":
        np.savez_compressed(path, raw=VOLUME)
    elif kind == "tif":
        tifffile.imwrite(path, VOLUME, photometric="minisblack", compression="zlib")
    elif kind == "zarr":
        zarr.create_array(str(path), data=VOLUME)
    else:
        with h5py.File(path, "w") as file:
            file["raw"] = VOLUME
        return f"{path}::raw"
    return path


@pytest.mark.parametrize("kind", ["npy", "npz", "tif", "zarr", "h5"])
def test_file_of_any_format_is_its_sections(kind, tmp_path):
    source = open_source(written(kind, tmp_path), None)
    assert source.has_z
    np.testing.assert_array_equal(source.sections[:][..., 0], VOLUME)


@pytest.mark.parametrize(
    ("shape", "axes", "sections", "has_z"),
    [
        ((9, 8), None, (1, 9, 8, 1), False),
        ((9, 8, 3), None, (1, 9, 8, 3), False),
        ((5, 9, 8), None, (5, 9, 8, 1), True),
        ((5, 9, 8, 2), None, (5, 9, 8, 2), True),
        ((9, 8, 5), "yxz", (5, 9, 8, 1), True),
        ((2, 9, 8), "cyx", (1, 9, 8, 2), False),
    ],
)
def test_array_has_the_axes_that_its_shape_or_the_user_says(shape, axes, sections, has_z):
    found = open_source(np.zeros(shape, "uint8"), axes)
    assert (found.sections.shape, found.has_z) == (sections, has_z)


def test_anything_with_slices_will_do(tmp_path):
    array = zarr.create_array(str(tmp_path / "a.zarr"), data=VOLUME)
    for source in (array, LazyArray.of(VOLUME[..., np.newaxis]), VOLUME.astype("float64"), VOLUME > 100):
        assert open_source(source, None).sections[1].shape == (9, 8, 1)


def test_one_section_of_a_file_has_no_z(tmp_path):
    tifffile.imwrite(tmp_path / "one.tif", VOLUME[0])
    assert not open_source(tmp_path / "one.tif", None).has_z


def test_size_of_a_voxel_is_kept(tmp_path):
    metadata = {"axes": "ZYX", "PhysicalSizeX": 4, "PhysicalSizeXUnit": "nm"}
    metadata |= {f"PhysicalSize{axis}": size for axis, size in (("Y", 0.004), ("Z", 0.05))}
    tifffile.imwrite(tmp_path / "v.ome.tif", VOLUME, ome=True, photometric="minisblack", metadata=metadata)
    assert open_source(tmp_path / "v.ome.tif", None).voxel_size == pytest.approx((50, 4, 4))


@pytest.mark.parametrize(
    ("source", "axes", "error", "text"),
    [
        ([[1, 2]], None, TypeError, "`source` must be the path .* Received: a list"),
        (np.zeros((4, 4), "complex64"), None, TypeError, "`source` must hold real numbers. .* dtype complex64"),
        (np.zeros((4, 4)), "zyx", ValueError, "`axes` must have one letter for each axis of `source`"),
        (np.zeros((2, 4, 4, 4, 4)), None, ValueError, "can't be told from its shape"),
        ("nowhere.tif", None, FileNotFoundError, "`source` must be one file, .* Received: source='nowhere.tif'"),
    ],
)
def test_what_is_no_source_is_refused(source, axes, error, text):
    with pytest.raises(error, match=text):
        open_source(source, axes)


@pytest.mark.parametrize("method", ["per_image", "unit"])
def test_sections_are_normalised_as_in_training(method):
    images = VOLUME[..., np.newaxis]
    found = normalised(LazyArray.of(images), method)
    np.testing.assert_array_equal(found[:, 2:5, 1:4], data.normalise(images, method)[:, 2:5, 1:4])


def test_given_statistics_are_those_of_each_channel():
    images = np.stack([VOLUME, VOLUME], axis=-1)
    found = normalised(LazyArray.of(images), ((10.0, 20.0), (2.0, 4.0)))[:]
    np.testing.assert_allclose(found[..., 0], (VOLUME - 10.0) / 2, rtol=1e-6)
    np.testing.assert_allclose(found[..., 1], (VOLUME - 20.0) / 4, rtol=1e-6)
    np.testing.assert_array_equal(normalised(LazyArray.of(images), "none")[:], images)


def test_statistics_of_other_channels_and_nan_are_refused():
    images = np.full((1, 4, 4, 1), np.nan, "float32")
    with pytest.raises(ValueError, match="one deviation for each of the 1 channels"):
        normalised(LazyArray.of(images), ((0.0, 0.0), (1.0, 1.0)))
    with pytest.raises(ValueError, match="image '0' holds 16 NaN"):
        normalised(LazyArray.of(images), "none")[0]
