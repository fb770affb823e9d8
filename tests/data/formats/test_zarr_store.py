import json

import numpy as np
import pytest
import zarr

from unetdyn.data import read_stack
from unetdyn.data.formats.registry import open_volume
from volume_files import volume


def axes_of(letters, unit="micrometer"):
    kinds = {"t": "time", "c": "channel"}
    return [{"name": a, "type": kinds.get(a, "space"), **({} if a in kinds else {"unit": unit})} for a in letters]


def multiscales(letters, scale, **more):
    levels = [
        {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": [s * 2**level for s in scale]}]}
        for level in range(2)
    ]
    return [{"axes": axes_of(letters), "datasets": levels, **more}]


def ome_image(group, array, described, version=2):
    group.create_array("0", data=array)
    group.create_array("1", data=array[..., ::2, ::2])
    group.attrs.update(
        {"multiscales": described} if version == 2 else {"ome": {"version": "0.5", "multiscales": described}}
    )


def test_open_zarr_reads_a_store_written_by_hand(tmp_path):
    """As https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html has it: chunks of (2, 4, 3), the last ones padded."""
    store = tmp_path / "a.zarr"
    store.mkdir()
    about = {"zarr_format": 2, "shape": [3, 4, 5], "chunks": [2, 4, 3], "dtype": "<u2", "compressor": None}
    (store / ".zarray").write_text(json.dumps(about | {"fill_value": 0, "order": "C", "filters": None}))
    padded = np.pad(volume(dtype="<u2"), ((0, 1), (0, 0), (0, 1)))
    for z in (0, 1):
        for x in (0, 1):
            (store / f"{z}.0.{x}").write_bytes(padded[2 * z : 2 * z + 2, :, 3 * x : 3 * x + 3].tobytes())
    images, names = read_stack(store)
    assert (images.dtype, names[0]) == ("uint16", "a[0]")
    np.testing.assert_array_equal(images[..., 0], volume())


@pytest.mark.parametrize("version", [2, 3])
def test_open_zarr_takes_the_only_array_or_the_one_that_is_named(tmp_path, version):
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=version)
    group.create_array("volumes/raw", data=volume())
    np.testing.assert_array_equal(read_stack(tmp_path / "a.zarr")[0][..., 0], volume())
    group.create_array("volumes/labels", data=volume(seed=1))
    for name in ("::volumes/labels", "::/volumes/labels", "/volumes/labels"):
        np.testing.assert_array_equal(read_stack(f"{tmp_path}/a.zarr{name}")[0][..., 0], volume(seed=1))
    with pytest.raises(ValueError, match=r"holds 'volumes/labels' of shape \(3, 4, 5\), uint8; 'volumes/raw' of"):
        read_stack(tmp_path / "a.zarr")
    with pytest.raises(ValueError, match=r"a\.zarr::labels'\. Did you mean 'volumes/labels'\?"):
        read_stack(f"{tmp_path}/a.zarr::labels")


@pytest.mark.parametrize("version", [2, 3])
def test_open_zarr_reads_the_finest_level_of_an_ome_image(tmp_path, version):
    group = zarr.open_group(str(tmp_path / "a.ome.zarr"), mode="w", zarr_format=version)
    array = np.arange(2 * 3 * 4 * 6, dtype="uint16").reshape(1, 2, 3, 4, 6)
    more = {"coordinateTransformations": [{"type": "scale", "scale": [1, 1, 10, 1, 1]}]}
    ome_image(group, array, multiscales("tczyx", [1, 1, 0.5, 0.25, 0.125], **more), version)
    images, names = read_stack(tmp_path / "a.ome.zarr")
    assert names[0] == "a[0]"
    np.testing.assert_array_equal(images, array[0].transpose(1, 2, 3, 0))
    assert open_volume(tmp_path / "a.ome.zarr").voxel_size == pytest.approx((5000, 250, 125))


def test_open_zarr_reads_labels_and_the_one_image_of_a_converted_file(tmp_path):
    """As bioformats2raw lays them out: images 0, 1, … in a group, labels within an image."""
    root = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    root.attrs["bioformats2raw.layout"] = 3
    image = root.create_group("0")
    ome_image(image, volume(), multiscales("zyx", [1, 1, 1]))
    ome_image(image.create_group("labels/cells"), volume(seed=1), multiscales("zyx", [1, 1, 1]))
    np.testing.assert_array_equal(read_stack(tmp_path / "a.zarr")[0][..., 0], volume())
    np.testing.assert_array_equal(read_stack(f"{tmp_path}/a.zarr::0/labels/cells")[0][..., 0], volume(seed=1))
    ome_image(root.create_group("1"), volume(), multiscales("zyx", [1, 1, 1]))
    with pytest.raises(
        ValueError, match=r"must lead to one image\. .* holds the images 0, 1\. Name one, such as 'a.zarr::0'"
    ):
        read_stack(tmp_path / "a.zarr")


@pytest.mark.parametrize("axes", [["t", "c", "z", "y", "x"], []])  # names alone in version 0.3, and none before
def test_open_zarr_reads_older_versions(tmp_path, axes):
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    array = np.arange(2 * 3 * 4 * 6, dtype="uint16").reshape(1, 2, 3, 4, 6)
    ome_image(group, array, [{"datasets": [{"path": "0"}, {"path": "1"}], **({"axes": axes} if axes else {})}])
    np.testing.assert_array_equal(read_stack(tmp_path / "a.zarr")[0], array[0].transpose(1, 2, 3, 0))
    assert open_volume(tmp_path / "a.zarr").voxel_size is None


def test_open_zarr_takes_axes_from_dimension_names(tmp_path):
    array = np.arange(120, dtype="uint8").reshape(2, 3, 4, 5)
    zarr.create_array(str(tmp_path / "a.zarr"), data=array, dimension_names=["channel", "z", "y", "x"])
    older = zarr.create_array(str(tmp_path / "b.zarr"), data=array, zarr_format=2)
    older.attrs["_ARRAY_DIMENSIONS"] = ["channel", "z", "y", "x"]
    older.attrs["resolution"] = [40, 4, 5]
    for name in "ab":
        np.testing.assert_array_equal(read_stack(tmp_path / f"{name}.zarr")[0], array.transpose(1, 2, 3, 0))
    assert open_volume(tmp_path / "b.zarr").voxel_size == (40, 4, 5)
    np.testing.assert_array_equal(read_stack(tmp_path / "b.zarr", axes="xczy")[0], array.transpose(2, 3, 0, 1))


def test_open_zarr_refuses_several_points_of_time(tmp_path):
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=2)
    ome_image(group, np.zeros((7, 3, 4, 6), "uint8"), multiscales("tzyx", [1, 1, 1, 1]))
    with pytest.raises(ValueError, match=r"the axes 'tzyx' of shape \(7, 3, 4, 6\), so 7 along 't'"):
        read_stack(tmp_path / "a.zarr")
