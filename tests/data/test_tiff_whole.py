import struct

import numpy as np
import pytest
import tifffile

from unetdyn.data import read_image, read_stack
from unetdyn.data.files import read_pages

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64)).astype("uint8")
PLAIN = {"photometric": "minisblack", "metadata": None}


def write_pages(path, count, description=None):
    with tifffile.TiffWriter(path) as file:
        for page in range(count):
            file.write(NOISE + page, description=None if page else description, **PLAIN)


def test_read_stack_refuses_a_stack_of_imagej_that_is_cut_short(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif", imagej=True) as file:
        file.write(np.stack([NOISE] * 6))
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:14000])
    with pytest.raises(ValueError, match=r"of 1 page, though its ImageJ description does not fit\. Is it cut short"):
        read_stack(tmp_path / "a.tif")


def test_read_stack_refuses_a_multi_page_file_that_is_cut_between_pages(tmp_path):
    write_pages(tmp_path / "a.tif", 6)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        end = file.pages[3].offset
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:end])
    with pytest.raises(ValueError, match=r"cannot be read .*page offset.*cut short"):
        read_stack(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", ["lzw", "zlib", "packbits", "jpeg"])
def test_read_image_refuses_a_compressed_tiff_that_is_cut_short(tmp_path, compression):
    tifffile.imwrite(tmp_path / "a.tif", NOISE, photometric="minisblack", compression=compression)
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"ends \d+ bytes before its pixels do"):
        read_image(tmp_path / "a.tif")


def test_read_pages_refuses_an_ome_file_whose_other_file_is_missing(tmp_path):
    tifffile.imwrite(tmp_path / "a.ome.tif", np.stack([NOISE, NOISE]), metadata={"axes": "ZYX"})
    with tifffile.TiffFile(tmp_path / "a.ome.tif") as file:
        whole = file.ome_metadata
    plane = '<TiffData IFD="0" FirstZ="{0}" PlaneCount="1"><UUID FileName="{1}.ome.tif">urn:uuid:{1}</UUID></TiffData>'
    parts = whole.replace('<TiffData IFD="0" PlaneCount="2"/>', plane.format(0, "a") + plane.format(1, "b"))
    tifffile.imwrite(tmp_path / "a.ome.tif", NOISE, description=parts.encode(), **PLAIN)
    with pytest.raises(ValueError, match=r"of whose 2 pages 1 are missing here\. Are they in other files"):
        read_pages(tmp_path / "a.ome.tif")


@pytest.mark.parametrize(
    ("held", "description"),
    [
        (6, "ImageJ=1.53t\nimages=3\nslices=3\n"),
        (3, "ImageJ=1.53t\nimages=5\nslices=5\n"),
        (6, "ImageJ=1.53t\nimages=4\nslices=2\nchannels=2\nhyperstack=true\n"),
        (3, '{"shape": [5, 64, 64]}'),
        (5, '{"shape": [3, 64, 64]}'),
    ],
)
def test_read_stack_refuses_a_description_of_other_pages_than_the_file_holds(tmp_path, held, description):
    write_pages(tmp_path / "a.tif", held, description)
    with pytest.raises(ValueError, match=rf"of {held} pages, though its (ImageJ|tifffile) description .*tag 270"):
        read_stack(tmp_path / "a.tif")


def test_read_stack_refuses_an_ome_description_of_fewer_pages_than_the_file_holds(tmp_path):
    tifffile.imwrite(tmp_path / "two.ome.tif", np.stack([NOISE, NOISE]), metadata={"axes": "ZYX"})
    with tifffile.TiffFile(tmp_path / "two.ome.tif") as file:
        write_pages(tmp_path / "three.ome.tif", 3, file.ome_metadata.encode())
    with pytest.raises(ValueError, match=r"of 3 pages, though its OME description tells of 2\. .*tag 270"):
        read_stack(tmp_path / "three.ome.tif")


@pytest.mark.parametrize(("tag", "harms"), [(305, False), (50000, False), (258, True), (273, True)])
def test_read_image_passes_over_damaged_tags_that_say_nothing_of_pixels(tmp_path, tag, harms):
    private = [(50000, "s", 12, "a vendor's own", True)]
    tifffile.imwrite(tmp_path / "a.tif", NOISE, software="a program", extratags=private, **PLAIN)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    start = data.index(struct.pack("<H", tag), 10)
    data[start + 2 : start + 4] = struct.pack("<H", 77)  # no such type of a tag
    (tmp_path / "a.tif").write_bytes(data)
    if harms:
        with pytest.raises(ValueError, match=rf"cannot be read .*TiffTag {tag} .*invalid data type 77"):
            read_image(tmp_path / "a.tif")
    else:
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif")[..., 0], NOISE)
