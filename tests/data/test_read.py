import re
import unicodedata

import numpy as np
import pytest
import tifffile
from PIL import Image

from unetdyn.data import read_folder


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    return tmp_path


def save(path, array):
    Image.fromarray(np.asarray(array)).save(path)


def pair(folder, name, grey=100, mask=None, mask_name=None):
    mask = np.eye(4, dtype="uint8") * 255 if mask is None else mask
    save(folder / "images" / f"{name}.png", np.full((4, 4), grey, "uint8"))
    save(folder / "masks" / f"{mask_name or name}.png", mask)


def test_read_folder_pairs_by_name_in_natural_order(folder):
    pair(folder, "10", grey=10)
    pair(folder, "9", grey=9, mask=np.zeros((4, 4), "uint8"), mask_name="9_mask")
    stack = read_folder(folder)
    assert stack.names == ("9", "10")
    assert stack.images[:, 0, 0, 0].tolist() == [9, 10]
    assert stack.masks.sum(axis=(1, 2, 3)).tolist() == [0, 4]


def test_read_folder_reads_one_bit_and_eight_bit_masks_alike(folder):
    eye = np.eye(4, dtype=bool)
    pair(folder, "a", mask=eye)
    pair(folder, "b", mask=eye.astype("uint8"))
    pair(folder, "c", mask=eye.astype("uint8") * 255)
    pair(folder, "d", mask=eye.astype("uint16") * 65535)
    with Image.open(folder / "masks" / "a.png") as image:
        assert image.mode == "1"
    np.testing.assert_array_equal(read_folder(folder).masks[..., 0], np.stack([eye] * 4))


def test_read_folder_gives_a_white_section_of_one_bit_the_range_of_the_others(folder):
    pair(folder, "a", grey=200)
    pair(folder, "b")
    save(folder / "images" / "b.png", np.ones((4, 4), bool))
    assert read_folder(folder).images.max(axis=(1, 2, 3)).tolist() == [200, 255]


def test_read_folder_turns_an_image_and_its_mask_as_their_exif_orientation_says(folder):
    exif, mask = Image.Exif(), np.triu(np.ones((4, 4), bool), 1)
    exif[274] = 8
    Image.fromarray(mask.astype("uint8") * 200).save(folder / "images" / "a.png", exif=exif)
    Image.fromarray(np.rot90(mask)).save(folder / "masks" / "a.png")  # drawn on what the viewer showed
    stack = read_folder(folder)
    np.testing.assert_array_equal(stack.images, 200 * stack.masks)


def test_read_folder_reads_palette_masks_as_indices(folder):
    indices = np.arange(16, dtype="uint8").reshape(4, 4) % 3
    pair(folder, "a")
    image = Image.fromarray(indices).convert("P")
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    image.save(folder / "masks" / "a.png")
    np.testing.assert_array_equal(read_folder(folder, classes=3).masks[0, ..., 0], indices)


@pytest.mark.parametrize("name", ["images", "images.tif"])
def test_read_folder_reads_two_multi_page_files(tmp_path, name):
    images = np.random.default_rng(0).integers(0, 65535, (3, 5, 6)).astype("uint16")
    masks = (images > 30000).astype("uint8")
    tifffile.imwrite(tmp_path / "images.tif", images, photometric="minisblack")
    tifffile.imwrite(tmp_path / "masks.tif", masks * 255, photometric="minisblack")
    stack = read_folder(tmp_path, images=name)
    assert stack.names == ("images[0]", "images[1]", "images[2]")
    np.testing.assert_array_equal(stack.images[..., 0], images)
    np.testing.assert_array_equal(stack.masks[..., 0], masks)


def test_read_folder_refuses_files_of_different_page_counts(tmp_path):
    tifffile.imwrite(tmp_path / "images.tif", np.zeros((3, 8, 8), "uint8"), photometric="minisblack")
    tifffile.imwrite(tmp_path / "masks.tif", np.zeros((2, 8, 8), "uint8"), photometric="minisblack")
    with pytest.raises(ValueError, match=r"3 pages of images, 2 of masks"):
        read_folder(tmp_path)


