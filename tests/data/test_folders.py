import unicodedata

import numpy as np
import pytest
import tifffile
from PIL import Image

from unetdyn.data import read_stack
from unetdyn.data.folders import list_images, name_files, subfolders_named


def put(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((2, 2), "uint8")).save(path)


def names(path, **options):
    return list(name_files({"": path}, **options))


def test_list_images_refuses_images_in_sub_folders_unless_told(tmp_path):
    put(tmp_path / "a.png", *(tmp_path / "more" / f"{number}.png" for number in range(9)))
    text = r"with 1 images of its own and more in the sub-folders 'more'\. Pass `recursive=True` to read those too"
    with pytest.raises(ValueError, match=text):
        list_images(tmp_path)
    assert names(tmp_path, recursive=True) == ["a", *(f"more/{number}" for number in range(9))]
    assert names(tmp_path, recursive=False) == ["a"]


def test_list_images_refuses_a_folder_of_nothing_but_sub_folders(tmp_path):
    put(tmp_path / "p1" / "deep" / "a.png", tmp_path / "p2" / "a.TIF")
    with pytest.raises(ValueError, match=r"with 0 images of its own and more in the sub-folders 'p1', 'p2'\."):
        list_images(tmp_path)
    with pytest.raises(ValueError, match="must hold at least one image"):
        list_images(tmp_path, recursive=False)


def test_list_images_sorts_sub_folders_naturally(tmp_path):
    put(*(tmp_path / f"p{patient}" / f"s{section}.png" for patient in (10, 2) for section in (10, 9)))
    assert names(tmp_path, recursive=True) == ["p2/s9", "p2/s10", "p10/s9", "p10/s10"]


def test_list_images_passes_over_what_systems_put_there(tmp_path):
    put(tmp_path / "a.png", tmp_path / "b.PNG", tmp_path / "c.Jpeg", tmp_path / ".checkpoints" / "a.png")
    put(tmp_path / "@eaDir" / "a.png" / "SYNOPHOTO_THUMB_M.jpg", tmp_path / "__MACOSX" / "a.png")
    for name in ("Thumbs.db", "._a.png", ".DS_Store", "desktop.ini", "Icon\r", "patients.xlsx", "patients.csv"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("x")
    assert names(tmp_path) == ["a", "b", "c"]
    assert names(tmp_path, recursive=True) == ["a", "b", "c"]


@pytest.mark.parametrize("name", ["IM0001", "a.png.crdownload", "a.czi", "a.zip", "a.png~"])
def test_list_images_refuses_a_file_that_may_be_an_image(tmp_path, name):
    put(tmp_path / "a.png")
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(ValueError, match=rf"Received: '.*{name}'\. Convert that file, or move it out of the folder"):
        list_images(tmp_path)


def test_list_images_refuses_a_folder_that_is_an_image(tmp_path):
    put(tmp_path / "a.png")
    (tmp_path / "b.n5").mkdir()
    (tmp_path / "b.n5" / "attributes.json").write_text("{}")
    with pytest.raises(ValueError, match=r"Received: '.*b\.n5'"):
        list_images(tmp_path)


def test_list_images_refuses_a_link_to_nothing(tmp_path):
    put(tmp_path / "a.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(ValueError, match=r"Received: '.*b\.png', a link to '.*gone\.png', where nothing is\. Fetch"):
        list_images(tmp_path)


def test_list_images_refuses_what_is_not_downloaded(tmp_path):
    put(tmp_path / "a.png")
    (tmp_path / ".b.png.icloud").write_bytes(b"x")
    with pytest.raises(
        ValueError, match=r"must be on this machine\. Received: '.*\.b\.png\.icloud'.*Download it first"
    ):
        list_images(tmp_path)


def test_list_images_follows_links_but_not_in_a_circle(tmp_path):
    put(tmp_path / "images" / "a.png", tmp_path / "elsewhere" / "b.png")
    (tmp_path / "images" / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images" / "circle").symlink_to(tmp_path / "images")
    with pytest.raises(ValueError, match=r"in the sub-folders 'link'\."):
        list_images(tmp_path / "images")
    assert names(tmp_path / "images", recursive=True) == ["a", "link/b"]


def test_list_images_leaves_what_belongs_to_the_masks(tmp_path):
    put(tmp_path / "a.png", tmp_path / "masks" / "a.png")
    assert names(tmp_path, apart=frozenset({(tmp_path / "masks").resolve()})) == ["a"]


def test_name_files_knows_a_name_in_any_form_of_unicode(tmp_path):
    composed, parted = (unicodedata.normalize(form, "Müller") for form in ("NFC", "NFD"))
    put(tmp_path / f"{parted}.png")
    assert names(tmp_path) == [composed]


def test_name_files_refuses_two_files_of_one_name_and_shows_the_difference(tmp_path):
    for form in ("NFC", "NFD"):
        put(tmp_path / f"{unicodedata.normalize(form, 'ü')}.png")
    if len(list(tmp_path.iterdir())) == 1:
        pytest.skip("this file system has one form of Unicode")
    with pytest.raises(ValueError, match=r"'u\\u0308\.png' and '\\xfc\.png', one name in two forms of Unicode"):
        names(tmp_path)


def test_name_files_orders_names_that_differ_in_case_alone(tmp_path):
    put(tmp_path / "b.png", tmp_path / "B.png", tmp_path / "a.png")
    if len(list(tmp_path.iterdir())) == 2:
        pytest.skip("this file system does not tell upper from lower case")
    assert names(tmp_path) == ["a", "B", "b"]


def test_subfolders_named_finds_each_once(tmp_path):
    put(tmp_path / "images" / "images" / "a.png", tmp_path / "p1" / "images" / "a.png")
    put(tmp_path / "q" / "p2" / "images" / "a.png")
    assert list(subfolders_named(tmp_path, "images")) == ["", "p1", "q/p2"]


def test_read_stack_refuses_a_page_and_a_file_of_one_name(tmp_path):
    put(tmp_path / "a[1].png")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((2, 2, 2), "uint8"), photometric="minisblack")
    with pytest.raises(ValueError, match=r"Received: 'a\[1\]' twice, once as page 0 of 'a\[1\]'\. Rename"):
        read_stack(tmp_path)


def test_read_stack_reads_sub_folders_where_asked(tmp_path):
    put(tmp_path / "p1" / "a.png", tmp_path / "p2" / "a.png")
    assert read_stack(tmp_path, recursive=True)[1] == ("p1/a", "p2/a")
