"""Rows on one machine: each once, with its share of the machine, and an end for all of them."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from noop_sweeps import claimed, frozen, gone, train
from unetdyn.sweeps import local
from unetdyn.sweeps.claims import read_claim
from unetdyn.sweeps.local import run_local
from unetdyn.sweeps.status import status

TESTS = Path(__file__).parents[1]
ROW = """
import json, os, signal, sys, time
from pathlib import Path
from noop_sweeps import train
from unetdyn.sweeps.table import open_sweep
from unetdyn.sweeps.work import work_row

def trained(sweep, number, walltime, stream):
    begun = sweep.path / f"begun-{number}"
    with begun.open("a") as file:
        file.write(json.dumps({"pid": os.getpid(), **os.environ}) + "\\n")
    print("row", number)
    if (sweep.path / f"fail-{number}").exists():
        raise ValueError("no")
    if (sweep.path / f"die-{number}").exists():
        (sweep.path / f"die-{number}").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    while (sweep.path / f"wait-{number}").exists():
        time.sleep(0.01)
    train(sweep, number)

sys.exit(work_row(open_sweep(sys.argv[1]), int(sys.argv[2]), trained).code)
"""


@pytest.fixture(autouse=True)
def found(monkeypatch):
    """What the rows' processes import."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), *filter(None, sys.path)]))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")


@pytest.fixture
def sweep(tmp_path):
    return frozen(tmp_path / "sweep", rows=3)


def command(sweep, number, walltime):
    return [sys.executable, "-c", ROW, str(sweep.path), str(number)]


def ran(sweep, jobs=2, **more):
    stream = io.StringIO()
    outcome = run_local(sweep, jobs, stream=stream, command=command, poll=0.02, **more)
    return outcome, stream.getvalue()


