"""What comes out of an archive, and what doesn't."""

import pytest

from data_server import vnc_archive, zipped
from unetdyn import data


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
            r"must hold images and masks\. Received: 'master\.zip', with 1 files, none",
        ),
    ],
)
def test_unpack_refuses_an_archive_with_nothing_to_take(publish, cache, archive, said):
    publish("vnc", [archive])
    with pytest.raises(ValueError, match=said):
        data.fetch("vnc", accept_licence=True)
    assert not list((cache / "vnc").glob("*/train"))
