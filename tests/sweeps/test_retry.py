"""What is freed, what is not, and why; nothing is lost of what failed."""

import json

import pytest

from noop_sweeps import ELSEWHERE, begun, claimed, frozen, gone, train
from unetdyn.runs.process import identity
from unetdyn.sweeps.claims import read_claim
from unetdyn.sweeps.retry import retry
from unetdyn.sweeps.status import status
from unetdyn.sweeps.work import DONE, work_row


@pytest.fixture
def sweep(tmp_path):
    """Done, running, dead, stopped, failed, missing."""
    sweep = frozen(tmp_path / "sweep", rows=6)
    train(sweep, 1)
    claimed(sweep, 2)
    begun(sweep, 3)
    claimed(sweep, 3, "working", gone())
    begun(sweep, 4, status="interrupted", signal="SIGTERM")
    claimed(sweep, 4, "stopped")
    begun(sweep, 5, status="failed", error="ValueError: no")
    claimed(sweep, 5, "failed", text="Row 5 failed.")
    return sweep


def states(sweep):
    return [row.state for row in status(sweep).rows]


def test_dead_and_stopped_rows_are_freed(sweep):
    found = retry(sweep)
    assert found.freed == (3, 4)
    assert str(found).splitlines() == [
        "Freed: 3-4.",
        "Not freed, since done: 1.",
        "Not freed, since being worked on: 2.",
        "Not freed, since failed: `--failed` frees them too: 5.",
        "Not freed, since free already: 6.",
    ]
    assert states(sweep) == ["done", "running", "missing", "missing", "failed", "missing"]
    assert all(sweep.run_path(number).is_dir() for number in (3, 4, 5))  # they go on from there
    assert str(retry(sweep)).splitlines()[0] == "Nothing was to be freed."


def test_failed_rows_begin_anew_and_stay_on_the_disk(sweep):
    before = json.loads((sweep.run_path(5) / "run.json").read_text())
    assert retry(sweep, failed=True).freed == (3, 4, 5)
    assert not sweep.run_path(5).exists()
    kept = sweep.path / "runs" / "0005.failed-1"
    assert json.loads((kept / "run.json").read_text()) == before
    work_row(sweep, 5, lambda *_: (begun(sweep, 5), 1 / 0))
    assert retry(sweep, failed=True).freed == (5,)
    assert (sweep.path / "runs" / "0005.failed-2").is_dir()
    assert work_row(sweep, 5, train).code == DONE


def test_row_that_was_finished_meanwhile_stays(sweep, monkeypatch):
    """Between the look at the rows and the lock, another one has retried it and done it."""
    stale = status(sweep)
    retry(sweep, failed=True)
    assert work_row(sweep, 5, train).code == DONE
    monkeypatch.setattr("unetdyn.sweeps.retry.status", lambda *_: stale)
    found = retry(sweep, failed=True)
    assert 5 in found.kept["taken by somebody just now"]
    monkeypatch.undo()
    assert status(sweep).rows[4].state == "done"


def test_row_that_is_being_taken_stays(sweep):
    lock = sweep.path / "claims" / f".taken-0004-{'f' * 32}-0.json"
    lock.write_text(json.dumps(identity()))
    found = retry(sweep)
    assert found.freed == (3,)
    assert found.kept["taken by somebody just now"] == (4,)


def test_run_that_no_claim_knows_is_freed_too(tmp_path):
    sweep = frozen(tmp_path)
    begun(sweep, 1, status="failed", error="no")
    begun(sweep, 2)
    begun(sweep, 3, process=ELSEWHERE)
    assert retry(sweep, failed=True).freed == (1, 2)
    assert (sweep.path / "runs" / "0001.failed-1").is_dir()
    assert read_claim(sweep.claim_path(2)).state == "free"
    assert status(sweep).rows[2].state == "running"
