import struct

import nibabel
import numpy as np
import pytest

from unetdyn.data import read_stack
from unetdyn.data.formats.registry import open_volume
from volume_files import volume


def save(path, array, affine=None, unit=None):
    image = nibabel.Nifti1Image(array, np.eye(4) if affine is None else affine)
    if unit is not None:
        image.header.set_xyzt_units(unit)
    nibabel.save(image, path)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
@pytest.mark.parametrize(("dtype", "expected"), [("uint8", "uint8"), ("uint16", "uint16"), ("int16", "float32")])
def test_open_nifti_reads_x_y_z_as_sections_of_rows(tmp_path, name, dtype, expected):
    save(tmp_path / name, volume(dtype=dtype).transpose(2, 1, 0))
    images, names = read_stack(tmp_path / name)
    assert (images.dtype, names[0]) == (expected, "a[0]")
    np.testing.assert_array_equal(images[..., 0], volume())
    np.testing.assert_array_equal(images[2, 3, 1, 0], nibabel.load(tmp_path / name).get_fdata()[1, 3, 2])


@pytest.mark.parametrize("order", ["<", ">"])
def test_open_nifti_applies_slope_and_intercept(tmp_path, order):
    """By hand, as the standard's nifti1.h has it."""
    header = bytearray(352)
    struct.pack_into(f"{order}i", header, 0, 348)
    struct.pack_into(f"{order}8h", header, 40, 3, 5, 4, 3, 1, 1, 1, 1)
    struct.pack_into(f"{order}2h", header, 70, 4, 16)  # int16
    struct.pack_into(f"{order}8f", header, 76, 1, 0.5, 0.25, 2, 0, 0, 0, 0)
    struct.pack_into(f"{order}3f", header, 108, 352, 0.5, -10)
    header[123] = 2  # millimetres
    header[344:348] = b"n+1\0"
    (tmp_path / "a.nii").write_bytes(bytes(header) + volume(dtype=f"{order}i2").tobytes())
    images, _ = read_stack(tmp_path / "a.nii")
    np.testing.assert_array_equal(images[..., 0], volume().astype("float32") * 0.5 - 10)
    assert open_volume(tmp_path / "a.nii").voxel_size == pytest.approx((2e6, 0.25e6, 0.5e6))


@pytest.mark.parametrize(("unit", "nanometres"), [("mm", 1e6), ("micron", 1e3), ("meter", 1e9), (None, 1e6)])
def test_open_nifti_knows_the_size_of_a_voxel_in_nanometres(tmp_path, unit, nanometres):
    save(tmp_path / "a.nii", volume().T, np.diag([1, 2, 3, 1]), unit)
    assert open_volume(tmp_path / "a.nii").voxel_size == pytest.approx([3 * nanometres, 2 * nanometres, nanometres])


def test_open_nifti_takes_a_fourth_or_fifth_axis_for_channels(tmp_path):
    array = np.arange(120, dtype="uint8").reshape(5, 4, 3, 2)
    save(tmp_path / "a.nii", array)
    save(tmp_path / "b.nii", array[:, :, :, np.newaxis])
    for name in "ab":
        np.testing.assert_array_equal(read_stack(tmp_path / f"{name}.nii")[0], array.transpose(2, 1, 0, 3))
    save(tmp_path / "c.nii", np.zeros((5, 4, 3, 2, 2), "uint8"))
    with pytest.raises(ValueError, match=r"one volume with its channels\. Received: .* of shape \(5, 4, 3, 2, 2\)"):
        read_stack(tmp_path / "c.nii")


def test_open_nifti_reads_one_section_and_colours(tmp_path):
    save(tmp_path / "a.nii", volume()[0].T)
    np.testing.assert_array_equal(read_stack(tmp_path / "a.nii")[0][0, ..., 0], volume()[0])
    colours = np.zeros((5, 4, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["G"], colours["B"] = volume().T, 7
    save(tmp_path / "b.nii", colours)
    images, _ = read_stack(tmp_path / "b.nii")
    assert images.shape == (3, 4, 5, 3)
    np.testing.assert_array_equal(images[..., 1], volume())
    assert (images[..., 2] == 7).all()


def test_open_nifti_knows_where_the_axes_lead(tmp_path):
    affine = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, -1, 0], [0, 0, 0, 1.0]])
    save(tmp_path / "a.nii", volume().T, affine)
    assert open_volume(tmp_path / "a.nii").orientation == "".join(nibabel.aff2axcodes(affine)) == "ALI"
    nibabel.save(nibabel.Nifti1Image(volume().T, None), tmp_path / "b.nii")
    assert open_volume(tmp_path / "b.nii").orientation is None
