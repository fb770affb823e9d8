"""What tests of the commands share: a shell in an empty folder, a configuration in it, and runs."""

import pytest
from click.testing import CliRunner

from unetdyn.cli import main

CONFIG = """
data: {kind: synthetic, sections: 6, size: 64, tile: 32, split: {train: [0, 1], validation: [3, 3], test: [5, 5]}}
model: {architecture: UNet, filters: 2, depth: 1}
fit: {epochs: 1}
"""


@pytest.fixture
def invoke(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return lambda *arguments: CliRunner().invoke(main, arguments)


@pytest.fixture
def run(tmp_path):
    from unetdyn.runs import RunWriter

    writer = RunWriter(tmp_path / "run")
    for epoch in range(3):
        writer.log_epoch(epoch, {"loss": 0.5, "val_loss": 0.5, "val_jaccard": 0.1 * epoch, "val_dice": 0.5})
    writer.finish()
    return writer.path


@pytest.fixture
def ill(tmp_path):
    from unetdyn.runs import RunWriter

    writer = RunWriter(tmp_path / "ill")
    for epoch in range(12):
        writer.log_epoch(epoch, {"loss": 0.5 - 0.01 * epoch, "val_loss": 0.5, "val_jaccard": 0.8 * (epoch % 2)})
    writer.event("monitor", "Trouble.", monitor="mine", epoch=1)
    writer.log_epoch(12, {"loss": float("nan"), "val_loss": float("inf"), "val_jaccard": 0.0})
    writer.finish()
    return writer.path
