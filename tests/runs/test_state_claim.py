"""Whose states are: of two processes one gets them, and who has lost them writes nothing more."""

import json
import os
import shutil

import pytest

from unetdyn.runs.process import identity
from unetdyn.runs.state_claim import FILE, StateClaim


def claimed_by(folder, process, status="running"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(json.dumps({"writer": "0" * 32, "status": status, "process": process}))


def test_states_of_a_process_that_lives_are_refused(tmp_path):
    claimed_by(tmp_path, {**identity(), "pid": os.getppid(), "started": None})
    with pytest.raises(FileExistsError, match=f"{tmp_path} is the run directory of a training that runs: process "):
        StateClaim(tmp_path).take()


@pytest.mark.parametrize(
    ("process", "status"),
    [({"pid": 2**22 + 7, "started": None}, "running"), ({"pid": os.getppid(), "started": None}, "finished")],
    ids=["killed", "ended"],
)
def test_states_of_a_training_that_has_ended_are_taken(tmp_path, process, status):
    claimed_by(tmp_path / "state", {**identity(), **process}, status)
    claim = StateClaim(tmp_path / "state")
    claim.take()
    claim.check()
    assert [file.name for file in (tmp_path / "state").iterdir()] == [FILE], "no lock is left"


def test_released_states_are_those_of_an_ended_training(tmp_path):
    claim = StateClaim(tmp_path)
    claim.take()
    assert json.loads((tmp_path / FILE).read_text())["status"] == "running"
    claim.release()
    assert json.loads((tmp_path / FILE).read_text())["status"] == "finished"


@pytest.mark.parametrize("lose", ["taken", "removed"])
def test_who_has_lost_the_states_finds_that_out(tmp_path, lose):
    claim = StateClaim(tmp_path / "state")
    claim.check()  # of what was never taken nothing is asked
    claim.take()
    StateClaim(tmp_path / "state").take() if lose == "taken" else shutil.rmtree(tmp_path / "state")
    with pytest.raises(FileExistsError, match="is not this training's any more: it was moved away, or another"):
        claim.check()
    claim.release()
    if lose == "taken":
        assert json.loads((tmp_path / "state" / FILE).read_text())["status"] == "running"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"writer": "../x"}',
        '{"writer": 5}',
        '{"writer": "a", "process": 5}',
    ],
)
def test_file_that_says_nothing_belongs_to_nobody(tmp_path, content):
    (tmp_path / FILE).write_text(content)
    claim = StateClaim(tmp_path)
    claim.take()
    claim.check()


def test_file_in_the_place_of_the_folder_is_said(tmp_path):
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(NotADirectoryError, match="state must be a folder, and is a file: move it away"):
        StateClaim(tmp_path / "state").take()
