"""A writer that stands for that of a run which is to be carried on: nothing of the run is touched by it."""

import pytest

from unetdyn import runs
from unetdyn.runs import RunWriter
from unetdyn.runs.waiting import WaitingWriter


def test_nothing_is_written_before_the_run_is_taken_over(tmp_path):
    RunWriter(tmp_path / "run").log_epoch(0, {"loss": 0.5})
    writer = WaitingWriter(runs.open(tmp_path / "run"))
    before = {file: file.read_bytes() for file in writer.path.iterdir()}
    writer.log_epoch(1, {"loss": 0.25})
    writer.event("best", "Best.")
    writer.save_arrays("stability", sigma=[0.5])
    writer.declare({"jaccard": "up"})
    writer.finish("failed")
    said = r"run is to be carried on, and nothing was written there\."
    with pytest.raises(FileExistsError, match=said):
        writer.append_arrays("gradient", 0, step=[0])
    with pytest.raises(FileExistsError, match=said), writer.replacing("model.keras"):
        pass
    assert {file: file.read_bytes() for file in writer.path.iterdir()} == before
