"""Sweeps without trainings: tables, a training that does nothing but leave its run, and processes that are not here."""

import json
import os

from unetdyn.runs import RunWriter
from unetdyn.runs.claim import TOKEN
from unetdyn.runs.process import identity
from unetdyn.sweeps.row_training import set_aside
from unetdyn.sweeps.table import Row, freeze

ELSEWHERE = {"host": "elsewhere", "pid": 4711, "started": "boot/1", "namespace": None, "job": None}
"""Of which nobody here knows whether it lives."""

CONFIG = {"data": {"kind": "synthetic"}, "fit": {"epochs": 4}}


def frozen(folder, rows=3, seeds=1):
    """So many rows of one factor, with some seeds."""
    made = [
        Row(number, (number - 1) // seeds + 1, (number - 1) % seeds, {"a.b": (number - 1) // seeds}, {}, "")
        for number in range(1, rows + 1)
    ]
    return freeze(folder, "noop", "2026-11-27T09:00:00", {}, {}, {}, made)


def train(sweep, number, walltime=None, stream=None):
    """A training that is over at once."""
    path = sweep.run_path(number)
    set_aside(path, "begun")
    writer = RunWriter(path, config=CONFIG)
    for epoch in range(4):
        writer.log_epoch(epoch, {"loss": 1 / (epoch + 1), "val_jaccard": 0.25 * epoch})
    writer.finish("finished", {"row": number})


def gone():
    """A process of this host that has ended: the pid of init, which began at another time."""
    here = identity()
    boot = (here["started"] or "/").partition("/")[0]
    return {**here, "pid": 1, "started": f"{boot}/-1"}


def claimed(sweep, number, state="working", process=ELSEWHERE, age=0.0, **more):
    """Have a row claimed by another process, whose last sign of life is some seconds old."""
    file = sweep.claim_path(number)
    content = {TOKEN: "f" * 32, "state": state, "process": process, "attempts": 1, **more}
    file.write_text(json.dumps(content))
    beat = file.stat().st_mtime - age
    os.utime(file, (beat, beat))
    return file


def begun(sweep, number, epochs=2, status="running", process=None, **summary):
    """A run of the row that somebody has left after some epochs."""
    writer = RunWriter(sweep.run_path(number), config=CONFIG)
    for epoch in range(epochs):
        writer.log_epoch(epoch, {"loss": 0.5, "val_jaccard": 0.25})
    if status != "running":
        writer.finish(status, summary)
    file = sweep.run_path(number) / "run.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "process": process or gone()}))
    return sweep.run_path(number)
