"""Reading a run in whatever state its writer left it, `kill -9` included."""

import json
import random
import subprocess
import sys
import time

import numpy as np
import pytest

from unetdyn import runs
from unetdyn.runs import RunWriter
from unetdyn.runs.process import identity
from unetdyn.runs.state_store import StateStore


@pytest.fixture
def written(tmp_path):
    writer = RunWriter(tmp_path / "run", config={"filters": 16}, seed=3)
    writer.log_epoch(0, {"loss": 0.5, "learning_rate": 0.1})
    writer.log_epoch(1, {"loss": float("nan"), "val_loss": float("inf"), "per_class": [1.0, 2.0]})
    writer.event("best", "Epoch 2 is the best.", epoch=1, value=float("-inf"))
    writer.save_arrays("stability", sigma=[0.1, 0.2])
    return writer


def test_open_gives_back_what_was_written(written):
    run = runs.open(written.path)
    assert run.status == "running"
    assert run.config == {"filters": 16}
    assert run.seed == 3
    assert [record["epoch"] for record in run.epochs] == [0, 1]
    np.testing.assert_array_equal(run.history["loss"], [0.5, np.nan])
    np.testing.assert_array_equal(run.history["val_loss"], [np.nan, np.inf])
    np.testing.assert_array_equal(run.history["epoch"], [0, 1])
    assert "per_class" not in run.history
    assert run.epochs[1]["per_class"] == [1.0, 2.0]
    assert run.events[0]["kind"] == "best"
    assert run.events[0]["value"] == -np.inf
    assert run.array_names == ["stability"]
    assert run.arrays("stability")["sigma"].tolist() == [0.1, 0.2]
    assert run.model_path is None
    assert run.summary == {}
    assert run.notes == []


def test_series_tells_not_logged_from_not_a_number(written):
    epochs, values = runs.open(written.path).series("val_loss")
    assert epochs.tolist() == [1]
    assert values.tolist() == [np.inf]
    epochs, values = runs.open(written.path).series("loss")
    assert epochs.tolist() == [0, 1]


def test_unknown_names_are_refused_with_the_nearest(written):
    run = runs.open(written.path)
    with pytest.raises(KeyError, match=r"'val_los' was not logged in .* Did you mean 'val_loss'\?"):
        run.series("val_los")
    with pytest.raises(KeyError, match=r"'curvature' is not among the arrays of"):
        run.arrays("curvature")


@pytest.mark.parametrize(
    ("process", "state", "told"),
    [
        ({}, False, "running"),
        ({"pid": 2**22 + 7}, False, "killed: process 4194311 on {host} is gone"),
        ({"pid": 2**22 + 7}, True, "killed: process 4194311 on {host} is gone; to carry on: start its script again"),
        ({"host": "gpu7"}, True, "running on gpu7, or killed"),
        (None, True, "running, or killed"),
    ],
)
def test_run_that_says_running_is_told_from_a_killed_one(written, process, state, told):
    if state:
        StateStore(written.path / "state").write({})
    header = runs.open(written.path).header
    process = None if process is None else {**identity(), **process}
    run = runs.Run(written.path, {**header, "process": process})
    expected = told.format(host=identity()["host"], path=written.path)
    assert (run.status, run.outcome) == ("running", expected)
    assert f"{expected}, 2 epochs" in repr(run)
    assert expected.split("`")[0] in run._repr_html_()
    written.finish("failed")
    assert runs.open(written.path).outcome == "failed"


def test_run_shows_itself(written):
    run = runs.open(written.path)
    assert repr(run) == f"<Run {str(written.path)!r}: running, 2 epochs>"
    written.finish("failed", {"error": "<b>ValueError</b>"})
    page = runs.open(written.path)._repr_html_()
    assert "&lt;b&gt;ValueError" in page
    assert "<b>" not in page


def test_open_refuses_what_is_no_run(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"`path` must be a run directory.* Received: .*, which has no run.json"
    ):
        runs.open(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"Received: .*nowhere, which is not there"):
        runs.open(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_open_names_a_damaged_run_json(written, content):
    (written.path / "run.json").write_text(content)
    with pytest.raises(ValueError, match=r"run.json is damaged"):
        runs.open(written.path)


def test_open_refuses_a_newer_format(written):
    file = written.path / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 99}))
    with pytest.raises(ValueError, match=r"has format 99, and this unetdyn reads up to 1: install a newer unetdyn"):
        runs.open(written.path)


