import nrrd
import numpy as np
import pytest

from unetdyn.data import read_stack
from unetdyn.data.formats.registry import open_volume
from volume_files import volume


def write(path, array, *fields, type_="uint8"):
    """By hand, as https://teem.sourceforge.net/nrrd/format.html has it: sizes with the fastest axis first."""
    sizes = " ".join(map(str, array.shape[::-1]))
    lines = ["NRRD0004", f"type: {type_}", f"dimension: {array.ndim}", f"sizes: {sizes}", "encoding: raw", *fields]
    path.write_bytes(("\n".join(lines) + "\n\n").encode() + array.tobytes())


def test_open_nrrd_reads_the_fastest_axis_as_columns(tmp_path):
    write(tmp_path / "a.nrrd", volume())
    images, names = read_stack(tmp_path / "a.nrrd")
    assert (images.dtype, names[2]) == ("uint8", "a[2]")
    np.testing.assert_array_equal(images[..., 0], volume())
    np.testing.assert_array_equal(images[..., 0], nrrd.read(str(tmp_path / "a.nrrd"), index_order="C")[0])


@pytest.mark.parametrize("name", ["a.nrrd", "a.nhdr"])
def test_open_nrrd_reads_what_pynrrd_writes(tmp_path, name):
    nrrd.write(str(tmp_path / name), volume(dtype="int16").T, {"encoding": "gzip"})
    for file in tmp_path.iterdir():  # a detached header lies beside its data
        assert file.suffix in (".nrrd", ".nhdr", ".gz")
    np.testing.assert_array_equal(read_stack(tmp_path / name)[0][..., 0], volume(dtype="float32"))


@pytest.mark.parametrize(
    "fields",
    [
        ["kinds: RGB-color domain domain domain"],
        ["kinds: vector space space space"],
        ["space: left-posterior-superior", "space directions: none (1,0,0) (0,1,0) (0,0,1)"],
        [],
    ],
)
def test_open_nrrd_tells_channels_from_space(tmp_path, fields):
    array = np.arange(4 * 5 * 6 * 3, dtype="uint16").reshape(4, 5, 6, 3)
    write(tmp_path / "a.nrrd", array, "endian: little", *fields, type_="uint16")
    np.testing.assert_array_equal(read_stack(tmp_path / "a.nrrd")[0], array)


def test_open_nrrd_reads_channels_that_come_last_and_one_section(tmp_path):
    array = np.arange(2 * 4 * 5 * 6, dtype="uint8").reshape(2, 4, 5, 6)
    write(tmp_path / "a.nrrd", array, "kinds: domain domain domain list")
    np.testing.assert_array_equal(read_stack(tmp_path / "a.nrrd")[0], np.moveaxis(array, 0, -1))
    write(tmp_path / "b.nrrd", volume()[0])
    np.testing.assert_array_equal(read_stack(tmp_path / "b.nrrd")[0][0, ..., 0], volume()[0])


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (["spacings: 1 2 3", 'units: "um" "um" "um"'], (3e3, 2e3, 1e3)),
        (["spacings: 1 2 3"], None),
        (["space dimension: 3", "space directions: (0,4,0) (3,0,0) (0,0,5)", 'space units: "nm" "nm" "nm"'], (5, 3, 4)),
        (["space: left-posterior-superior", "space directions: (0.6,0.8,0) (0,2,0) (0,0,3)"], (3e6, 2e6, 1e6)),
        (["space dimension: 3", "space directions: (1,0,0) (0,1,0) (0,0,1)"], None),
        ([], None),
    ],
)
def test_open_nrrd_knows_the_size_of_a_voxel_in_nanometres(tmp_path, fields, expected):
    write(tmp_path / "a.nrrd", volume(), *fields)
    size = open_volume(tmp_path / "a.nrrd").voxel_size
    assert size is None if expected is None else size == pytest.approx(expected)


@pytest.mark.parametrize(
    ("space", "directions", "expected"),
    [
        ("left-posterior-superior", "(1,0,0) (0,1,0) (0,0,1)", "LPS"),
        ("RAS", "(0,-1,0) (1,0,0) (0,0,1)", "PRS"),
        ("right-anterior-superior", "(-1,0.1,0) (0,1,0) (0,0,-1)", "LAI"),
    ],
)
def test_open_nrrd_knows_where_the_axes_lead(tmp_path, space, directions, expected):
    write(tmp_path / "a.nrrd", volume(), f"space: {space}", f"space directions: {directions}")
    assert open_volume(tmp_path / "a.nrrd").orientation == expected


def test_open_nrrd_refuses_points_of_time_and_two_axes_of_channels(tmp_path):
    write(tmp_path / "a.nrrd", np.zeros((6, 4, 5, 7), "uint8"), "kinds: domain domain domain time")
    with pytest.raises(ValueError, match=r"one volume\. Received: '.*a\.nrrd' with 6 points of time"):
        read_stack(tmp_path / "a.nrrd")
    write(tmp_path / "b.nrrd", np.zeros((2, 4, 5, 3), "uint8"), "kinds: vector domain domain list")
    with pytest.raises(
        ValueError, match=r"at most one of channels\. Received: .* the kinds vector, domain, domain, list"
    ):
        read_stack(tmp_path / "b.nrrd")
