import sys
from unittest.mock import Mock

import h5py
import numpy as np
import pytest

from unetdyn.data import read_image, read_stack
from unetdyn.data.files import READERS
from unetdyn.data.formats.registry import FORMATS, format_of, open_volume
from unetdyn.data.refused import RefusedFile
from unetdyn.data.sources import lazy_pages
from volume_files import PACKAGES, WRITERS, volume


@pytest.mark.parametrize("name", WRITERS)
def test_read_stack_reads_a_volume_of_each_format_alone_and_in_a_folder(tmp_path, name):
    WRITERS[name](tmp_path / name, volume())
    for path in (tmp_path / name, tmp_path):
        images, names = read_stack(path)
        assert names == ("a[0]", "a[1]", "a[2]")
        np.testing.assert_array_equal(images[..., 0], volume())


def test_read_image_reads_one_section_of_any_format(tmp_path):
    np.save(tmp_path / "a.npy", volume()[0])
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy")[..., 0], volume()[0])


@pytest.mark.parametrize("name", PACKAGES)
def test_open_volume_says_which_package_is_missing_and_what_installs_it(tmp_path, monkeypatch, name):
    WRITERS[name](tmp_path / name, volume())
    monkeypatch.setitem(sys.modules, PACKAGES[name], None)
    package = {"nrrd": "pynrrd"}.get(PACKAGES[name], PACKAGES[name])
    with pytest.raises(ImportError, match=rf"needs the package '{package}'.*{name}.*pip install 'unetdyn\[formats\]'"):
        read_stack(tmp_path / name)


@pytest.mark.parametrize("name", [name for name in WRITERS if name not in ("a.zarr", "a.tif")])
@pytest.mark.parametrize("content", [b"", b"no volume", "half"])
def test_open_volume_refuses_a_file_that_is_damaged(tmp_path, name, content):
    path = tmp_path / name
    WRITERS[name](path, volume(20, 20, 20, "uint16"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content == "half" else content)
    with pytest.raises(ValueError, match=rf"Received: .*{name}.*(cut short|of another format)"):
        read_stack(path)


def test_a_file_larger_than_memory_is_not_called_damaged(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("raw", (2**10, 2**20, 2**20), "uint8", chunks=(1, 64, 64))  # a pebibyte, none of it written
    png, reader = tmp_path / "a.png", Mock(side_effect=MemoryError("Unable to allocate 9 GiB"))
    png.touch()
    monkeypatch.setitem(READERS, ".png", reader)
    for path, kind in ((tmp_path / "a.h5", "HDF5"), (png, "image")):
        expected = (
            rf"must be a file that fits into memory.*{path.name}', a file of the kind {kind} \(.*Unable.*`lazy=True`"
        )
        with pytest.raises(RefusedFile, match=expected):
            read_stack(path)
    assert lazy_pages(tmp_path / "a.h5")[0].shape == (2**20, 2**20, 1)


@pytest.mark.parametrize(("name", "text"), [("zarr.json", "{"), (".zarray", "[]"), (".zgroup", "")])
def test_open_volume_refuses_a_damaged_store(tmp_path, name, text):
    (tmp_path / "a.zarr").mkdir()
    with pytest.raises(ValueError, match=r"must be a whole Zarr file, but '.*a\.zarr' cannot be read"):
        read_stack(tmp_path / "a.zarr")
    (tmp_path / "a.zarr" / name).write_text(text)
    with pytest.raises(ValueError, match=r"must be a whole Zarr file, but '.*a\.zarr' cannot be read"):
        read_stack(tmp_path / "a.zarr")


def test_open_volume_refuses_a_name_or_axes_where_there_are_none(tmp_path):
    WRITERS["a.nii"](tmp_path / "a.nii", volume())
    with pytest.raises(
        ValueError, match=r"only in HDF5, Zarr and \.npz files\. .* a NIfTI file, which holds one\. Leave `::/raw` out"
    ):
        read_stack(f"{tmp_path}/a.nii::/raw")
    with pytest.raises(ValueError, match=r"`axes` must be left out for NIfTI files.*axes='zyx'"):
        read_stack(tmp_path / "a.nii", axes="zyx")
    WRITERS["a.tif"](tmp_path / "a.tif", volume())
    with pytest.raises(ValueError, match=r"`axes` must be left out for image files"):
        read_stack(tmp_path / "a.tif", axes="zyx")


def test_read_stack_takes_one_dataset_of_each_file_of_a_folder(tmp_path):
    for name, seed in (("p2.npz", 2), ("p1.npz", 1)):
        np.savez(tmp_path / name, raw=volume(seed=seed), labels=volume())
    images, names = read_stack(f"{tmp_path}::raw")
    assert names[:4] == ("p1[0]", "p1[1]", "p1[2]", "p2[0]")
    np.testing.assert_array_equal(images[..., 0], np.concatenate([volume(seed=1), volume(seed=2)]))


def test_format_of_knows_extensions_in_capitals_and_stores_by_what_is_in_them(tmp_path):
    assert format_of(tmp_path / "A.NII.GZ") is FORMATS[".nii.gz"]
    assert format_of(tmp_path / "a.gz") is None
    (tmp_path / "store").mkdir()
    assert format_of(tmp_path / "store") is None
    WRITERS["a.zarr"](tmp_path / "store", volume())
    assert format_of(tmp_path / "store") is FORMATS[".zarr"]
    assert open_volume(tmp_path / "store").axes == "zyx"
