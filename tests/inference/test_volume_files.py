"""NIfTI and MRC files, as their own libraries read them."""

import sys

import mrcfile
import nibabel
import numpy as np
import pytest

from unetdyn.data import read_stack
from unetdyn.inference import predict_tiled
from unetdyn.inference.layout import Layout
from unetdyn.inference.sinks import kind_of

IMAGE = np.random.default_rng(0).random((3, 20, 30)).astype("float32")
ASKED = {"tile": 16, "normalise": "none", "reduce": "threshold"}


def scan(path, order="<", kind=nibabel.Nifti1Image):
    """An oblique volume of scaled values in big or little bytes, with what a scanner writes beside them."""
    affine = nibabel.affines.from_matvec(np.array([[-2, 0.1, 0], [0, 1.5, 0.2], [0.3, 0, 4]]), [7, -8, 9])
    image = kind(IMAGE.T, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header["cal_max"], image.header["descrip"] = 4000, b"a scanner"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"whose"))
    kind(IMAGE.T, affine, image.header.as_byteswapped(order)).to_filename(path)
    return affine


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_mask_of_nifti_lies_where_the_image_does(tmp_path, name, order, kind):
    affine = scan(tmp_path / name, order, kind)
    out = predict_tiled(lambda batch: batch, tmp_path / name, tmp_path / "mask.nii", **ASKED)
    mask = nibabel.load(out)
    assert type(mask) is kind
    np.testing.assert_allclose(mask.affine, affine, rtol=1e-6)
    assert mask.header.get_zooms() == nibabel.load(tmp_path / name).header.get_zooms()
    assert mask.header.get_xyzt_units()[0] == "mm"
    assert mask.get_data_dtype() == np.uint8
    np.testing.assert_array_equal(np.asanyarray(mask.dataobj), IMAGE.T > 0.5)
    assert float(mask.header["cal_max"]) == 0
    assert not mask.header.extensions
    np.testing.assert_array_equal(read_stack(out)[0][..., 0], IMAGE > 0.5)


def test_nifti_of_another_source_says_its_voxels_and_no_place(tmp_path):
    with mrcfile.new(tmp_path / "a.mrc", IMAGE) as file:
        file.voxel_size = (40, 41, 500)
    out = predict_tiled(lambda batch: batch, tmp_path / "a.mrc", tmp_path / "mask.nii", **ASKED)
    mask = nibabel.load(out)
    assert mask.header.get_zooms() == pytest.approx((0.004, 0.0041, 0.05))
    assert mask.header.get_xyzt_units()[0] == "micron"
    assert (int(mask.header["sform_code"]), int(mask.header["qform_code"])) == (0, 0)


def test_nifti_2_is_written_where_a_side_is_too_long_for_nifti_1(tmp_path):
    long = Layout((2, 40_000), "yx", np.dtype("uint8"), 2)
    kind_of(tmp_path / "a.nii").make(tmp_path / "a.nii", long)
    image = nibabel.load(tmp_path / "a.nii")
    assert (type(image), image.shape) == (nibabel.Nifti2Image, (40_000, 2))
    assert not np.asanyarray(image.dataobj).any()


@pytest.mark.parametrize(("tile", "is_volume"), [(16, False), ((4, 16, 16), True)])
def test_mask_of_mrc_is_a_valid_file_with_its_voxels(tmp_path, tile, is_volume):
    image = np.pad(IMAGE, ((1, 1), (0, 0), (0, 0)))
    with mrcfile.new(tmp_path / "a.mrc", image) as file:
        file.voxel_size = (40, 41, 500)
    out = predict_tiled(lambda batch: batch, tmp_path / "a.mrc", tmp_path / "mask.mrc", **ASKED | {"tile": tile})
    with mrcfile.open(out) as mask:
        assert mask.voxel_size.tolist() == pytest.approx((40, 41, 500))
        assert mask.is_volume() == is_volume
        assert mask.data.dtype == np.uint16
        np.testing.assert_array_equal(mask.data, image > 0.5)


def test_one_section_is_a_flat_file(tmp_path):
    for name in ("a.nii", "a.mrc"):
        predict_tiled(lambda batch: batch, IMAGE[0], tmp_path / name, **ASKED)
    np.testing.assert_array_equal(nibabel.load(tmp_path / "a.nii").get_fdata().T, IMAGE[0] > 0.5)
    np.testing.assert_array_equal(mrcfile.read(tmp_path / "a.mrc"), IMAGE[0] > 0.5)


def test_nifti_that_was_begun_carries_on(tmp_path):
    calls = []

    def fails(batch):
        calls.append(batch)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return batch

    arguments = {"source": IMAGE, "out": tmp_path / "a.nii", "batch_size": 2, **ASKED}
    with pytest.raises(KeyboardInterrupt):
        predict_tiled(fails, **arguments)
    assert (tmp_path / "a.nii.partial").is_file()
    predict_tiled(fails, **arguments)
    np.testing.assert_array_equal(nibabel.load(tmp_path / "a.nii").get_fdata().T, IMAGE > 0.5)


def test_compressed_nifti_is_refused_with_what_to_write_instead(tmp_path):
    with pytest.raises(ValueError, match=r"`out` must end in one of .*\.nii, \.mrc.*compressed.*: pass \.nii\."):
        predict_tiled(lambda batch: batch, IMAGE, tmp_path / "a.nii.gz", **ASKED)


@pytest.mark.parametrize("name", ["a.nii", "a.mrc"])
def test_several_values_a_pixel_are_refused(tmp_path, name):
    with pytest.raises(ValueError, match=r"`out` must end in \.npy or \.zarr for several values a pixel"):
        predict_tiled(lambda batch: np.concatenate([batch, batch], -1), IMAGE, tmp_path / name, **ASKED)


@pytest.mark.parametrize(("name", "package"), [("a.nii", "nibabel"), ("a.mrc", "mrcfile")])
def test_missing_package_is_named(tmp_path, monkeypatch, name, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"needs the package '{package}'.*pip install 'unetdyn\\[formats\\]'"):
        predict_tiled(lambda batch: batch, IMAGE, tmp_path / name, **ASKED)
