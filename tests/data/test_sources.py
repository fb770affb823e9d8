import struct
from unittest.mock import Mock

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image

from unetdyn.data.files import read_pages
from unetdyn.data.refused import RefusedFile
from unetdyn.data.sources import check_orientations, classified, described, joined_pages, lazy_pages
from volume_files import WRITERS, volume


@pytest.mark.parametrize("name", [name for name in WRITERS if name not in ("a.nii.gz", "a.nrrd", "a.npz")])
def test_lazy_pages_are_the_pages(tmp_path, name):
    WRITERS[name](tmp_path / name, volume())
    pages, eager = lazy_pages(tmp_path / name), read_pages(tmp_path / name)
    assert [(page.shape, page.dtype) for page in pages] == [(page.shape, page.dtype) for page in eager]
    np.testing.assert_array_equal([np.asarray(page) for page in pages], eager)
    np.testing.assert_array_equal(joined_pages(pages[::-1])[0:2, 1:3], np.stack(eager[::-1])[0:2, 1:3])


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nrrd", "a.npz"])
def test_lazy_pages_refuses_files_that_are_read_as_a_whole(tmp_path, name):
    WRITERS[name](tmp_path / name, volume())
    with pytest.raises(
        ValueError, match=r"needs files of which parts can be read: .*Received: '.*a\..*leave `lazy=True` out"
    ):
        lazy_pages(tmp_path / name)


def test_lazy_pages_of_an_image_file_is_decoded_anew_when_the_file_changed(tmp_path):
    for value in (3, 7):
        Image.fromarray(np.full((4, 5), value, "uint8")).save(tmp_path / "a.png")
        (page,) = lazy_pages(tmp_path / "a.png")
        assert (page.shape, page.dtype) == ((4, 5, 1), np.uint8)
        np.testing.assert_array_equal(page.array[0, 1:3, 2:], np.full((2, 3, 1), value))


def test_joined_pages_of_one_bit_are_0_and_1(tmp_path):
    Image.fromarray(volume()[0] > 20).save(tmp_path / "a.png")
    joined = joined_pages(lazy_pages(tmp_path / "a.png"))
    assert joined.dtype == np.uint8
    np.testing.assert_array_equal(joined[0][..., 0], volume()[0] > 20)


def test_lazy_pages_reads_a_tiff_of_one_page_as_read_image_does(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", volume()[0], photometric="miniswhite")
    np.testing.assert_array_equal(np.asarray(lazy_pages(tmp_path / "a.tif")[0])[..., 0], 255 - volume()[0])
    tifffile.imwrite(tmp_path / "b.tif", volume(), photometric="miniswhite")
    with pytest.raises(ValueError, match=r"With `lazy=True` a TIFF must be one series of grey or RGB pages"):
        lazy_pages(tmp_path / "b.tif")


def test_classified_keeps_what_the_rule_finds_for_each_value(tmp_path):
    masks = np.array([[[0, 7], [7, 0]], [[0, 9], [5, 5]]], "uint16")
    np.save(tmp_path / "a.npy", masks)
    asked = []

    def rule(mask, name):
        asked.append(name)
        return (mask >= mask.max()).astype(np.uint8)  # of each mask another threshold

    pages = lazy_pages(tmp_path / "a.npy")
    reader = Mock(side_effect=pages[0].array.read)
    pages[0].array.read = reader
    found, same = classified(pages, ("first", "second"), [rule, rule])
    assert reader.call_count == 2  # each mask once, whatever is asked of it
    assert (asked, found.shape, found.dtype) == (["first", "first", "second", "second"], (2, 2, 2, 1), np.uint8)
    np.testing.assert_array_equal(found[:][..., 0], [[[0, 1], [1, 0]], [[0, 1], [0, 0]]])
    np.testing.assert_array_equal(found[1, :, 1:][..., 0], [[1], [0]])
    np.testing.assert_array_equal(same[:], found[:])
    with pytest.raises(ValueError, match=r"must follow from its value\. Received: mask 'a', where pixels of one value"):
        classified(lazy_pages(tmp_path / "a.npy"), ("a", "b"), [lambda mask, name: np.arange(4, dtype="uint8")])


def test_described_says_what_is_known(tmp_path):
    for name in WRITERS:
        WRITERS[name](tmp_path / name, volume())
        size, orientation = described(tmp_path / name)
        of_nifti = ".nii" in name
        assert (size, orientation) == (((1e6, 1e6, 1e6), "RAS") if of_nifti else (None, None))
    Image.fromarray(volume()[0]).save(tmp_path / "a.png")
    assert described(tmp_path / "a.png") == (None, None)


def test_check_orientations_refuses_a_mask_that_is_a_mirror_image(tmp_path):
    for name, direction in (("a.nii", 1), ("b.nii", -1)):
        nibabel.save(nibabel.Nifti1Image(volume().T, np.diag([direction, 1, 1, 1])), tmp_path / name)
    image, mirrored = tmp_path / "a.nii", tmp_path / "b.nii"
    check_orientations([(image, image)])
    with pytest.raises(ValueError, match=r"same orientation, .* Received: 'a\.nii' in RAS, but 'b\.nii' in LAS"):
        check_orientations([(image, image), (image, mirrored)])
    np.save(tmp_path / "a.npy", volume())
    check_orientations([(image, tmp_path / "a.npy")])


def test_lazy_pages_refuses_what_is_refused_in_memory(tmp_path):
    with tifffile.TiffWriter(tmp_path / "turned.tif") as file:
        for page, tags in zip(volume(2), ([], [(274, "H", 1, 3, True)]), strict=True):
            file.write(page, photometric="minisblack", metadata=None, extratags=tags)
    tifffile.imwrite(tmp_path / "sizes.tif", volume(1)[0], metadata=None)
    tifffile.imwrite(tmp_path / "sizes.tif", volume(1)[0][::2, ::2], metadata=None, append=True)
    for index in range(4):
        options = {"metadata": None, "append": index > 0, "photometric": "minisblack"}
        tifffile.imwrite(tmp_path / "chain.tif", volume(4)[index], **options)
    with tifffile.TiffFile(tmp_path / "chain.tif") as file:
        link = struct.pack("<I", file.pages[2].offset)
    whole = (tmp_path / "chain.tif").read_bytes()
    (tmp_path / "chain.tif").write_bytes(whole.replace(link, struct.pack("<I", len(whole) + 500), 1))
    labels = np.array([[[0, 2**24, 2**24 + 1]]] * 2, "int64")
    np.save(tmp_path / "labels.npy", labels)
    tifffile.imwrite(tmp_path / "labels.tif", labels, photometric="minisblack")
    texts = {"turned": "orientation tag is 3", "sizes": "differ in size: 4×5, 2×3", "chain": "invalid page offset"}
    files = {**{f"{name}.tif": text for name, text in texts.items()}, "labels.npy": "number", "labels.tif": "number"}
    for name, text in files.items():
        for read in (read_pages, lazy_pages):
            with pytest.raises(ValueError, match=text):
                [np.asarray(page) for page in read(tmp_path / name, mask=True)]


def test_lazy_pages_decodes_no_page_of_a_file_that_it_refuses(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", volume() > 9, photometric="minisblack")
    monkeypatch.setattr("unetdyn.data.sources.pages_with_bits", lambda *_: pytest.fail("read into memory"))
    with pytest.raises(RefusedFile, match=r"of the axes 'QYX', 1 bits, photometric 1\."):
        lazy_pages(tmp_path / "a.tif")
