"""What comes whole and right is kept, and nothing else."""

import hashlib
import json
import logging
import shutil
import sys

import pytest

from data_server import sections, tiff, vnc_archive
from unetdyn import data
from unetdyn.data.datasets import DATASETS
from unetdyn.data.download import _Progress


@pytest.fixture
def shown():
    """What pooch's own logger says, which goes to no other."""
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = pytest.importorskip("pooch").get_logger()
    logger.addHandler(handler)
    yield lines
    logger.removeHandler(handler)


def test_download_keeps_nothing_with_a_wrong_checksum(publish, cache):
    publisher = publish("vnc", [vnc_archive()[0]])
    publisher.files["/master.zip"] += b"."
    with pytest.raises(ValueError, match=r"must have the checksum that is expected\. Received: http.*does not match"):
        data.fetch("vnc", accept_licence=True)
    assert not [entry for entry in (cache / "vnc").rglob("*") if entry.is_file()]


@pytest.mark.parametrize("name", ["vnc", "lucchi"])
def test_download_never_takes_half_a_file_for_whole(publish, cache, name):
    """With a published checksum, and with none."""
    images, masks = sections(40)
    whole = [vnc_archive()[0]] if name == "vnc" else [tiff(images), tiff(255 * masks)] * 2
    publisher = publish(name, whole)
    publisher.halved.add(f"/{DATASETS[name].files[0].name}")
    with pytest.raises(ConnectionError, match=r"files must be within reach\. Received: .*IncompleteRead"):
        data.fetch(name, accept_licence=True)
    assert not [entry for entry in (cache / name).rglob("*") if entry.is_file()]
    publisher.halved.clear()
    assert len(data.fetch(name, accept_licence=True).read()) == {"vnc": 3, "lucchi": 40}[name]


def test_download_does_not_ask_again_for_what_came_before_a_break(publish):
    images, masks = sections(2)
    publisher = publish("lucchi", [tiff(images), tiff(255 * masks)] * 2)
    publisher.halved.add("/testing.tif")
    with pytest.raises(ConnectionError):
        data.fetch("lucchi", accept_licence=True)
    publisher.halved.clear()
    data.fetch("lucchi", accept_licence=True)
    names = ["/training.tif", "/training_groundtruth.tif", "/testing.tif", "/testing.tif", "/testing_groundtruth.tif"]
    assert publisher.asked == names


def test_download_says_where_it_looked_for_what_is_not_there(publish):
    publish("vnc", [vnc_archive()[0]]).files.clear()
    with pytest.raises(
        ConnectionError, match=r"Received: 404 .*, from http://127.*/master\.zip\. Nothing of it was kept"
    ):
        data.fetch("vnc", accept_licence=True)


def test_download_expects_the_first_checksum_where_none_is_published(publish, cache, shown):
    images, masks = sections(2)
    publisher = publish("lucchi", [tiff(images), tiff(255 * masks)] * 2)
    folder = data.fetch("lucchi", accept_licence=True).folder
    kept = json.loads((cache / "lucchi" / "checksums.json").read_text(encoding="utf-8"))
    expected = [hashlib.sha256(publisher.files[f"/{remote.name}"]).hexdigest() for remote in DATASETS["lucchi"].files]
    assert list(kept.values()) == expected
    assert [
        line for line in shown if "Nobody has published a checksum of 'training.tif'" in line and expected[0] in line
    ]
    shutil.rmtree(folder)
    assert data.fetch("lucchi", accept_licence=True).folder == folder  # the same again
    shutil.rmtree(folder)
    publisher.files["/training.tif"] = tiff(images[::-1])
    with pytest.raises(ValueError, match=r"Expected is the one that came the first time, which .*checksums\.json"):
        data.fetch("lucchi", accept_licence=True)


def test_download_does_not_pass_over_damaged_checksums(publish, cache):
    publish("lucchi", [b""] * 4)
    (cache / "lucchi").mkdir(parents=True)
    (cache / "lucchi" / "checksums.json").write_text("[")
    with pytest.raises(
        ValueError, match=r"kept checksums must be JSON, an object of addresses\. Received: '.*Remove it"
    ):
        data.fetch("lucchi", accept_licence=True)


def test_download_without_pooch_says_how_to_install_it(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"needs the package 'pooch'.*pip install 'unetdyn\[datasets\]'"):
        data.fetch("vnc", accept_licence=True)


def test_progress_says_each_percent_once(capsys):
    progress = _Progress("im.zip")
    progress.total = 4_000_000
    for _ in range(4):
        progress.update(1_000_000)
    progress.reset()
    progress.update(4_000_000)
    progress.close()
    said = "".join(f"\rim.zip: {percent} % of 4.0 MB" for percent in (25, 50, 75, 100))
    assert capsys.readouterr().err == said + "\n"
