"""How far a sweep is, from what is on the disk: planted rows of each kind, and what is said of them."""

import json
import subprocess
import sys

import pytest

from noop_sweeps import CONFIG, ELSEWHERE, begun, claimed, frozen, gone, train
from unetdyn.runs import RunWriter, strict_json
from unetdyn.runs.process import identity
from unetdyn.sweeps.status import STATES, status
from unetdyn.sweeps.status_table import describe_status
from unetdyn.sweeps.table import Row, freeze


@pytest.fixture
def planted(tmp_path):
    """Rows of each state, by the state that must be found."""
    sweep = frozen(tmp_path / "sweep", rows=16, seeds=2)
    train(sweep, 1)
    train(sweep, 2)
    claimed(sweep, 2, "failed", text="It had.")  # its run is finished
    begun(sweep, 3, process=identity())
    claimed(sweep, 3, "working", identity(), age=5000)
    claimed(sweep, 4, "working", ELSEWHERE, age=50)
    begun(sweep, 5)
    claimed(sweep, 5, "working", gone())
    claimed(sweep, 6, "working", ELSEWHERE, age=700)
    begun(sweep, 7, status="interrupted", signal="SIGTERM")
    claimed(sweep, 7, "stopped", text="Row 7 stopped by SIGTERM.")
    begun(sweep, 8, status="failed", error="ValueError: no")
    claimed(sweep, 8, "failed", text="Row 8 failed. ValueError: no")
    claimed(sweep, 9, "free", None, attempts=2)
    claimed(sweep, 10, "done")  # and its run was removed
    begun(sweep, 11)  # without a claim from here on
    begun(sweep, 12, process=identity())
    begun(sweep, 13, status="failed", error="ValueError: no")
    begun(sweep, 14, status="interrupted", error="SIGTERM came.")
    sweep.claim_path(15).write_text("{")
    states = ["done", "done", "running", "running", "dead", "dead", "stopped", "failed", "missing", "missing", "dead"]
    return sweep, [*states, "running", "failed", "stopped", "running", "missing"]


def test_status_is_what_was_planted(planted):
    sweep, states = planted
    found = status(sweep)
    assert [row.state for row in found.rows] == states
    assert found.counts == {state: states.count(state) for state in STATES}
    assert [row.number for row in found.of("failed")] == [8, 13]


def test_row_says_where_and_how_far_it_is(planted):
    rows = status(planted[0]).rows
    assert (rows[0].epoch, rows[0].epochs, rows[0].latest) == (4, 4, {"loss": 0.25, "val_jaccard": 0.75})
    assert (rows[2].epoch, rows[2].epochs) == (2, 4)
    assert rows[2].beat_age == pytest.approx(5000, abs=60)
    assert (rows[3].where, rows[3].epoch, rows[3].epochs) == ("process 4711 on elsewhere", 0, None)
    assert rows[3].beat_age == pytest.approx(50, abs=60)
    assert rows[7].text == "Row 8 failed. ValueError: no"
    assert rows[8].attempts == 2
    assert rows[12].text == "ValueError: no"


def test_row_that_was_not_tested_is_not_done(tmp_path):
    sweep = frozen(tmp_path)
    writer = RunWriter(sweep.run_path(1), config={**CONFIG, "data": {"split": {"test": 0.1}}})
    (writer.path / "model.keras").write_bytes(b"weights")
    writer.finish()
    claimed(sweep, 1, "working", gone())
    assert status(sweep).rows[0].state == "dead"
    writer.finish("finished", {"test_loss": 0.5})
    assert status(sweep).rows[0].state == "done"


def test_epochs_of_stages_are_those_of_all(tmp_path):
    sweep = frozen(tmp_path)
    RunWriter(sweep.run_path(1), config={"stages": [{"epochs": 3}, {"epochs": 4}], "fit": {}})
    RunWriter(sweep.run_path(2), config={"fit": {"epochs": "many"}})
    RunWriter(sweep.run_path(3), config={})
    assert [row.epochs for row in status(sweep).rows] == [7, None, None]


def test_rows_that_are_known_to_be_done_are_not_read(planted):
    sweep, _ = planted
    (sweep.run_path(1) / "run.json").write_text("{")
    assert status(sweep, but={1}).rows[0].state == "done"
    assert status(sweep).rows[0].state == "missing"


def test_status_is_strict_json(planted):
    sweep, states = planted
    found = json.loads(strict_json.dumps(status(sweep).to_dict()))
    assert [row["state"] for row in found["rows"]] == states
    assert found["rows"][3] | {"beat_age": 0} == {
        "number": 4,
        "state": "running",
        "epoch": 0,
        "epochs": None,
        "where": "process 4711 on elsewhere",
        "beat_age": 0,
        "attempts": 1,
        "text": None,
        "latest": None,
        "seed": 1,
        "settings": {"a.b": 1},
        "blocks": {},
    }
    assert found["counts"]["dead"] == 3


def test_table_has_a_line_a_cell_and_a_column_a_seed(planted):
    text = describe_status(status(planted[0]))
    assert text.startswith("noop: 2 of 16 rows done, 4 running, 3 dead, 2 stopped, 2 failed, 3 missing\n")
    lines = [line.split() for line in text.splitlines()]
    at = lines.index(["b", "seed", "0", "seed", "1"])
    assert lines[at + 1 : at + 9] == [
        ["0", "done", "done"],
        ["1", "2/4", "0/?"],
        ["2", "dead", "dead"],
        ["3", "stopped", "failed"],
        ["4", "-", "-"],
        ["5", "dead", "2/4"],
        ["6", "failed", "stopped"],
        ["7", "0/?", "-"],
    ]
    assert "Row 4 is running: process 4711 on elsewhere, epoch 0, last sign of life" in text
    assert "Row 5 is dead: process 1 on" in text
    assert "Row 7 stopped by SIGTERM." in text
    assert "Row 8 failed. ValueError: no" in text


def test_table_that_does_not_fit_is_left_out(tmp_path):
    assert "seed" not in describe_status(status(frozen(tmp_path / "long", rows=61)))
    assert "seed" not in describe_status(status(frozen(tmp_path / "wide", rows=40, seeds=40)))


def test_table_tells_blocks_apart(tmp_path):
    rows = [Row(n, 1, 0, {"lr": 0.001}, {"data.fold": n}, "") for n in (1, 2)]
    text = describe_status(status(freeze(tmp_path, "folds", "", {}, {}, {}, rows)))
    assert "lr     seed 0, fold 1  seed 0, fold 2" in text


def test_what_reads_sweeps_loads_no_keras():
    code = (
        "import sys, unetdyn.sweeps.status_table, unetdyn.sweeps.retry, unetdyn.sweeps.local, unetdyn.sweeps.work\n"
        "print([name for name in ('keras', 'tensorflow', 'torch', 'jax') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
