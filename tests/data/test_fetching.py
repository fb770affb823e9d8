"""Published data sets, from a publisher on this machine that has small stand-ins laid out as the real ones are."""

import sys

import numpy as np
import pytest

from data_server import png, sections, tiff, vnc_archive, zipped
from unetdyn import data


def test_fetch_reads_vnc_as_published(publish, cache):
    archive, images, masks = vnc_archive()
    publish("vnc", [archive])
    fetched = data.fetch("vnc", accept_licence=True)
    stack = fetched.read()
    assert (fetched.parts, stack.names, stack.voxel_size) == (("train",), ("00", "01", "02"), (47.5, 4.6, 4.6))
    np.testing.assert_array_equal(stack.images[..., 0], images)
    np.testing.assert_array_equal(stack.masks[..., 0], masks)
    assert "CC BY-NC-SA 3.0" in (fetched.folder / "LICENCE.txt").read_text(encoding="utf-8")
    # Nothing else is kept: neither the archive nor what was not asked for.
    assert [entry.name for entry in (cache / "vnc").iterdir()] == [fetched.folder.name]
    assert sorted(entry.name for entry in fetched.folder.iterdir()) == ["LICENCE.txt", "train"]


def test_fetch_reads_the_real_masks_of_vnc_in_their_published_form(publish, vnc_mito):
    """1-bit masks beside 8-bit ones with greys, as they are on GitHub."""
    names, members = ("00", "01", "07"), {}
    for name in names:
        image = data.read_image(vnc_mito / "images" / f"{name}.png")[..., 0]
        members[f"master/stack1/raw/{name}.tif"] = tiff(image)
        members[f"master/stack1/mitochondria/{name}.png"] = (vnc_mito / "masks_upstream" / f"{name}.png").read_bytes()
    publish("vnc", [zipped(members)])
    stack = data.fetch("vnc", accept_licence=True).read()
    for place, name in enumerate(names):
        np.testing.assert_array_equal(stack.masks[place] * 255, data.read_image(vnc_mito / "masks" / f"{name}.png"))


def test_fetch_reads_lucchi_in_its_published_parts(publish):
    train, test = sections(3, seed=1), sections(2, seed=2)
    publish("lucchi", [tiff(train[0]), tiff(255 * train[1]), tiff(test[0]), tiff(255 * test[1])])
    fetched = data.fetch("lucchi", accept_licence=True)
    assert fetched.parts == ("test", "train")
    for part, (images, masks) in (("train", train), ("test", test)):
        stack = fetched.read(part)
        np.testing.assert_array_equal(stack.images[..., 0], images)
        np.testing.assert_array_equal(stack.masks[..., 0], masks)
        assert stack.voxel_size == (5, 5, 5)


def test_fetch_leaves_mitoem_on_disk_and_sections_without_labels_out(publish):
    images, masks = sections(5)
    instances = masks.astype(np.uint16) * np.arange(300, 300 + masks.size, dtype=np.uint16).reshape(masks.shape)
    places = (0, 1, 399, 400, 500)  # to train on; to validate; without a label
    labels = {
        f"mito-{'train' if place < 400 else 'val'}-v2/seg{place:04d}.tif": tiff(instance)
        for place, instance in zip(places[:4], instances, strict=False)
    }
    raw = {f"im/im{place:04d}.png": png(image) for place, image in zip(places, images, strict=True)}
    publish("mitoem", [zipped(labels), zipped({**raw, "__MACOSX/im/._im0000.png": b"of macOS"})])
    fetched = data.fetch("mitoem", accept_licence=True)
    train, validation = fetched.read("train"), fetched.read("validation")
    assert fetched.parts == ("train", "validation")
    assert (train.names, validation.names) == (("0000", "0001", "0399"), ("0400",))
    assert isinstance(train.images, data.LazyArray)
    np.testing.assert_array_equal(np.asarray(train.images[:])[..., 0], images[:3])
    np.testing.assert_array_equal(np.asarray(train.masks[:])[..., 0], masks[:3])
    np.testing.assert_array_equal(fetched.read("validation", lazy=False).masks[..., 0], masks[3:4])