def test_read_folder_pairs_pages_of_files_inside_folders(folder):
    tifffile.imwrite(folder / "images" / "a.tif", np.zeros((2, 8, 8), "uint8"), photometric="minisblack")
    masks = np.stack([np.eye(8, dtype="uint8"), np.ones((8, 8), "uint8")])
    tifffile.imwrite(folder / "masks" / "a_mask.tif", masks, photometric="minisblack")
    stack = read_folder(folder)
    assert stack.names == ("a[0]", "a[1]")
    np.testing.assert_array_equal(stack.masks[..., 0], masks)


def test_read_folder_reads_files_of_several_pages_beside_single_ones(folder):
    tifffile.imwrite(folder / "images" / "a.tif", np.zeros((2, 4, 4), "uint8"), photometric="minisblack")
    tifffile.imwrite(folder / "masks" / "a.tif", np.ones((2, 4, 4), "uint8"), photometric="minisblack")
    pair(folder, "b")
    stack = read_folder(folder)
    assert stack.names == ("a[0]", "a[1]", "b")
    assert stack.masks.sum(axis=(1, 2, 3)).tolist() == [16, 16, 4]


def test_read_folder_refuses_a_mask_of_fewer_pages(folder):
    tifffile.imwrite(folder / "images" / "a.tif", np.zeros((2, 4, 4), "uint8"), photometric="minisblack")
    pair(folder, "b", mask_name="a")
    (folder / "images" / "b.png").unlink()
    with pytest.raises(ValueError, match=r"image 'a' with 2 pages of images, 1 of masks in 'a\.png'\."):
        read_folder(folder)


def test_read_folder_lists_what_is_unpaired(folder):
    for name in ("a", "b"):
        pair(folder, name)
    (folder / "masks" / "a.png").rename(folder / "masks" / "A1.png")
    text = "1 images without a mask: 'a'; 1 masks without an image: 'A1'."
    with pytest.raises(ValueError, match=re.escape(text)):
        read_folder(folder)


def test_read_folder_lists_at_most_ten_unpaired(folder):
    for index in range(12):
        save(folder / "images" / f"{index}.png", np.zeros((4, 4), "uint8"))
    pair(folder, "12")
    with pytest.raises(ValueError, match=r"12 images without a mask: '0', .*'9' and 2 more; 0 masks .*: nothing"):
        read_folder(folder)


def test_read_folder_refuses_two_masks_for_one_image(folder):
    pair(folder, "a")
    save(folder / "masks" / "a_mask.png", np.zeros((4, 4), "uint8"))
    with pytest.raises(ValueError, match=r"two masks for image 'a', one of them 'a_mask'"):
        read_folder(folder)


def random_pair(image, mask):
    """Files of their own grey values, so that a wrong pair would show: the mask is where the image is bright."""
    rng = np.random.default_rng(sum(map(ord, str(image))))
    grey = rng.integers(0, 255, (4, 4), dtype="uint8")
    for path, array in ((image, grey), (mask, (grey > 127).astype("uint8") * 255)):
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, array)


def assert_paired(stack):
    np.testing.assert_array_equal(stack.masks, stack.images > 127)


def test_read_folder_pairs_by_patterns(folder):
    for number in (2, 1, 11):
        random_pair(folder / "images" / f"image_{number}.png", folder / "masks" / f"mask_{number}.png")
    with pytest.raises(ValueError, match=r'Pass `pair=\("image_\{\}", "mask_\{\}"\)`, which pairs 3 of them'):
        read_folder(folder)
    stack = read_folder(folder, pair=("image_{}", "mask_{}"))
    assert stack.names == ("image_1", "image_2", "image_11")
    assert_paired(stack)


