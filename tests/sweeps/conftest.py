"""What tests of sweeps share: a sweep, and clusters that are fakes."""

import pytest

from sweeps.fake_schedulers import Cluster
from sweeps.submitted import TRAINING
from unetdyn.sweeps.table import Row, freeze


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A sweep of twelve rows, where the tests are, and what trains a row."""
    rows = [Row(n, n, 0, {"optimizer.learning_rate": n / 1000}, {}, "") for n in range(1, 13)]
    sweep = freeze(tmp_path / "a sweep", "rates", "2026-11-27T09:00:00", {}, {}, {}, rows)
    (tmp_path / "train").write_text(TRAINING)
    (tmp_path / "train").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    return sweep


@pytest.fixture
def clusters(tmp_path, monkeypatch):
    made = []

    def make(**settings):
        made.append(Cluster(tmp_path / "cluster", **settings))
        monkeypatch.setenv("PATH", str(made[-1].bin), prepend=":")
        return made[-1]

    yield make
    for each in made:
        each.close()
