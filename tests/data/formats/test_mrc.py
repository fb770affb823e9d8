import struct

import mrcfile
import numpy as np
import pytest

from unetdyn.data import read_stack
from unetdyn.data.formats.registry import open_volume
from volume_files import volume

DTYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
IMOD = 1146047817


def write(path, array, mode, axes=(1, 2, 3), order="<", cell=(0, 0, 0), largest=0.0, stamp=(0, 0), extended=b""):
    """By hand, as https://www.ccpem.ac.uk/mrc_format/mrc2014.php has it: 1024 bytes, then the fastest axis first."""
    header = bytearray(1024)
    nz, ny, nx = array.shape
    struct.pack_into(f"{order}10i", header, 0, nx, ny, nz, mode, 0, 0, 0, nx, ny, nz)
    struct.pack_into(f"{order}3f", header, 40, *cell)
    struct.pack_into(f"{order}3i3f", header, 64, *axes, 0.0, largest, 0.0)
    struct.pack_into(f"{order}2i", header, 88, 1, len(extended))
    struct.pack_into(f"{order}2i", header, 152, *stamp)
    header[208:212] = b"MAP "
    header[212:214] = b"\x44\x44" if order == "<" else b"\x11\x11"
    path.write_bytes(bytes(header) + extended + array.astype(order + DTYPES[mode]).tobytes())


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("mode", "dtype"), [(0, "float32"), (1, "float32"), (2, "float32"), (6, "uint16"), (12, "float32")]
)
def test_open_mrc_reads_each_mode_in_either_byte_order(tmp_path, mode, dtype, order):
    array = volume(dtype="int64") * (1 if mode == 6 else -1)
    write(tmp_path / "a.mrc", array, mode, order=order, extended=b"x" * 80)
    images, names = read_stack(tmp_path / "a.mrc")
    assert (images.dtype, names[2]) == (dtype, "a[2]")
    np.testing.assert_array_equal(images[..., 0], array)
    np.testing.assert_array_equal(images[..., 0], mrcfile.read(tmp_path / "a.mrc"))


@pytest.mark.parametrize(
    ("options", "unsigned"),
    [
        ({}, False),
        ({"largest": 59.0}, False),
        ({"largest": 200.0}, True),  # written before 2014
        ({"stamp": (IMOD, 0)}, True),
        ({"stamp": (IMOD, 1), "largest": 200.0}, False),
    ],
)
def test_open_mrc_tells_signed_bytes_from_unsigned(tmp_path, options, unsigned):
    array = (volume() * 4).astype("uint8")
    for order in "<>":
        write(tmp_path / "a.mrc", array, 0, order=order, **options)
        images, _ = read_stack(tmp_path / "a.mrc")
        np.testing.assert_array_equal(images[..., 0], array if unsigned else array.view("int8"))


@pytest.mark.parametrize("axes", [(1, 2, 3), (2, 1, 3), (3, 1, 2), (3, 2, 1), (0, 0, 0)])
def test_open_mrc_puts_the_axes_where_the_header_says(tmp_path, axes):
    array = volume()  # slow axis first: maps, mapr, mapc
    write(tmp_path / "a.mrc", array, 2, axes)
    images, _ = read_stack(tmp_path / "a.mrc")
    slow_first = axes[::-1] if axes[0] else (3, 2, 1)
    np.testing.assert_array_equal(images[..., 0], np.transpose(array, [slow_first.index(axis) for axis in (3, 2, 1)]))


def test_open_mrc_knows_the_size_of_a_voxel_in_nanometres(tmp_path):
    write(tmp_path / "a.mrc", volume(3, 4, 5), 2, cell=(50.0, 80.0, 900.0))  # Å: 5 columns, 4 rows, 3 sections
    assert open_volume(tmp_path / "a.mrc").voxel_size == pytest.approx((30.0, 2.0, 1.0))
    with mrcfile.open(tmp_path / "a.mrc") as file:
        assert file.voxel_size.z == pytest.approx(300)
    write(tmp_path / "a.mrc", volume(), 2)
    assert open_volume(tmp_path / "a.mrc").voxel_size is None


def test_open_mrc_reads_what_mrcfile_writes(tmp_path):
    mrcfile.write(tmp_path / "stack.mrcs", volume().astype("float32"))
    with mrcfile.new(tmp_path / "one.mrc") as file:
        file.set_data(volume()[0].astype("int16"))
    np.testing.assert_array_equal(read_stack(tmp_path / "stack.mrcs")[0][..., 0], volume())
    np.testing.assert_array_equal(read_stack(tmp_path / "one.mrc")[0][0, ..., 0], volume()[0])


def test_open_mrc_refuses_complex_numbers_and_several_volumes(tmp_path):
    with mrcfile.new(tmp_path / "a.mrc") as file:
        file.set_data(np.ones((2, 2, 2), "complex64"))
    with pytest.raises(ValueError, match=r"must have mode 0, 1, 2, 6 or 12\. Received: '.*a\.mrc' of mode 4"):
        read_stack(tmp_path / "a.mrc")
    with mrcfile.new(tmp_path / "b.mrc") as file:
        file.set_data(np.ones((2, 3, 4, 5), "float32"))
        file.header.ispg = 401
    with pytest.raises(ValueError, match=r"must hold one volume, .* so 2 along 't'\. Save one of them"):
        read_stack(tmp_path / "b.mrc")


def test_open_mrc_refuses_a_file_that_is_cut_short(tmp_path):
    write(tmp_path / "a.mrc", volume(), 2)
    (tmp_path / "a.mrc").write_bytes((tmp_path / "a.mrc").read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"1264 bytes for \(3, 4, 5\) pixels of float32\. Received: .* of 1263 bytes"):
        read_stack(tmp_path / "a.mrc")
