"""What a run directory holds, and what it refuses."""

import json
import os
import sys

import numpy as np
import pytest

import unetdyn
from unetdyn import runs
from unetdyn.runs import RunWriter


def test_writer_says_from_the_start_what_the_run_is(tmp_path):
    RunWriter(tmp_path / "a" / "b", config={"filters": 16, "shape": (8, 8)}, seed=7, backend="tensorflow")
    header = json.loads((tmp_path / "a/b/run.json").read_text())
    assert header["status"] == "running"
    assert header["config"] == {"filters": 16, "shape": [8, 8]}
    assert header["seed"] == 7
    assert header["versions"]["unetdyn"] == unetdyn.__version__
    assert header["versions"]["numpy"] == np.__version__
    assert {"python", "keras", "tensorflow"} <= set(header["versions"])
    assert header["finished"] is None


@pytest.mark.parametrize("held", [["notes.txt"], ["run.json"], list("abcde")])
def test_writer_refuses_a_folder_that_holds_something(tmp_path, held):
    for name in held:
        (tmp_path / name).write_text("mine")
    with pytest.raises(
        FileExistsError, match=r"`path` must be a new or empty folder.* Received: .*which holds"
    ) as error:
        RunWriter(tmp_path)
    assert ("and 2 more" in str(error.value)) == (len(held) == 5)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(held)


