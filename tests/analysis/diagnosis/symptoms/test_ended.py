"""How a run ended."""

import pytest

from planted_runs import healthy
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.symptoms import ended
from unetdyn.runs import RunWriter


@pytest.mark.parametrize(
    ("status", "code", "level", "seen"),
    [
        ("finished", "run.finished", "good", "finished after 2 epochs"),
        ("running", "run.unfinished", "info", "still running, or killed, after 2 epochs"),
        ("interrupted", "run.interrupted", "info", "interrupted after 2 epochs"),
        ("failed", "run.failed", "ill", "failed after 2 epochs: OSError: disk full"),
    ],
)
def test_only_a_failure_is_an_illness(tmp_path, status, code, level, seen):
    writer = RunWriter(tmp_path / "run")
    for epoch in range(2):
        writer.log_epoch(epoch, {"loss": 0.5})
    if status != "running":
        writer.finish(status, {"error": "OSError: disk full"})
    (found,) = ended.find(Evidence.read(writer.path))
    assert (found.code, found.level, found.seen) == (code, level, seen)
    assert bool(found.why) == (level == "ill")


def test_nothing_is_known_of_how_a_history_ended():
    assert list(ended.find(Evidence.read(healthy()))) == []


def test_one_epoch_and_a_failure_without_a_reason():
    (found,) = ended.find(Evidence(Evidence.read({"loss": [1.0]}).curves, status="failed", epochs=1))
    assert found.seen == "failed after 1 epoch: no error was recorded"
