"""Evidence is read once, from whatever a training has left."""

import csv

import numpy as np
import pytest

from planted_runs import healthy
from unetdyn.analysis.diagnosis import Evidence, diagnose
from unetdyn.runs import Run, RunWriter, open

LOGS = {name: values.tolist() for name, values in healthy().items()}


class History:
    """As Keras' own."""

    history = LOGS
    epoch = range(40)


def csv_file(path):
    with (path / "log.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["epoch", *LOGS])
        writer.writerows(zip(range(40), *LOGS.values(), strict=True))
    return path / "log.csv"


def run(path):
    writer = RunWriter(path / "run")
    for epoch in range(40):
        writer.log_epoch(epoch, {name: values[epoch] for name, values in LOGS.items()})
    writer.save_arrays("mine", step=np.arange(3))
    writer.save_arrays("torn", step=np.arange(3), grad_norm=np.ones(3))
    writer.event("monitor", "It rose.", monitor="mine", epoch=3)
    writer.finish("failed", {"error": "OSError: full"})
    return writer.path


@pytest.mark.parametrize(
    "source", [lambda path: LOGS, lambda path: History(), csv_file], ids=["dict", "History", "CSV"]
)
def test_histories_and_files_say_nothing_of_how_they_ended(tmp_path, source):
    evidence = Evidence.read(source(tmp_path))
    assert (evidence.metric, evidence.epochs, evidence.status) == ("jaccard", 40, None)
    assert evidence.watched_metric[0] == "val_jaccard"
    assert evidence.has_loss
    assert not evidence.record("step")
    assert diagnose(evidence).word == "Healthy"


@pytest.mark.parametrize("source", [str, lambda path: path, open], ids=["text", "path", "run"])
def test_runs_bring_their_end_events_and_records(tmp_path, source):
    evidence = Evidence.read(source(run(tmp_path)))
    assert (evidence.metric, evidence.epochs, evidence.status) == ("jaccard", 40, "failed")
    assert evidence.error == "OSError: full"
    assert [event["message"] for event in evidence.events] == ["It rose."]
    assert evidence.record("step", "grad_norm")["grad_norm"].tolist() == [1, 1, 1]
    assert evidence.record("step", "nowhere") == {}


def test_records_are_read_when_asked_for_and_once(tmp_path, monkeypatch):
    path, read = run(tmp_path), []
    arrays = Run.arrays
    monkeypatch.setattr(Run, "arrays", lambda self, name: read.append(name) or arrays(self, name))
    evidence = Evidence.read(path)
    assert read == []
    assert set(evidence.record("step")) == {"step"}
    assert read == ["mine"]
    evidence.record("grad_norm")
    evidence.record("step")
    assert read == ["mine", "torn"]


@pytest.mark.parametrize("damage", ["cut", "noise", "empty", "encrypted"])
def test_damaged_records_count_as_none(tmp_path, damage):
    file = run(tmp_path) / "dynamics/torn.npz"
    whole = file.read_bytes()
    middle, directory = len(whole) // 3, whole.index(b"PK\x01\x02") + 8
    damaged = {
        "cut": whole[:middle],
        "noise": whole[:middle] + b"?" * 40 + whole[middle + 40 :],
        "empty": b"",
        "encrypted": whole[:directory] + b"\x41" + whole[directory + 1 :],
    }
    file.write_bytes(damaged[damage])
    evidence = Evidence.read(tmp_path / "run")
    assert evidence.record("grad_norm") == {}
    assert list(evidence.record("step")) == ["step"]


def test_metric_is_chosen_and_must_be_there():
    logs = {"loss": [1.0, 0.5], "val_dice": [0.1, 0.2], "val_jaccard": [0.1, 0.3]}
    assert Evidence.read(logs).metric == "jaccard"
    assert Evidence.read(logs, "val_dice").metric == "dice"
    assert Evidence.read({"loss": [1.0], "mae": [1.0]}).metric is None
    with pytest.raises(ValueError, match=r"'iou' was not logged in history, which has loss, val_dice, val_jaccard\."):
        Evidence.read(logs, "iou")