def test_read_folder_pairs_names_in_two_forms_of_unicode(folder):
    composed, parted = (unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD"))
    random_pair(folder / "images" / f"{composed}.png", folder / "masks" / f"{parted}.png")
    assert read_folder(folder).names == (composed,)


@pytest.mark.parametrize(("mask", "pair"), [("{}_mask", None), ("{}_gt", ("{}", "{}_gt"))])
@pytest.mark.parametrize("where", [".", "data"])
def test_read_folder_tells_images_from_masks_in_one_folder(tmp_path, mask, pair, where):
    for name in "ab":
        random_pair(tmp_path / where / f"{name}.png", tmp_path / where / f"{mask.format(name)}.png")
    stack = read_folder(tmp_path, images=where, masks=where, pair=pair)
    assert stack.names == ("a", "b")
    assert_paired(stack)


def test_read_folder_refuses_one_folder_without_masks(tmp_path):
    random_pair(tmp_path / "images" / "a.png", tmp_path / "masks" / "a.png")
    with pytest.raises(ValueError, match=r"1 images without a mask: 'a'; 0 masks"):
        read_folder(tmp_path, masks="images")


def test_read_folder_reads_images_beside_the_folder_of_their_masks(tmp_path):
    random_pair(tmp_path / "a.png", tmp_path / "masks" / "a.png")
    assert_paired(read_folder(tmp_path, images="."))


@pytest.mark.parametrize(
    ("image", "mask", "options"),
    [
        ("images/{p}/{s}.png", "masks/{p}/{s}.png", {}),
        ("{p}/images/{s}.png", "{p}/masks/{s}.png", {}),
        ("{p}/{s}.png", "{p}/{s}_mask.png", {"images": ".", "masks": "."}),
        ("{p}/{s}.png", "{p}/masks/{s}.png", {"images": "."}),
        ("{p}/images/i{s}.png", "{p}/masks/m{s}.png", {"pair": ("i{}", "m{}")}),
    ],
)
def test_read_folder_reads_sub_folders_in_any_layout(tmp_path, image, mask, options):
    for p, s in (("p2", "1"), ("p10", "1"), ("p2", "10")):
        random_pair(tmp_path / image.format(p=p, s=s), tmp_path / mask.format(p=p, s=s))
    with pytest.raises((ValueError, FileNotFoundError), match=r"recursive=True"):
        read_folder(tmp_path, **options)
    stack = read_folder(tmp_path, **options, recursive=True)
    assert tuple(name.replace("i", "") for name in stack.names) == ("p2/1", "p2/10", "p10/1")
    assert_paired(stack)


def test_read_folder_reads_the_folders_on_top_and_below_together(tmp_path):
    random_pair(tmp_path / "images" / "a.png", tmp_path / "masks" / "a.png")
    random_pair(tmp_path / "p1" / "images" / "a.png", tmp_path / "p1" / "masks" / "a.png")
    assert read_folder(tmp_path, recursive=True).names == ("a", "p1/a")


def several(tmp_path, shape=(4, 4)):
    """One folder an image, with a mask for each object in it."""
    for folder in "xy":
        for sub in ("images", "masks"):
            (tmp_path / folder / sub).mkdir(parents=True)
        save(tmp_path / folder / "images" / f"{folder}.png", np.full((4, 4), 100, "uint8"))
        for number in range(3):
            mask = np.zeros(shape if number else (4, 4), "uint8")
            mask[number, number] = 255
            save(tmp_path / folder / "masks" / f"{number}{number}.png", mask)
    return tmp_path


def test_read_folder_unites_the_masks_of_one_image(tmp_path):
    several(tmp_path)
    with pytest.raises(
        ValueError, match=r'Pass `pair=\("\{\}/\*", "\{\}/\*"\)`, which gives the one image of a folder'
    ):
        read_folder(tmp_path, recursive=True)
    stack = read_folder(tmp_path, recursive=True, pair=("{}/*", "{}/*"))
    assert stack.names == ("x/x", "y/y")
    np.testing.assert_array_equal(stack.masks[0, ..., 0], np.diag([1, 1, 1, 0]))


@pytest.mark.parametrize(("shape", "classes"), [((4, 8), 1), ((4, 4), 2)])
def test_read_folder_refuses_to_unite_what_does_not_fit(tmp_path, shape, classes):
    with pytest.raises(
        ValueError, match=r"united only with `classes=1`, and where all have one size\. Received: 3 masks"
    ):
        read_folder(several(tmp_path, shape), recursive=True, pair=("{}/*", "{}/*"), classes=classes)


@pytest.mark.parametrize("recursive", [None, True])
def test_read_folder_leaves_no_sub_folder_out(folder, recursive):
    pair(folder, "a")
    for number in range(9):
        random_pair(folder / "images" / "more" / f"{number}.png", folder / "masks" / "more" / f"{number}.png")
    if recursive is None:
        with pytest.raises(ValueError, match=r"with 1 images of its own and more in the sub-folders 'more'"):
            read_folder(folder)
    else:
        assert len(read_folder(folder, recursive=True)) == 10
    assert len(read_folder(folder, recursive=False)) == 1


def test_read_folder_says_what_a_wrong_path_has_beside_it(folder):
    with pytest.raises(FileNotFoundError, match=r"no folder; the folder '.*' holds 'images', 'masks'\."):
        read_folder(folder / "vnc")
    with pytest.raises(FileNotFoundError, match=r"Received: masks='labels', which is not there; the folder '.*' holds"):
        read_folder(folder, masks="labels")


def test_read_folder_refuses_an_empty_folder(folder):
    with pytest.raises(ValueError, match=r"images', a folder without any file of the extensions that are read: \.png"):
        read_folder(folder)


def test_read_folder_refuses_a_mask_of_another_size(folder):
    pair(folder, "a", mask=np.zeros((4, 8), "uint8"))
    with pytest.raises(ValueError, match=r"image 'a' of 4×4 pixels, but its mask of 4×8"):
        read_folder(folder)


def test_read_folder_names_the_orientation_where_a_mask_fits_turned_by_a_quarter(folder):
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(np.zeros((4, 8), "uint8")).save(folder / "images" / "a.png", exif=exif)
    save(folder / "masks" / "a.png", np.eye(4, 8, dtype=bool))
    with pytest.raises(ValueError, match=r"image 'a' of 8×4 pixels, but its mask of 4×8.*EXIF orientation"):
        read_folder(folder)


def test_read_folder_refuses_images_of_two_sizes(folder):
    pair(folder, "a")
    save(folder / "images" / "b.png", np.zeros((8, 4), "uint8"))
    save(folder / "masks" / "b.png", np.zeros((8, 4), "uint8"))
    with pytest.raises(ValueError, match=r"'a' of 4×4 pixels, 1 channel, uint8, but 'b' of 8×4 pixels"):
        read_folder(folder)


def test_read_folder_refuses_a_nan_image(folder):
    image = np.zeros((4, 4), "float32")
    image[1, 1] = np.nan
    tifffile.imwrite(folder / "images" / "a.tif", image)
    save(folder / "masks" / "a.png", np.zeros((4, 4), "uint8"))
    with pytest.raises(ValueError, match=r"`images` must be finite, but image 'a' holds 1 NaN"):
        read_folder(folder)


def test_read_folder_refuses_a_mask_of_three_values(folder):
    pair(folder, "a", mask=np.arange(16, dtype="uint8").reshape(4, 4) % 3 * 100)
    with pytest.raises(ValueError, match=r"0 and one other value. Received: mask 'a' with 3 values \(0, 100, 200\)"):
        read_folder(folder)
    assert read_folder(folder, mask_threshold=0.5).masks.sum() == 5


def test_read_folder_leaves_out_the_pixels_of_a_value(folder):
    masks = [[[0, 1], [255, 255]], [[0, 0], [0, 255]]]
    for name, mask in zip("ab", masks, strict=True):
        pair(folder, name, mask=np.kron(mask, np.ones((2, 2))).astype("uint8"))
    with pytest.raises(ValueError, match=r"mask 'a' with 3 values \(0, 1, 255\).*`ignore=255`"):
        read_folder(folder)
    stack = read_folder(folder, ignore=255)
    np.testing.assert_array_equal(stack.masks[:, ::2, ::2, 0], [[[0, 1], [0, 0]], [[0, 0], [0, 0]]])
    np.testing.assert_array_equal(stack.weights[:, ::2, ::2, 0], [[[1, 1], [0, 0]], [[1, 1], [1, 0]]])
    assert read_folder(folder, foreground="nonzero").weights is None
    with pytest.raises(ValueError, match=r"2 masks, all background.*`ignore` is not the value of an object"):
        read_folder(folder, ignore=1, foreground="nonzero", masks=str(only_one_value(folder)))


def only_one_value(folder):
    """Masks of the same names in which 1 is all there is above 0."""
    (folder / "others").mkdir()
    for name in "ab":
        save(folder / "others" / f"{name}.png", np.eye(4, dtype="uint8"))
    return folder / "others"


def test_read_folder_makes_foreground_of_all_objects(folder):
    numbers = np.kron(np.arange(16).reshape(4, 4) * 3, np.ones((5, 5))).astype("uint16")
    for name in "ab":
        save(folder / "images" / f"{name}.png", np.zeros((20, 20), "uint8"))
        save(folder / "masks" / f"{name}.png", numbers)
    with pytest.raises(ValueError, match=r"mask 'a' with 16 values.*`foreground='nonzero'`"):
        read_folder(folder)
    np.testing.assert_array_equal(read_folder(folder, foreground="nonzero").masks[0, ..., 0], numbers > 0)


def test_read_folder_refuses_masks_that_are_all_foreground_but_takes_one_such_file(folder):
    for name in "ab":
        pair(folder, name, mask=np.full((4, 4), 255, "uint8"))
    with pytest.raises(
        ValueError, match=r"must mark something, and leave something\. Received: 2 masks, all foreground"
    ):
        read_folder(folder)
    pair(folder, "b")
    assert read_folder(folder).masks.sum(axis=(1, 2, 3)).tolist() == [16, 4]


def test_read_folder_refuses_a_class_count_that_does_not_match(folder):
    pair(folder, "a", mask=np.arange(16, dtype="uint8").reshape(4, 4) % 4)
    with pytest.raises(ValueError, match=r"With `classes=3`.*the largest 3\. .*pass `classes=4`"):
        read_folder(folder, classes=3)
    with pytest.raises(
        ValueError, match=r"classes=6, but the largest class index in the 1 masks is 3\. Pass `classes=4`"
    ):
        read_folder(folder, classes=6)


@pytest.mark.parametrize(
    "options",
    [{"classes": 0}, {"classes": 1.0}, {"classes": 2, "mask_threshold": 0.5}, {"ignore": "x"}, {"foreground": "all"}],
)
def test_read_folder_refuses_arguments_out_of_range(folder, options):
    with pytest.raises(ValueError, match=r"`(classes|mask_threshold|ignore|foreground)` must .*Received: "):
        read_folder(folder, **options)


def test_read_folder_reads_the_real_masks(vnc_mito):
    stack = read_folder(vnc_mito)
    assert stack.images.shape == (20, 1024, 1024, 1)
    assert stack.images.dtype == np.uint8
    assert stack.names == tuple(f"{index:02d}" for index in range(20))
    assert round(100 * float(stack.masks.mean()), 2) == 5.39


def test_read_folder_reads_the_masks_as_published(vnc_mito):
    with pytest.raises(ValueError, match=r"mask '00' with 36 values.*`mask_threshold=0.5`"):
        read_folder(vnc_mito, masks="masks_upstream")
    published = read_folder(vnc_mito, masks="masks_upstream", mask_threshold=0.5)
    with Image.open(vnc_mito / "masks_upstream" / "01.png") as image:
        assert image.mode == "1"
    np.testing.assert_array_equal(published.masks, read_folder(vnc_mito).masks)


def test_read_folder_unites_masks_whichever_value_each_has_for_the_object(folder):
    """A 1-bit file beside an 8-bit one: the larger values are no void, and the smaller ones no background."""
    save(folder / "images" / "a.png", np.zeros((4, 4), "uint8"))
    one, other = np.zeros((2, 4, 4), "uint8")
    one[:2], other[1:, 2:] = 1, 255
    save(folder / "masks" / "a_1.png", one)
    save(folder / "masks" / "a_2.png", other)
    united = read_folder(folder, pair=("{}", "{}_*")).masks[0, ..., 0]
    np.testing.assert_array_equal(united, (one > 0) | (other > 0))
    with pytest.raises(ValueError, match=r"`ignore` goes with one mask an image.*ignore=255, 2 masks"):
        read_folder(folder, pair=("{}", "{}_*"), ignore=255)
