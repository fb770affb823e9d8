"""What rows do on a Ray cluster in the tests: epochs without a training, claimed as simply as can be."""

import os
import platform
import time

from unetdyn import runs
from unetdyn.runs import RunWriter
from unetdyn.runs.process import identity, is_alive
from unetdyn.runs.strict_json import dumps, loads
from unetdyn.sweeps.table import Row, freeze

EPOCHS = 4


def frozen(path, rows):
    return freeze(path, "rays", "2026-11-27", {}, {}, {}, [Row(n, n, 0, {"a": n}, {}, "") for n in range(1, rows + 1)])


def work(sweep, number):
    """Four epochs, each with a mark of who did it; a run that was cut off goes on."""
    claim = sweep.claim_path(number)
    if claim.exists() and is_alive(loads(claim.read_bytes())) is not False:
        return 3
    claim.write_text(dumps(identity()))
    path = sweep.run_path(number)
    print(f"row {number} begins")
    if path.exists():
        first = len(runs.open(path).epochs)
        writer = RunWriter.reopen(path)
        writer.cut_back(first, 0, epoch=first)
    else:
        writer, first = RunWriter(path), 0
    for epoch in range(first, EPOCHS):
        writer.log_epoch(epoch, {"loss": 1.0, "pid": os.getpid(), "host": platform.node()})
        while (sweep.path / "wait").exists() and epoch == 1:
            time.sleep(0.02)
    writer.finish()
    return 0