def test_fetch_reads_dsb2018_in_a_part_for_each_size(publish):
    members = {}
    wide, square = (12, 16), (8, 8)
    for part, name, size in (("train", "a", wide), ("train", "b", square), ("train", "c", wide), ("test", "d", square)):
        images, masks = sections(1, *size, seed=ord(name))
        members[f"dsb2018/{part}/images/{name}.tif"] = tiff(images[0])
        members[f"dsb2018/{part}/masks/{name}.tif"] = tiff(masks[0].astype(np.uint16) * 700)
    publish("dsb2018", [zipped(members)])
    fetched = data.fetch("dsb2018", accept_licence=True)
    assert fetched.parts == ("test_8x8", "train_8x8", "train_12x16")
    assert fetched.read("train_12x16").names == ("a", "c")
    assert fetched.read("train_12x16").masks.max() == 1
    with pytest.raises(ValueError, match=r"`part` must be one of 'test_8x8', .*Received: part='train'\. Did you mean"):
        fetched.read()


def test_fetch_needs_no_network_for_what_is_cached(publish, capsys):
    archive = vnc_archive()[0]
    publisher = publish("vnc", [archive])
    first = data.fetch("vnc", accept_licence=True)
    assert len(publisher.asked) == 1
    assert "Fetching the data set 'vnc' (https://github.com/unidesigner" in capsys.readouterr().err
    publisher.files.clear()
    assert data.fetch("vnc", accept_licence=True) == first
    assert (len(publisher.asked), capsys.readouterr().err) == (1, "")


def test_fetch_downloads_nothing_without_an_accepted_licence(publish, cache):
    publisher = publish("vnc", [vnc_archive()[0]])
    said = (
        r"`accept_licence` must be True to have the data set 'vnc'\. Received: accept_licence=False\. Licence: CC "
        r"BY-NC-SA 3\.0 Unported\. To generate or test non-commercial .* Cite: Gerhard.*https://creativecommons"
    )
    with pytest.raises(ValueError, match=said):
        data.fetch("vnc")
    with pytest.raises(ValueError, match=r"`accept_licence` must be True or False\. Received: accept_licence='yes'"):
        data.fetch("vnc", accept_licence="yes")
    assert (publisher.asked, cache.exists()) == ([], False)


@pytest.mark.parametrize(("answer", "accepted"), [("y", True), ("YES ", True), ("", False), ("no", False)])
def test_fetch_asks_at_a_terminal(publish, monkeypatch, capsys, answer, accepted):
    publish("vnc", [vnc_archive()[0]])
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    if accepted:
        assert data.fetch("vnc").parts == ("train",)
    else:
        with pytest.raises(ValueError, match="`accept_licence` must be True"):
            data.fetch("vnc")
    assert "CC BY-NC-SA 3.0" in capsys.readouterr().out


def test_fetch_downloads_nothing_where_it_can_not_be_kept(publish, cache, monkeypatch):
    publisher = publish("vnc", [vnc_archive()[0]])
    cache.write_text("a file where the folder would be")  # as root may write everywhere else
    with pytest.raises(
        OSError, match=r"cache must be a folder that can be written to\. Received: .*UNETDYN_DATA_CACHE"
    ):
        data.fetch("vnc", accept_licence=True)
    assert publisher.asked == []


def test_fetch_reads_a_cache_of_others_without_writing(publish, cache, monkeypatch):
    publish("vnc", [vnc_archive()[0]])
    first = data.fetch("vnc", accept_licence=True)

    def refuse(*_, **__):
        raise PermissionError("read-only")

    monkeypatch.setattr("unetdyn.data.fetching._check_writable", refuse)
    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    assert len(data.fetch("vnc", accept_licence=True).read()) == 3
    assert first.folder.stat().st_mode & 0o055 == 0o055  # and others may read it
