"""Workers on one sweep that are killed at random moments, and started again, until all rows are done.

    python -m faults.sweep_workers FOLDER WORKERS SECONDS SEED

One process forks them, and has no thread and no Keras. A training here does nothing but what can be counted: it says
when it finds another one at its row, or its row done; it makes a run, is at it for some milliseconds, finishes it, and
appends a line to a file of its row.
"""

import json
import os
import random
import signal
import sys
import time
import uuid
from pathlib import Path

from unetdyn import runs
from unetdyn.runs.process import identity, is_alive
from unetdyn.sweeps.row_training import is_done, run_of, set_aside
from unetdyn.sweeps.status import status
from unetdyn.sweeps.table import open_sweep
from unetdyn.sweeps.work import work

AT_WORK = 0.005
"""Seconds that a training takes, on average."""


def train(sweep, number, walltime, stream):
    """Nothing, so that it can be told whether it was done twice."""
    token = uuid.uuid4().hex
    inside = sweep.path / "inside" / sweep.label(number)
    if inside.exists() and is_alive(json.loads(inside.read_text())):
        line(sweep.path / "twice.txt", f"two are at row {number}")
    with runs.replacing(inside) as temporary:
        temporary.write_text(json.dumps(identity()))
    if is_done(run_of(sweep, number)):
        line(sweep.path / "twice.txt", f"row {number} is begun again, and was done")
    set_aside(sweep.run_path(number), "begun")
    writer = runs.RunWriter(sweep.run_path(number))
    time.sleep(random.expovariate(1 / AT_WORK))
    writer.log_epoch(0, {"loss": 0.5})
    writer.finish("finished", {"by": token})
    line(sweep.path / "lines" / sweep.label(number), token)
    inside.unlink()


def line(file, text):
    """Append a line, all at once."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(descriptor, f"{text}\n".encode())
    os.close(descriptor)


def main(folder, workers, seconds, seed):
    """Fork, kill and fork again; how many were killed."""
    sweep, chance, killed, left = open_sweep(folder), random.Random(seed), 0, 0
    for name in ("inside", "lines"):
        (Path(folder) / name).mkdir()
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a fork would leave threads behind"
    began, running = time.monotonic(), {}
    while True:
        while len(running) < workers:
            running[forked(sweep, chance.random())] = time.monotonic() + chance.expovariate(1 / seconds)
        now = time.monotonic()
        for pid, due in list(running.items()):
            if now >= due:
                os.kill(pid, signal.SIGKILL)
            ended, how = os.waitpid(pid, os.WNOHANG)
            if ended:
                del running[pid]
                code = os.waitstatus_to_exitcode(how)
                killed += code == -signal.SIGKILL
                assert code in (0, -signal.SIGKILL), code
                left += code == 0
        if left and status(sweep).counts["done"] == len(sweep.rows):
            break
        time.sleep(0.002)
    for pid in running:
        os.waitpid(pid, 0)
    print(json.dumps({"killed": killed, "seconds": time.monotonic() - began}))


def forked(sweep, seed):
    """A worker; its exit code is 0 when it finds no free row."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        random.seed(seed)
        work(sweep, train)
        code = 0
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]))
