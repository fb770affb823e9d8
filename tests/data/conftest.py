"""A cache of one's own, and stand-ins of published data sets in it."""

import pytest

from data_server import Publisher
from unetdyn.data.datasets import DATASETS


@pytest.fixture(scope="session")
def publisher_online():
    publisher = Publisher()
    with publisher.online() as address:
        yield publisher, address


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Where `fetch` keeps what it brings; nothing is there yet."""
    monkeypatch.setenv("UNETDYN_DATA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def publish(publisher_online, cache, monkeypatch):
    """Lets a publisher on this machine have these files of a data set, and `fetch` ask there."""
    pytest.importorskip("pooch")
    publisher, address = publisher_online
    for kept in (publisher.files, publisher.halved, publisher.asked):
        kept.clear()

    def publish(name, contents):
        monkeypatch.setitem(DATASETS, name, publisher.publish(DATASETS[name], contents, address))
        return publisher

    return publish