def test_open_reads_epochs_cut_off_at_any_byte(written):
    file = written.path / "epochs.jsonl"
    written.log_epoch(2, {"name": "ü", "loss": 0.25})
    whole = file.read_bytes()
    starts = [0] + [index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        file.write_bytes(whole[:cut])
        run = runs.open(written.path)
        complete = sum(start <= cut + 1 for start in starts[1:])  # the newline itself may be missing
        assert len(run.epochs) == complete
        in_the_middle = cut not in starts and cut + 1 not in starts
        assert (run.notes != []) == in_the_middle
        if in_the_middle:
            assert [note.startswith("epochs.jsonl: the last line ") for note in run.notes] == [True]


def test_open_passes_over_a_damaged_line_in_the_middle(written):
    file = written.path / "epochs.jsonl"
    first, second, _ = file.read_bytes().split(b"\n")
    file.write_bytes(first[:9] + b"\n" + second + b"\n")
    run = runs.open(written.path)
    assert [record["epoch"] for record in run.epochs] == [1]
    assert [note.startswith("epochs.jsonl: line 1 ") for note in run.notes] == [True]


def test_list_runs_finds_runs_and_nothing_else(tmp_path):
    (tmp_path / "other").mkdir()
    for name in ("b", "a"):
        RunWriter(tmp_path / name)
        time.sleep(0.002)
    assert [run.path.name for run in runs.list_runs(tmp_path)] == ["b", "a"]
    assert runs.list_runs(tmp_path / "nowhere") == []


WRITE_FOR_EVER = """
import itertools, sys
import numpy as np
from unetdyn.runs import RunWriter, replacing
writer = RunWriter(sys.argv[1], config={"filters": 16})
print("begun", flush=True)
for epoch in itertools.count():
    writer.log_epoch(epoch, {f"metric_{i}": epoch for i in range(300)})
    writer.event("epoch", "x" * 3000, epoch=epoch)
    writer.save_arrays("d", epoch=np.full(50_000, epoch))
    writer.finish("finished", {"epoch": epoch, "text": "y" * 3000})
    with replacing(writer.path / "model.keras") as temporary:
        temporary.write_bytes(bytes([epoch % 251]) * 200_000)
"""


def test_run_is_readable_after_kill_at_any_moment(tmp_path):
    moments = random.Random(0)
    for attempt in range(8):
        path = tmp_path / f"run{attempt}"
        with subprocess.Popen([sys.executable, "-c", WRITE_FOR_EVER, str(path)], stdout=subprocess.PIPE) as process:
            assert process.stdout.readline() == b"begun\n"
            time.sleep(moments.uniform(0.0, 0.25))
            process.kill()
        run = runs.open(path)
        assert run.config == {"filters": 16}
        count = len(run.epochs)
        assert [record["epoch"] for record in run.epochs] == list(range(count))
        assert [event["epoch"] for event in run.events] == list(range(len(run.events)))
        assert count - len(run.events) in (0, 1)
        assert len(run.notes) <= 1
        if run.summary:
            assert count - 2 <= run.summary["epoch"] < count
        for name in run.array_names:
            held = run.arrays(name)["epoch"]
            assert held.shape == (50_000,)
            assert count - 2 <= held[0] == held[-1] < count
        if run.model_path:
            model = run.model_path.read_bytes()
            assert len(model) == 200_000
            assert len(set(model)) == 1


def test_stages_are_given_back_and_of_older_runs_there_are_none(tmp_path):
    writer = RunWriter(tmp_path / "run")
    assert runs.open(writer.path).stages == []
    stage = {"name": "coarse", "epoch": 0, "setup": {"rate": float("inf")}}
    writer.declare(stages=[stage])
    assert runs.open(writer.path).stages == [stage]
    writer.declare(metrics={"jaccard": "up"})
    assert runs.open(writer.path).stages == [stage]
    header = json.loads((writer.path / "run.json").read_text())
    del header["stages"]
    (writer.path / "run.json").write_text(json.dumps(header))
    assert runs.open(writer.path).stages == []