def begun(sweep, number):
    """What each process that has begun with a row had in its environment."""
    file = sweep.path / f"begun-{number}"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def until(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_each_row_has_a_process_of_its_own_with_its_share(sweep):
    outcome, shown = ran(sweep)
    assert outcome.code == 0, (outcome, sweep.log_path(1).read_text())
    assert [row.state for row in status(sweep).rows] == ["done"] * 3
    shares = [begun(sweep, number) for number in (1, 2, 3)]
    assert [len(each) for each in shares] == [1, 1, 1]
    assert len({each[0]["pid"] for each in shares}) == 3
    assert [each[0]["CUDA_VISIBLE_DEVICES"] for each in shares[:2]] == ["4", "6"]
    assert shares[2][0]["CUDA_VISIBLE_DEVICES"] in ("4", "6")
    assert sweep.log_path(2).read_text() == "row 2\n"
    assert "0 of 3 done" in shown
    assert ran(sweep)[0].code == 0
    assert len(begun(sweep, 1)) == 1


def test_row_that_fails_is_told_and_the_others_go_on(sweep):
    (sweep.path / "fail-1").touch()
    outcome, shown = ran(sweep)
    assert outcome.code == 1
    assert "1 rows of" in outcome.text
    assert f"Row 1 has failed. What it said: {sweep.log_path(1)}" in shown
    assert status(sweep).counts["done"] == 2
    assert len(begun(sweep, 1)) == 1


def test_row_that_is_killed_is_tried_once_more(sweep):
    for number in (1, 2):
        (sweep.path / f"die-{number}").touch()
    outcome, shown = ran(sweep, jobs=1)
    assert outcome.code == 0
    assert "Row 1 was killed by SIGKILL, and is tried again." in shown
    assert [len(begun(sweep, number)) for number in (1, 2, 3)] == [2, 2, 1]


def test_row_that_is_killed_twice_is_left(sweep, monkeypatch):
    monkeypatch.setattr(local, "TRIES", 1)
    (sweep.path / "die-2").touch()
    outcome, shown = ran(sweep)
    assert outcome.code == 1
    assert "Row 2 was killed by SIGKILL, and is left to `unetdyn sweep retry`." in shown
    assert status(sweep).counts["dead"] == 1


def test_rows_of_others_are_left_alone(sweep):
    claimed(sweep, 2)
    outcome, _ = ran(sweep)
    assert outcome.code == 3
    assert not begun(sweep, 2)


def test_youngest_row_waits_where_memory_is_short(sweep, monkeypatch):
    """Two rows run; then memory is short until one has ended."""
    for number in (1, 2):
        (sweep.path / f"wait-{number}").touch()
    stopped = []

    def free():
        if len(begun(sweep, 1)) and len(begun(sweep, 2)) == 1 and not stopped:
            stopped.append(1)
            return 0
        if read_claim(sweep.claim_path(2)) and read_claim(sweep.claim_path(2)).state == "stopped":
            for number in (1, 2):
                (sweep.path / f"wait-{number}").unlink(missing_ok=True)
        return 10**15

    monkeypatch.setattr(local, "free_memory", free)
    outcome, shown = ran(sweep)
    assert outcome.code == 0
    assert "Memory is short: row 2 saves its state, and goes on later." in shown
    assert [len(begun(sweep, number)) for number in (1, 2, 3)] == [1, 2, 1]


def test_row_waits_for_memory(sweep, monkeypatch):
    """There is none for a second one as long as the first runs."""
    monkeypatch.setattr(local, "may_start", lambda free, largest, running: not running)
    assert ran(sweep)[0].code == 0
    shares = [begun(sweep, number)[0] for number in (1, 2, 3)]
    assert [share["CUDA_VISIBLE_DEVICES"] for share in shares] == ["4", "4", "4"]


def test_no_row_starts_shortly_before_the_walltime(sweep):
    outcome, _ = ran(sweep, walltime=1.0)
    assert outcome.code == 75
    assert outcome.text == "Stopped before the walltime, with 3 rows left."
    assert not begun(sweep, 1)


def test_jobs_that_are_none_are_refused(sweep):
    with pytest.raises(ValueError, match=r"`jobs` must be .*Received: jobs=0"):
        run_local(sweep, 0)


@pytest.fixture
def parent(sweep, hangups):
    """Two rows of a sweep that run until they may end, and the process that has started them."""
    for number in (1, 2):
        (sweep.path / f"wait-{number}").touch()
    code = (
        "import sys; sys.path.insert(0, sys.argv[2]); from sweeps.test_local import command, run_local\n"
        "from unetdyn.sweeps.table import open_sweep\n"
        "sys.exit(run_local(open_sweep(sys.argv[1]), 2, command=command, poll=0.02).code)"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(sweep.path), str(TESTS)], stderr=subprocess.PIPE)
    until(lambda: (begun(sweep, 1) and begun(sweep, 2)) or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    yield process
    for number in (1, 2):
        (sweep.path / f"wait-{number}").unlink(missing_ok=True)
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_is_passed_on_and_all_end_with_their_state(sweep, parent, number):
    parent.send_signal(number)
    _, said = parent.communicate(timeout=120)
    assert parent.returncode == 128 + number, said
    claims = [read_claim(sweep.claim_path(each)) for each in (1, 2)]
    assert [(claim.state, claim.exit) for claim in claims] == [("stopped", 128 + number)] * 2
    assert not begun(sweep, 3)
    assert f"{number.name} came. Each row saves its state".encode() in said


def test_parent_that_is_killed_leaves_rows_that_go_on_and_are_done_once(sweep, parent):
    parent.kill()
    parent.wait()
    assert ran(sweep)[0].code == 3  # row 3 is done, and the others are worked on
    assert status(sweep).counts["running"] == 2
    for number in (1, 2):
        (sweep.path / f"wait-{number}").unlink()
    until(lambda: status(sweep).counts["done"] == 3)
    assert ran(sweep)[0].code == 0
    assert [len(begun(sweep, number)) for number in (1, 2, 3)] == [1, 1, 1]


def test_rows_of_a_parent_that_was_killed_with_them_are_done_again(sweep):
    claimed(sweep, 1, process=gone())
    train(sweep, 2)
    claimed(sweep, 2, process=gone())
    assert ran(sweep)[0].code == 0
    assert [len(begun(sweep, number)) for number in (1, 2, 3)] == [1, 0, 1]
