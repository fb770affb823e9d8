"""Evidence is read once, from whatever a training has left."""

import csv
import json

import numpy as np
import pytest

from planted_runs import batches, gradients, healthy, planted, set_up
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
    with pytest.warns(UserWarning, match=r"What 'torn' recorded is left out: .*torn.npz is damaged"):
        assert evidence.record("grad_norm") == {}
    assert list(evidence.record("step")) == ["step"]


def test_record_holds_numbers_and_by_block_one_a_step(tmp_path):
    path = tmp_path / "run"
    writer = RunWriter(path)
    writer.save_arrays(
        "mine", step=[0, 1], limit=0.5, note=["a", "b"], norm={"enc1": [1.0, 2.0], "odd": 3.0, "text": ["x"]}
    )
    record = Evidence.read(path).records["mine"]
    assert list(record) == ["step", "limit", "norm"]
    assert list(record["norm"]) == ["enc1"]


def test_metric_is_chosen_and_must_be_there():
    logs = {"loss": [1.0, 0.5], "val_dice": [0.1, 0.2], "val_jaccard": [0.1, 0.3]}
    assert Evidence.read(logs).metric == "jaccard"
    assert Evidence.read(logs, "val_dice").metric == "dice"
    assert Evidence.read({"loss": [1.0], "mae": [1.0]}).metric is None
    with pytest.raises(ValueError, match=r"'iou' was not logged in history, which has loss, val_dice, val_jaccard\."):
        Evidence.read(logs, "iou")


def with_set_up(path, header):
    """A finished run of one epoch whose `run.json` says this besides."""
    writer = RunWriter(path / "run")
    writer.log_epoch(0, {"loss": 1.0})
    writer.finish("finished", {"test_jaccard": 0.5, "test_loss": 1, "best_epoch": 3, "test_note": "on section 19"})
    kept = json.loads((writer.path / "run.json").read_text())
    (writer.path / "run.json").write_text(json.dumps(kept | header))
    return Evidence.read(writer.path)


def test_runs_bring_their_set_up_and_test(tmp_path):
    evidence = with_set_up(tmp_path, {"setup": set_up()})
    assert evidence.setup == set_up()
    assert evidence.tested == {"jaccard": 0.5, "loss": 1.0}
    assert Evidence.read(tmp_path / "run" / "run.json").setup == set_up()


@pytest.mark.parametrize("header", [{}, {"setup": None}, {"setup": {}}])
def test_runs_without_a_set_up(tmp_path, header):
    evidence = with_set_up(tmp_path, header)
    assert (evidence.setup, evidence.steps_per_epoch, evidence.batch_norms) == ({}, None, [])


BEGAN = {"kind": "train_begin", "steps": 12}


@pytest.mark.parametrize(
    ("told", "events", "expected"),
    [
        (32, [BEGAN], 32),
        (None, [{"kind": "monitor", "steps": 99}, BEGAN], 12),
        (None, [{"kind": "train_begin", "steps": None}, BEGAN], 12),
        (0, [BEGAN], 12),
        (None, [], None),
        ("many", [{"kind": "train_begin"}], None),
        (8.0, [], 8),
    ],
)
def test_steps_per_epoch_is_told_by_the_set_up_or_where_the_training_began(told, events, expected):
    assert planted(setup=set_up(steps_per_epoch=told), events=events).steps_per_epoch == expected


def test_batch_norms_are_the_layers_with_a_momentum():
    layers = [{"layer": "a", "momentum": 0.99}, {"layer": "b", "momentum": None}, {"layer": "c", "momentum": 0.0}]
    assert [layer["layer"] for layer in planted(setup=set_up(norms=layers)).batch_norms] == ["a", "c"]


@pytest.mark.parametrize("norms", [None, "none", [None, "a"], [{"layer": "a", "momentum": "high"}], [{}]])
def test_batch_norms_of_a_set_up_that_was_edited(norms):
    assert planted(setup=set_up(norms=norms)).batch_norms == []


def test_parts_of_the_set_up_are_told_by_their_keys():
    evidence = planted(setup=set_up(dropout=0.25, loss={"name": "dice", "config": None}, frozen_layers=["a", "b"]))
    assert evidence.told("loss", "name") == "dice"
    assert evidence.told("loss", "config", "gamma") is evidence.told("nowhere") is None
    assert evidence.told_number("dropout") == 0.25
    assert evidence.told_number("optimizer", "learning_rate") == 1e-3
    assert evidence.told_names("frozen_layers") == ["a", "b"]
    assert evidence.told_counts("hidden_activations") == {"relu": 18}


@pytest.mark.parametrize("odd", [None, "0.5", [0.5], {"rate": 0.5}, True, float("nan"), float("inf")])
def test_odd_parts_of_the_set_up_count_as_not_told(odd):
    evidence = planted(setup=set_up(dropout=odd, frozen_layers=[odd, 3], hidden_activations={"relu": odd}))
    assert evidence.told_number("dropout") is evidence.told_names("frozen_layers") is None
    assert evidence.told_counts("hidden_activations") == {}


def test_recorded_arrays_come_from_one_record():
    evidence = planted({"a": {"near": [1, 2], "epoch": [0, 1]}, "b": {"near": [3], "jaccard": [4]}})
    near, jaccard = evidence.recorded("near", "jaccard")
    assert (near.tolist(), jaccard.tolist(), near.dtype) == ([3.0], [4.0], np.float64)
    assert [array.tolist() for array in evidence.recorded("near")] == [[1.0, 2.0]]
    assert evidence.recorded("jaccard", "epoch") is None
    assert planted().recorded("near") is None


def test_records_of_all_monitors_are_told_apart():
    evidence = planted({"batch": batches(), "gradient": gradients()})
    assert set(evidence.record("grad_norm")) == set(gradients())
    assert set(evidence.record("constant_loss")) == set(batches())


def test_evidence_that_was_read_is_returned():
    evidence = planted()
    assert Evidence.read(evidence) is evidence


@pytest.mark.parametrize(
    ("metric", "rises", "overlap"),
    [("jaccard", True, True), ("mean_io_u", True, True), ("accuracy", True, False), ("mae", False, False)],
)
def test_kind_of_the_metric(metric, rises, overlap):
    evidence = Evidence.read({metric: [0.1, 0.2]}, metric)
    assert (evidence.metric_rises, evidence.is_overlap) == (rises, overlap)


def test_values_of_what_was_not_logged_are_none():
    assert planted().values("nowhere").size == 0
    assert not Evidence.read({"loss": [1.0]}).metric_rises
