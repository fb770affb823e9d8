"""Whose a run directory is: of several writers, copies and squatters one has it."""

import copy
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
from contextlib import suppress

import pytest

from unetdyn import runs
from unetdyn.runs import RunWriter
from unetdyn.runs.claim import claim


def accepted(path, writers):
    """How many of several writers that are let loose at once are accepted."""
    made, barrier = [], threading.Barrier(writers)

    def make():
        barrier.wait()
        with suppress(FileExistsError):
            made.append(RunWriter(path))

    threads = [threading.Thread(target=make) for _ in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(made)


def test_of_writers_that_begin_at_once_one_is_accepted(tmp_path):
    """Two were accepted in 13 of 60 such races."""
    assert [accepted(tmp_path / str(race), writers=3) for race in range(20)] == [1] * 20


def test_of_processes_that_begin_at_once_one_is_accepted(tmp_path):
    """They load NumPy first, and wait for each other's word."""
    code = (
        "import sys; from unetdyn.runs import RunWriter; print('ready', flush=True); sys.stdin.readline()\n"
        "for race in range(10):\n"
        "    try: RunWriter(f'{sys.argv[1]}/{race}'); print(race)\n"
        "    except FileExistsError: pass"
    )
    several = [
        subprocess.Popen([sys.executable, "-c", code, tmp_path], stdin=-1, stdout=-1, text=True) for _ in range(2)
    ]
    for process in several:
        process.stdout.readline()
    for process in several:
        process.stdin.write("go\n")
        process.stdin.flush()
    won = [process.communicate()[0].split() for process in several]
    assert sorted(map(int, won[0] + won[1])) == list(range(10))


def test_claim_on_a_file_system_without_hard_links(tmp_path, monkeypatch):
    def link(source, target):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", link)
    claim(tmp_path / "run", "mine")
    assert [file.name for file in (tmp_path / "run").iterdir()] == ["run.json"]
    monkeypatch.setattr("pathlib.Path.iterdir", lambda folder: iter(()))  # both have looked before either has written
    with pytest.raises(FileExistsError, match=r"which holds run\.json"):
        claim(tmp_path / "run", "theirs")
    assert (tmp_path / "run" / "run.json").read_text() == "mine"


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, lambda writer: pickle.loads(pickle.dumps(writer))])
def test_copy_of_a_writer_claims_a_folder_of_its_own_when_it_is_used(tmp_path, make):
    writer = RunWriter(tmp_path / "run", config={"filters": 16}, seed=3)
    writer.log_epoch(0, {"loss": 0.5})
    first, second, unused = make(writer), make(writer), make(writer)
    assert [folder.name for folder in tmp_path.iterdir()] == ["run"]
    first.log_epoch(0, {"loss": 0.25})
    second.finish("finished", {"jaccard": 0.5})
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["run", "run-2", "run-3"]
    assert (first.path, second.path) == (tmp_path / "run-2", tmp_path / "run-3")
    run = runs.open(first.path)
    assert (run.config, run.seed, run.status, run.history["loss"].tolist()) == ({"filters": 16}, 3, "running", [0.25])
    assert len({runs.open(folder).header["writer"] for folder in tmp_path.iterdir()}) == 3
    assert runs.open(writer.path).history["loss"].tolist() == [0.5]
    assert unused.path == tmp_path / "run-4"


def test_copy_passes_over_what_is_there(tmp_path):
    writer = RunWriter(tmp_path / "run")
    (tmp_path / "run-2").write_text("mine")
    (tmp_path / "run-3").mkdir()
    (tmp_path / "run-3" / "mine.txt").write_text("mine")
    assert copy.copy(writer).path == tmp_path / "run-4"


def test_writer_leaves_a_folder_alone_that_another_has_claimed_anew(tmp_path):
    writer = RunWriter(tmp_path / "run")
    writer.log_epoch(0, {"loss": 0.5})
    (tmp_path / "run").rename(tmp_path / "moved")
    other = RunWriter(tmp_path / "run")
    for write in (
        lambda: writer.log_epoch(1, {"loss": 0.25}),
        lambda: writer.event("note", "hello"),
        lambda: writer.save_arrays("x", a=[1]),
        lambda: writer.declare(setup={"epochs": 3}),
        writer.finish,
    ):
        with pytest.raises(FileExistsError, match=r"run directory of another training now: it was moved away"):
            write()
    other.log_epoch(0, {"loss": 0.125})
    assert runs.open(tmp_path / "run").history["loss"].tolist() == [0.125]
    assert runs.open(tmp_path / "moved").history["loss"].tolist() == [0.5]


def test_writer_knows_its_folder_again_after_a_stranger_has_touched_it(tmp_path):
    writer = RunWriter(tmp_path / "run")
    shutil.copytree(tmp_path / "run", tmp_path / "backup")
    shutil.rmtree(tmp_path / "run")
    with pytest.raises(FileNotFoundError):
        writer.log_epoch(0, {"loss": 0.5})
    (tmp_path / "backup").rename(tmp_path / "run")
    writer.log_epoch(1, {"loss": 0.25})
    assert runs.open(tmp_path / "run").history["loss"].tolist() == [0.5, 0.25]  # the first has waited
    (tmp_path / "run" / "run.json").write_text("5")
    with pytest.raises(FileExistsError, match="another training"):
        writer.finish()


def test_writer_finds_its_folder_after_the_process_went_elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    writer = RunWriter("run")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    writer.log_epoch(0, {"loss": 0.5})
    assert json.loads((tmp_path / "run" / "epochs.jsonl").read_text()) == {"epoch": 0, "loss": 0.5}


def test_folder_whose_claimant_was_killed_is_as_new(tmp_path):
    """What it has left is the hidden file that was to become `run.json`."""
    (tmp_path / ".run-0123abcd.json").write_text("{")
    assert runs.open(RunWriter(tmp_path).path).status == "running"
