"""No row of a sweep is done twice and none is lost, whenever workers are killed.

With UNETDYN_SOAK, 1,000 rows and 8 workers; in each run of the tests a few. What was counted is printed: `pytest -s`.

"Done" is what a run directory says: that its training is finished, which becomes true at one moment. A row is done
twice if two trainings are ever at it at once, if one begins after it was done, or if two have finished it. A worker may
be killed after that moment and before it can say so: then the row is done, once, and its line is missing.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from damage import FIRST, TRIES
from noop_sweeps import frozen
from unetdyn import runs
from unetdyn.sweeps.claims import read_claim
from unetdyn.sweeps.status import status

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="who forks must know that it has no threads"
)
ROWS, WORKERS, SECONDS = (1000, 8, 1.0) if TRIES else (60, 4, 0.3)
"""The last: how long a worker lives, on average."""


def test_no_row_is_done_twice_and_none_is_lost(tmp_path):
    sweep = frozen(tmp_path / "sweep", ROWS)
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    told = subprocess.run(
        [sys.executable, "-m", "faults.sweep_workers", str(sweep.path), str(WORKERS), str(SECONDS), str(FIRST)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr[-3000:]
    assert not (sweep.path / "twice.txt").exists(), (sweep.path / "twice.txt").read_text()
    assert [row.state for row in status(sweep).rows] == ["done"] * ROWS
    attempts = unsaid = 0
    for row in sweep.rows:
        file = sweep.path / "lines" / sweep.label(row.number)
        lines = file.read_text().split() if file.exists() else []
        assert lines in ([], [runs.open(sweep.run_path(row.number)).summary["by"]])
        attempts += read_claim(sweep.claim_path(row.number)).attempts
        unsaid += not lines
    aside = [runs.open(path) for path in (sweep.path / "runs").glob("*.begun-*") if (path / "run.json").exists()]
    assert not [run for run in aside if run.status == "finished"]
    figures = json.loads(told.stdout)
    assert figures["killed"]
    print(
        f"\n{ROWS} rows, {WORKERS} workers: {figures['killed']} were killed, {attempts - ROWS} of them at a row, "
        f"{len(aside)} of these with a run begun, {unsaid} between the end of a run and its line; each row was done "
        f"once, in {figures['seconds']:.1f} s."
    )
