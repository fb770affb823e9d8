import struct

import numpy as np
import pytest

from unetdyn.data import read_stack
from volume_files import volume


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_open_npy_reads_a_file_written_by_hand(tmp_path, dtype):
    """As NumPy's format 1.0 has it: magic, version, length of the header, header, data."""
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': (3, 4, 5), }}".ljust(117) + "\n"
    start = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()
    (tmp_path / "a.npy").write_bytes(start + volume(dtype=dtype).tobytes())
    images, names = read_stack(tmp_path / "a.npy")
    assert (images.dtype, names) == ("uint16", ("a[0]", "a[1]", "a[2]"))
    np.testing.assert_array_equal(images[..., 0], volume())


def test_open_npy_reads_either_order_of_memory_bits_and_colours(tmp_path):
    np.save(tmp_path / "a.npy", np.asfortranarray(volume()))
    np.testing.assert_array_equal(read_stack(tmp_path / "a.npy")[0][..., 0], volume())
    np.save(tmp_path / "b.npy", volume() > 30)
    np.testing.assert_array_equal(read_stack(tmp_path / "b.npy")[0][..., 0], (volume() > 30).astype("uint8"))
    colours = np.arange(20 * 30 * 3, dtype="float64").reshape(20, 30, 3)
    np.save(tmp_path / "c.npy", colours)
    np.testing.assert_array_equal(read_stack(tmp_path / "c.npy")[0], colours[None].astype("float32"))


def test_open_npz_takes_the_only_array_or_the_one_that_is_named(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", raw=volume(), spacing=np.ones(3))
    np.testing.assert_array_equal(read_stack(tmp_path / "a.npz")[0][..., 0], volume())
    np.savez(tmp_path / "b.npz", raw=volume(), labels=volume(seed=1))
    np.testing.assert_array_equal(read_stack(f"{tmp_path}/b.npz::labels")[0][..., 0], volume(seed=1))
    with pytest.raises(ValueError, match=r"'labels' of shape .*; 'raw' of shape .*Name one, such as 'b\.npz::/labels'"):
        read_stack(tmp_path / "b.npz")
    with pytest.raises(ValueError, match=r"'.*b\.npz::label'\. Did you mean 'labels'\? It holds 'labels' of"):
        read_stack(f"{tmp_path}/b.npz::label")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_open_npy_runs_no_code_of_a_pickle(tmp_path, name):
    class Trap:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    (np.save if name == "a.npy" else np.savez)(tmp_path / name, np.array([[Trap()]], dtype=object))
    with pytest.raises(ValueError, match=rf"must hold numbers\. Received: '.*{name}', which holds Python objects"):
        read_stack(tmp_path / name)
    assert not (tmp_path / "ran").exists()
