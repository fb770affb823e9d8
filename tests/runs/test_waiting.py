"""A writer that stands for that of a run which is to be carried on: nothing of the run is touched by it."""

import pytest

from unetdyn import runs
from unetdyn.runs import RunWriter
from unetdyn.runs.waiting import WaitingWriter, run_to_carry_on


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


@pytest.mark.parametrize(
    ("seconds", "carried_on"),
    [([], True), ([4000.0], True), ([29.0, 30.0], True), ([29.0, 31.0], False), ([None, 1.0], False)],
    ids=["no epoch", "one", "less than a minute", "a minute", "of unknown length"],
)
def test_run_that_has_lost_its_states_begins_again_only_at_its_beginning(tmp_path, seconds, carried_on):
    writer = RunWriter(tmp_path / "run")
    (tmp_path / "run/state").mkdir()
    for epoch, each in enumerate(seconds):
        writer.log_epoch(epoch, {"loss": 0.5, "seconds": each})
    writer.finish("interrupted")
    assert (run_to_carry_on(tmp_path / "run", extend=False) is not None) is carried_on
