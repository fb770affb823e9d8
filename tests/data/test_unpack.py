"""What comes out of an archive, and what doesn't."""

import io
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_server import vnc_archive, zipped
from unetdyn import data
from unetdyn.data.datasets import DATASETS
from unetdyn.data.unpack import unpack


@pytest.mark.parametrize("name", ["../../evil.png", "/etc/evil.png", "master/stack1/../../evil.png", "C:\\evil.png"])
def test_unpack_refuses_an_archive_that_leads_out_of_itself(publish, cache, name):
    publish("vnc", [vnc_archive({name: b"evil"})[0]])
    with pytest.raises(ValueError, match=r"An archive must keep to itself\. Received: 'master\.zip', in which "):
        data.fetch("vnc", accept_licence=True)
    assert not list(cache.parent.rglob("*.png"))


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (
            b"no archive",
            r"must be a whole ZIP archive\. Received: 'master\.zip', which can't be unpacked \(File is not",
        ),
        (
            zipped({"elsewhere/00.tif": b""}),
            r"must hold images and masks\. Received: 'master\.zip', with nothing in it that",
        ),
    ],
)
def test_unpack_refuses_an_archive_with_nothing_to_take(publish, cache, archive, said):
    publish("vnc", [archive])
    with pytest.raises(ValueError, match=said):
        data.fetch("vnc", accept_licence=True)
    assert not list((cache / "vnc").glob("*/train"))


STEPS = st.sampled_from(["..", ".", "", "master", "stack1", "raw", "mitochondria", "00.tif", "01.png", "C:", "..\\x"])


@settings(max_examples=60, deadline=None)
@given(names=st.lists(st.lists(STEPS, min_size=1, max_size=5).map("/".join).filter(bool), unique=True, max_size=4))
def test_unpack_writes_nowhere_but_where_it_was_told_to(names):
    """Whatever an archive calls its files, and one that is asked for is among them."""
    content = zipped(dict.fromkeys(names, b"evil") | {"master/stack1/raw/07.tif": b"asked for"})
    with tempfile.TemporaryDirectory() as folder:
        file, into = Path(folder) / "master.zip", Path(folder) / "into"
        file.write_bytes(content)
        into.mkdir()
        try:
            unpack(file, DATASETS["vnc"].files[0], into)
        except ValueError:
            assert not list(into.iterdir())  # refused whole
        else:
            assert (into / "train" / "images" / "07.tif").read_bytes() == b"asked for"
        assert {entry.name for entry in Path(folder).iterdir()} == {"master.zip", "into"}
        found = {entry.parent for entry in into.rglob("*") if entry.is_file()}
        assert found <= {into / "train" / "images", into / "train" / "masks"}


def test_unpack_refuses_an_archive_with_a_damaged_file(tmp_path):
    """Its own checksums are looked at too, as where none was published there is nothing else."""
    content = bytearray(zipped({"master/stack1/raw/00.tif": b"0123456789" * 100}))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        start = archive.infolist()[0].header_offset
    content[start + 30 + len("master/stack1/raw/00.tif") + 3] ^= 0xFF
    (tmp_path / "master.zip").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"must be a whole ZIP archive\. Received: 'master\.zip', which can't be unpacked"
    ):
        unpack(tmp_path / "master.zip", DATASETS["vnc"].files[0], tmp_path)


def test_unpack_of_two_files_with_one_name_is_refused(tmp_path):
    """The second would take the place of the first without a word."""
    (tmp_path / "master.zip").write_bytes(zipped({f"{branch}/stack1/raw/00.tif": b"" for branch in "ab"}))
    with pytest.raises(
        ValueError, match=r"must have one file of each name\. Received: 'master\.zip', with several for one of 2"
    ):
        unpack(tmp_path / "master.zip", DATASETS["vnc"].files[0], tmp_path)
