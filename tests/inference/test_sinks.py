"""What was written a piece at a time, read by others; and what is left of it in between."""

import json

import mrcfile
import nibabel
import numpy as np
import pytest
import tifffile
import zarr

from unetdyn.data.sources import described
from unetdyn.inference.layout import Layout
from unetdyn.inference.sinks import check_fits, kind_of
from unetdyn.inference.unfinished import Unfinished, check_free

VALUES = np.random.default_rng(0).integers(0, 255, (3, 30, 20), dtype="uint8")
READ = {
    ".npy": np.load,
    ".tif": tifffile.imread,
    ".zarr": lambda path: zarr.open_array(path, mode="r")[:],
    ".nii": lambda path: np.asanyarray(nibabel.load(path).dataobj).T,
    ".mrc": mrcfile.read,
}
WIDENED = {
    (".tif", "bool"): "uint8",
    (".nii", "float16"): "float32",
    (".nii", "bool"): "uint8",
    (".mrc", "uint8"): "uint16",
    (".mrc", "bool"): "int8",
}


def layout(array, rank=2, voxel_size=None):
    return Layout(array.shape, {2: "yx", 3: "zyx", 4: "zyxc"}[array.ndim], array.dtype, rank, voxel_size)


@pytest.mark.parametrize("ending", READ)
@pytest.mark.parametrize("dtype", ["uint8", "float16", "bool"])
def test_lines_written_one_after_the_other_are_the_array(ending, dtype, tmp_path):
    values, path = VALUES.astype(dtype), tmp_path / f"a{ending}"
    kind = kind_of(path)
    whole = kind.fitted(layout(values))
    place = kind.make(path, whole)
    for item, section in enumerate(values):
        for first in range(0, 30, 8):
            sink = kind.open(path, whole, place)  # as after a kill
            sink.write(item, first, section[first : first + 8])
            sink.close()
    np.testing.assert_array_equal(READ[ending](path), values)
    assert READ[ending](path).dtype == WIDENED.get((ending, dtype), dtype)


@pytest.mark.parametrize("ending", READ)
def test_volume_is_written_by_sections(ending, tmp_path):
    path = tmp_path / f"a{ending}"
    kind = kind_of(path)
    whole = kind.fitted(layout(VALUES, rank=3))
    sink = kind.open(path, whole, kind.make(path, whole))
    sink.write(0, 0, VALUES[:2])
    sink.write(0, 2, VALUES[2:])
    sink.close()
    np.testing.assert_array_equal(READ[ending](path), VALUES)


@pytest.mark.parametrize("ending", [".tif", ".zarr", ".nii", ".mrc"])
@pytest.mark.parametrize("rank", [2, 3])
def test_size_of_a_voxel_is_written(ending, rank, tmp_path):
    path = tmp_path / f"a{ending}"
    kind = kind_of(path)
    kind.make(path, kind.fitted(layout(VALUES, rank, (50.0, 4.0, 4.5))))
    assert described(path)[0] == pytest.approx((50, 4, 4.5))


def test_zarr_is_written_in_whole_chunks(tmp_path):
    large = Layout((4, 1300, 700), "zyx", np.dtype("uint8"), 2)
    kind = kind_of(tmp_path / "a.zarr")
    sink = kind.open(tmp_path / "a.zarr", large, kind.make(tmp_path / "a.zarr", large))
    assert zarr.open_array(tmp_path / "a.zarr").chunks == large.chunk == (1, 512, 512)
    assert sink.together == 512
    assert Layout((40, 1300, 700), "zyx", np.dtype("uint8"), 3).chunk == (16, 256, 256)


def test_other_endings_and_classes_in_a_tiff_are_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"`out` must end in one of .npy, .tif, .tiff, .zarr, .* Received: out='a.png'"
    ):
        kind_of(tmp_path.relative_to(tmp_path) / "a.png")
    with pytest.raises(ValueError, match=r"must end in .npy or .zarr for several values a pixel. .* 2 classes"):
        check_fits(tmp_path / "a.tif", channels=2)


def test_result_takes_its_name_when_all_is_done(tmp_path):
    begun = Unfinished(tmp_path / "a.npy", {"tile": (4, 4)})
    begun.partial.write_text("all of it")
    begun.begin(128)
    begun.note(7)
    again = Unfinished(tmp_path / "a.npy", {"tile": (4, 4)})
    assert (again.done, again.place) == (7, 128)
    again.finish()
    assert [(entry.name, entry.read_text()) for entry in tmp_path.iterdir()] == [("a.npy", "all of it")]


def test_folder_takes_the_place_of_one_that_is_there(tmp_path):
    for name in ("a.zarr", "a.zarr.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "of").write_text(name)
    begun = Unfinished(tmp_path / "a.zarr", {}, overwrite=True)
    assert not begun.partial.exists()  # nothing says how far it was
    begun.partial.mkdir()
    begun.begin(0)
    begun.finish()
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zarr"]
    assert not any((tmp_path / "a.zarr").iterdir())


def test_work_on_something_else_is_refused_by_name(tmp_path):
    begun = Unfinished(tmp_path / "a.npy", {"model": "ab", "tile": (4, 4)})
    begun.partial.touch()
    begun.begin(0)
    with pytest.raises(ValueError, match=r"half done with another `tile`: .* tile=\[4, 4\]. Received: tile=\[8, 8\]"):
        Unfinished(tmp_path / "a.npy", {"model": "ab", "tile": (8, 8)})
    progress = tmp_path / "a.npy.progress.json"
    progress.write_text(json.dumps({"done": "?"}))
    with pytest.raises(ValueError, match=r"half done, but .*progress.json is damaged"):
        Unfinished(tmp_path / "a.npy", {})


def test_result_that_is_there_is_not_replaced_unasked(tmp_path):
    (tmp_path / "a.npy").touch()
    with pytest.raises(FileExistsError, match="Pass overwrite=True to replace it"):
        check_free(tmp_path / "a.npy", overwrite=False)
    check_free(tmp_path / "a.npy", overwrite=True)
    with pytest.raises(FileNotFoundError, match="`out` must lie in a folder that is there"):
        check_free(tmp_path / "nowhere" / "a.npy", overwrite=False)


@pytest.mark.parametrize("name", ["a.npy", "a.TIF"])
def test_folder_is_not_replaced_by_a_file(name, tmp_path):
    (tmp_path / name).mkdir()
    with pytest.raises(IsADirectoryError, match=f"`out` must be a file. Received: .*{name}', which is a folder"):
        kind_of(tmp_path / name)
