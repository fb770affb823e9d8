"""A hundred thousand epochs of a tiny model: what an epoch costs, in memory, in files and in time, does not grow.

The callbacks are driven by hand around a step that costs nothing. What grows by nature: the record on the disk, a line
an epoch, and of what monitors measure log₂ n files for n epochs; and what is kept of each epoch in memory, by Keras'
`History`, `RunRecorder.epochs` and monitors.
"""

import gc
import math
import time
import tracemalloc
from pathlib import Path

import keras
import pytest

from damage import TRIES
from faults.by_hand import make_model, tell_all
from unetdyn.callbacks import ResumableRun, RunRecorder, StabilityMonitor

EPOCHS = 10 * TRIES or 200
BYTES = 6_000 if TRIES else 1_700
"""What all callbacks together may keep of an epoch in memory: a dozen numbers with their names, thrice.

Of the process, which is looked at in the soak, that and the copies of all epochs in the state that is being written.
"""


def resident():
    """Bytes of the process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


class Measured(keras.callbacks.Callback):
    """Looks at the process at a tenth of the epochs, and at the end."""

    def __init__(self, folder, run):
        super().__init__()
        self.folder, self.run, self.seen = folder, run, []

    def get_state(self):
        return {}

    def set_state(self, state):
        pass

    def on_epoch_begin(self, epoch, logs=None):
        if epoch in (EPOCHS // 10, EPOCHS // 5, EPOCHS - EPOCHS // 10, EPOCHS - 1):
            self.run._background.wait()
            gc.collect()
            files = [file for file in self.folder.rglob("*") if file.is_file()]
            segments = [file for file in files if file.parent.parent.name == "dynamics"]
            assert len(segments) <= math.log2(max(epoch, 1)) + 1
            files = [file for file in files if file not in segments]
            of_state = sum(file.stat().st_size for file in files if file.parent.name == "state")
            traced = tracemalloc.get_traced_memory()[0]
            self.seen.append((epoch, time.perf_counter(), traced, resident(), len(files), of_state))


def test_epochs_cost_no_more_after_many(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # of the disk nothing is measured
    model, monitor = make_model(), StabilityMonitor(["val_loss", "loss"])
    recorder = RunRecorder(tmp_path / "run", save_best=None, monitors=[monitor])
    run = ResumableRun(tmp_path / "run", verbose=0)
    measured = Measured(tmp_path / "run", run)
    if not TRIES:  # of many epochs the process's own memory tells enough, and nothing slows them
        tracemalloc.start()
    try:
        tell_all(model, [monitor, recorder, run, measured], EPOCHS, steps=1)
    finally:
        tracemalloc.stop()
    early, less_early, late, end = measured.seen
    epochs = end[0] - early[0]
    kept = ((end[3] - early[3]) if TRIES else (end[2] - early[2])) / epochs
    seconds = [(b[1] - a[1]) / (b[0] - a[0]) * 1e3 for a, b in ((early, less_early), (late, end))]
    print(
        f"\n{keras.config.backend()}: {EPOCHS} epochs; kept in memory {kept:.0f} bytes an epoch, "
        f"files {early[4]} and {end[4]}, state {early[5]} and {end[5]} bytes "
        f"({(end[5] - early[5]) / epochs / 2:.0f} an epoch and generation), an epoch {seconds[0]:.2f} ms at "
        f"{early[0]} and {seconds[1]:.2f} ms at {late[0]}."
    )
    assert kept < BYTES
    assert abs(end[4] - early[4]) <= 2  # a state that was being written
    rows = (tmp_path / "run/epochs.jsonl").read_bytes().count(b"\n")
    assert rows == EPOCHS


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux shows what is open")
def test_nothing_stays_open(tmp_path):
    def count():
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

    seen = []
    model = make_model()
    run = ResumableRun(tmp_path, verbose=0)
    look = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: (run._background.wait(), seen.append(count()))
    )
    tell_all(model, [run, look], 30, steps=1)
    files, threads = zip(*seen[5:], strict=True)
    assert files[0] == files[-1], files
    assert max(threads) - min(threads) <= 1, "a thread that has just ended its job is there for a moment more"
