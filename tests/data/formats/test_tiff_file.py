import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from unetdyn.data import read_stack
from unetdyn.data.formats.tiff_file import open_tiff, voxel_size_of_tiff, without_repeats
from unetdyn.data.formats.volume import sections_of
from volume_files import volume

OME = (
    '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{own}"><Image ID="Image:0">'
    '<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="5" SizeY="4" SizeZ="3" SizeC="1" SizeT="1" '
    'PhysicalSizeX="0.1" PhysicalSizeY="200" PhysicalSizeYUnit="nm" PhysicalSizeZ="3">'
    '<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
)


def ome_set(folder):
    """A section a file, in files that name each other, as the OME model has it."""
    uuids = [f"00000000-0000-0000-0000-00000000000{index}" for index in range(3)]
    planes = "".join(
        f'<TiffData IFD="0" FirstZ="{index}" PlaneCount="1">'
        f'<UUID FileName="s{index}.ome.tif">urn:uuid:{uuid}</UUID></TiffData>'
        for index, uuid in enumerate(uuids)
    )
    for index, uuid in enumerate(uuids):
        xml = OME.format(own=uuid, planes=planes)
        tifffile.imwrite(folder / f"s{index}.ome.tif", volume()[index], description=xml, metadata=None)
    return sorted(folder.iterdir())


def test_ome_tiff_in_several_files_is_read_once(tmp_path):
    files = ome_set(tmp_path)
    assert without_repeats(files) == files[:1]
    images, names = read_stack(tmp_path)
    np.testing.assert_array_equal(images[..., 0], volume())
    assert len(names) == 3
    for file in files:
        np.testing.assert_array_equal(read_stack(file)[0][..., 0], volume())
        np.testing.assert_array_equal(sections_of(open_tiff(file), tmp_path)[:][..., 0], volume())


def test_ome_tiff_without_all_of_its_files_is_refused(tmp_path):
    files = ome_set(tmp_path)
    files[1].unlink()
    for read in (read_stack, open_tiff, lambda path: read_stack(path.parent)):
        with pytest.raises(ValueError, match=r"s0\.ome\.tif', of whose 3 pages 1 are missing here\. Are they in other"):
            read(files[0])


def test_voxel_size_of_tiff_reads_ome_and_imagej(tmp_path):
    assert voxel_size_of_tiff(ome_set(tmp_path)[0]) == pytest.approx((3000, 200, 100))
    of_imagej = {"imagej": True, "resolution": (4, 2), "metadata": {"axes": "ZYX", "spacing": 5, "unit": "um"}}
    tifffile.imwrite(tmp_path / "a.tif", volume(), **of_imagej)
    assert voxel_size_of_tiff(tmp_path / "a.tif") == pytest.approx((5000, 500, 250))
    tifffile.imwrite(tmp_path / "b.tif", volume(), photometric="minisblack", resolution=(300, 300), resolutionunit=2)
    assert voxel_size_of_tiff(tmp_path / "b.tif") is None
    of_imagej["metadata"]["unit"] = "pixel"
    tifffile.imwrite(tmp_path / "c.tif", volume(), **of_imagej)
    assert voxel_size_of_tiff(tmp_path / "c.tif") is None


@pytest.mark.parametrize(
    "options",
    [
        {"photometric": "minisblack"},
        {"photometric": "minisblack", "compression": "zlib"},
        {"photometric": "minisblack", "compression": "lzw", "predictor": True},
        {"photometric": "minisblack", "tile": (16, 16)},
        {"photometric": "minisblack", "byteorder": ">"},
        {"imagej": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "ZYX"}},
    ],
)
def test_open_tiff_reads_parts_of_pages(tmp_path, options):
    array = volume(3, 40, 50, "uint16")
    tifffile.imwrite(tmp_path / "a.tif", array, **options)
    sections = sections_of(open_tiff(tmp_path / "a.tif"), tmp_path)
    assert (sections.shape, sections.dtype) == ((3, 40, 50, 1), np.uint16)
    np.testing.assert_array_equal(sections[1:, 3:30, 7:9][..., 0], array[1:, 3:30, 7:9])
    np.testing.assert_array_equal(sections[:], read_stack(tmp_path / "a.tif")[0])


def test_pages_are_read_by_several_threads_at_once(tmp_path):
    """Of a set of files, each of which is opened for a page and closed again; tifffile itself leaves that unguarded."""
    sections = sections_of(open_tiff(ome_set(tmp_path)[0]), tmp_path)
    places = np.random.default_rng(0).integers(0, 3, 200).tolist()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(lambda place: sections[place][..., 0], places))
    finally:
        sys.setswitchinterval(interval)
    np.testing.assert_array_equal(found, volume()[places])


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_open_tiff_reads_colours_channels_and_one_page(tmp_path, compression):
    colours = np.random.default_rng(0).integers(0, 255, (2, 20, 30, 3), "uint8")
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="rgb", compression=compression)
    tifffile.imwrite(tmp_path / "b.tif", colours[0, ..., 0], compression=compression)
    np.testing.assert_array_equal(sections_of(open_tiff(tmp_path / "a.tif"), tmp_path)[1, 2:9], colours[1, 2:9])
    np.testing.assert_array_equal(sections_of(open_tiff(tmp_path / "b.tif"), tmp_path)[0][..., 0], colours[0, ..., 0])
    hyperstack = {"imagej": True, "metadata": {"axes": "ZCYX"}}
    tifffile.imwrite(tmp_path / "c.tif", np.moveaxis(colours, -1, 1), **hyperstack)
    np.testing.assert_array_equal(sections_of(open_tiff(tmp_path / "c.tif"), tmp_path)[1, 2:9], colours[1, 2:9])


def test_open_tiff_refuses_what_needs_more_than_decoding(tmp_path):
    tifffile.imwrite(tmp_path / "b.tif", volume(), photometric="miniswhite")
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((2, 3, 4, 5), "uint8"), imagej=True, metadata={"axes": "TZYX"})
    tifffile.imwrite(tmp_path / "d.tif", volume() > 9, photometric="minisblack")
    tifffile.imwrite(tmp_path / "e.tif", np.zeros((2, 32, 32), "uint8"), photometric="minisblack", compression="jpeg")
    assert open_tiff(tmp_path / "e.tif").array.shape == (2, 32, 32)
    for name in ("b.tif", "c.tif", "d.tif", "e.tif"):
        with pytest.raises(ValueError, match=rf"must be one series of grey or RGB pages .*Received: '.*{name}'"):
            open_tiff(tmp_path / name, mask=True)