def test_writer_refuses_a_file(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(FileExistsError, match=r"which is a file"):
        RunWriter(tmp_path / "run")


def test_writer_refuses_a_config_before_it_makes_the_folder(tmp_path):
    with pytest.raises(TypeError, match="of type set"):
        RunWriter(tmp_path / "run", config={"a": {1}})
    assert not (tmp_path / "run").exists()


def test_log_epoch_writes_strict_json_lines(tmp_path):
    writer = RunWriter(tmp_path)
    writer.log_epoch(0, {"loss": np.float32(0.25), "val_loss": float("nan")})
    writer.log_epoch(1, {"loss": float("inf"), "per_class": np.array([0.5, 1.0])})
    lines = (tmp_path / "epochs.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"epoch": 0, "loss": 0.25, "val_loss": "NaN"},
        {"epoch": 1, "loss": "Infinity", "per_class": [0.5, 1.0]},
    ]


def test_lines_are_on_the_disk_when_the_call_returns(tmp_path, monkeypatch):
    writer = RunWriter(tmp_path)
    sizes = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    writer.log_epoch(0, {"loss": 0.25})
    writer.event("note", "hello")
    assert sizes == [(tmp_path / "epochs.jsonl").stat().st_size, (tmp_path / "events.jsonl").stat().st_size]


def test_save_arrays_replaces_and_needs_no_pickle(tmp_path):
    writer = RunWriter(tmp_path)
    writer.save_arrays("stability", epoch=[0], sigma=[0.5])
    writer.save_arrays("stability", epoch=[0, 1], sigma=[0.5, 0.25])
    with np.load(tmp_path / "dynamics/stability.npz", allow_pickle=False) as file:
        assert file["sigma"].tolist() == [0.5, 0.25]
    assert [path.name for path in (tmp_path / "dynamics").iterdir()] == ["stability.npz"]


def test_save_arrays_refuses_objects_and_paths(tmp_path):
    writer = RunWriter(tmp_path)
    with pytest.raises(TypeError, match=r"Arrays of a run hold numbers or texts. Received: a of dtype object"):
        writer.save_arrays("x", a=np.array([None]))
    for name in ("../x", "a/b", ".hidden", ""):
        with pytest.raises(ValueError, match=r"`name` must be a plain file name"):
            writer.save_arrays(name, a=[1])
    assert not (tmp_path / "dynamics").exists()


def test_finish_adds_to_the_summary(tmp_path):
    writer = RunWriter(tmp_path)
    writer.finish("finished", {"epochs": 3, "jaccard": 0.5})
    writer.finish("finished", {"test_jaccard": float("nan"), "jaccard": 0.7})
    run = runs.open(tmp_path)
    assert run.status == "finished"
    assert run.header["finished"] >= run.header["created"]
    assert repr(run.summary) == repr({"epochs": 3, "jaccard": 0.7, "test_jaccard": float("nan")})


def test_finish_refuses_an_unknown_status(tmp_path):
    with pytest.raises(ValueError, match=r"`status` must be one of 'finished', 'failed', 'interrupted'.*Did you mean"):
        RunWriter(tmp_path).finish("finish")


def test_resume_says_running_again(tmp_path):
    writer = RunWriter(tmp_path)
    writer.finish()
    writer.resume()
    assert runs.open(tmp_path).status == "running"
    assert runs.open(tmp_path).header["finished"] is None


def test_writer_keeps_what_logged_values_are(tmp_path):
    writer = RunWriter(tmp_path)
    run = runs.open(tmp_path)
    assert (run.metrics, run.monitors) == ({}, {})
    writer.declare(metrics={"jaccard": "up"})
    writer.declare(metrics={"mine": None}, monitors={"sharpness": {"keys": {"sharpness": "none"}}})
    writer.finish()
    run = runs.open(tmp_path)
    assert run.metrics == {"jaccard": "up", "mine": None}
    assert run.monitors == {"sharpness": {"keys": {"sharpness": "none"}}}


def test_run_from_before_values_were_declared_opens(tmp_path):
    RunWriter(tmp_path)
    file = tmp_path / "run.json"
    header = json.loads(file.read_text())
    file.write_text(json.dumps({name: value for name, value in header.items() if name not in ("metrics", "monitors")}))
    run = runs.open(tmp_path)
    assert (run.metrics, run.monitors) == ({}, {})


def test_lines_that_a_full_disk_refused_come_with_the_next_that_it_takes(tmp_path, full):
    writer = RunWriter(tmp_path)
    writer.log_epoch(0, {"loss": 0.5})
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    full(True)
    for write in (lambda: writer.log_epoch(1, {"loss": 0.25}), lambda: writer.event("note", "hello"), writer.finish):
        with pytest.raises(OSError, match="No space left"):
            write()
    assert {file: file.read_bytes() for file in tmp_path.iterdir() if file.stat().st_size} == before
    full(False)
    writer.log_epoch(2, {"loss": 0.125})
    writer.flush()
    writer.finish()
    run = runs.open(tmp_path)
    assert (run.history["epoch"].tolist(), run.history["loss"].tolist()) == ([0, 1, 2], [0.5, 0.25, 0.125])
    assert ([event["message"] for event in run.events], run.notes, run.status) == (["hello"], [], "finished")


def test_line_that_is_being_written_when_a_signal_closes_the_run_is_there_once(tmp_path, monkeypatch):
    """A handler runs as soon as `fsync` returns, and writes what is left to write."""
    writer, real = RunWriter(tmp_path), os.fsync

    def interrupted(descriptor):
        monkeypatch.setattr(os, "fsync", real)
        real(descriptor)
        writer.flush()

    monkeypatch.setattr(os, "fsync", interrupted)
    writer.log_epoch(0, {"loss": 0.5})
    assert runs.open(tmp_path).epochs == [{"epoch": 0, "loss": 0.5}]


@pytest.mark.skipif(sys.platform == "win32", reason="limits of resources are POSIX's")
def test_line_that_does_not_fit_on_the_disk_leaves_no_part_of_itself(tmp_path):
    """A limit on the size of files is a real full disk: half of the line is written before it is refused."""
    import resource

    writer = RunWriter(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    writer.log_epoch(0, {"loss": 0.5})
    size = (tmp_path / "epochs.jsonl").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            writer.log_epoch(1, {"loss": 0.25})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (tmp_path / "epochs.jsonl").stat().st_size == size
    writer.log_epoch(2, {"loss": 0.125})
    assert runs.open(tmp_path).history["loss"].tolist() == [0.5, 0.25, 0.125]


def test_half_a_line_at_the_end_spoils_no_line_after_it(tmp_path):
    writer = RunWriter(tmp_path)
    (tmp_path / "epochs.jsonl").write_text('{"epoch": 0, "lo')
    writer.log_epoch(1, {"loss": 0.25})
    run = runs.open(tmp_path)
    assert run.history["loss"].tolist() == [0.25]
    assert len(run.notes) == 1


def test_configure_replaces_the_configuration_and_writes_no_more_than_that(tmp_path):
    writer = RunWriter(tmp_path / "run", config={"epochs": 3})
    before = (writer.path / "run.json").stat().st_mtime_ns
    writer.configure({"epochs": 3})
    assert (writer.path / "run.json").stat().st_mtime_ns == before
    writer.configure({"epochs": 5})
    assert runs.open(writer.path).config == {"epochs": 5}
