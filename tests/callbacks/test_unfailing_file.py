"""A file that HDF5 can write to where the disk takes no more."""

import errno
import signal
import sys

import h5py
import numpy as np
import pytest

from unetdyn.callbacks.unfailing_file import UnfailingFile


@pytest.fixture
def limited():
    """A function that sets the largest size of any file of the process."""
    if sys.platform == "win32":
        pytest.skip("Windows limits no file's size")
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def write(path, count):
    with UnfailingFile(path) as raw, h5py.File(raw, "w") as file:
        for place in range(count):
            file.create_dataset(f"layers/{place}/vars/0", data=np.full(3, place, "f4"))


@pytest.mark.parametrize("size", [0, 100, 3_000, 20_000, 60_000])
def test_error_of_writing_comes_when_hdf5_has_closed(limited, tmp_path, size):
    """`h5py.File(path)` ends the process at any of these."""
    limited(size)
    with pytest.raises(OSError, match="File too large") as caught:
        write(tmp_path / "weights.h5", 200)
    limited(10**9)
    assert caught.value.errno == errno.EFBIG
    assert (tmp_path / "weights.h5").stat().st_size <= size


def test_file_is_what_hdf5_writes(tmp_path):
    write(tmp_path / "weights.h5", 200)
    with h5py.File(tmp_path / "weights.h5") as file:
        assert [file[f"layers/{place}/vars/0"][:].tolist() for place in range(200)] == [[n] * 3 for n in range(200)]


def test_other_errors_are_not_kept(tmp_path):
    with pytest.raises(KeyError, match="mine"), UnfailingFile(tmp_path / "weights.h5") as raw, h5py.File(raw, "w"):
        raise KeyError("mine")
    with pytest.raises(FileNotFoundError):
        UnfailingFile(tmp_path / "missing" / "weights.h5")
