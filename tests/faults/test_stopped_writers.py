"""Where a file can't be written, or its writer is stopped in the midst of it, a training keeps its last state.

What the store and the writer owe alone is in tests/runs; here callbacks are driven by hand through a whole training.
"""

import errno
import os
import shutil
import subprocess
import time
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

import keras
import pytest

from damage import TRIES
from faults.by_hand import EPOCHS, disturbed, drive, leftovers, recorded
from faults.killed_training import differences
from unetdyn import runs
from unetdyn.runs.state_store import StateStore

FEW = 6
"""Processes that are killed in each run of the tests; `make soak` kills one before each operation on a file."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a training leaves that nothing happens to."""
    return drive(tmp_path_factory.mktemp("whole") / "run")[0]


def assert_whole(folder, whole):
    """The record is that of the whole training, apart from what was said of the trouble."""
    found, expected = recorded(folder), {name: whole[name] for name in recorded(folder)}
    assert not list(differences(without_trouble(found), without_trouble(expected)))


def without_trouble(found):
    events = [event for event in found["events"] if event["kind"] != "warning"]
    return {**found, "events": events}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform forks no processes")
def test_process_killed_before_any_operation_on_a_file_goes_on(forks, tmp_path, whole):
    arguments = {"folder": str(tmp_path / "all"), "operation": -1}
    ended = forks.run(job="drive_until", arguments=arguments)
    assert ended["status"] == 0, forks.output.read_text()[-3000:]
    count = int(ended["marks"][-1].split()[1])
    assert count > 100
    spread = range(count) if TRIES else [round((place + 0.5) * count / FEW) for place in range(FEW)]
    for operation in spread:
        folder = tmp_path / str(operation)
        ended = forks.run(job="drive_until", arguments={"folder": str(folder), "operation": operation})
        assert ended["status"] == -9, (operation, ended)
        store = StateStore(folder / "state")
        assert not store.exists() or not store.read().skipped
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*was killed before its first state was saved")
            found, _ = drive(folder)
        assert not list(differences(found, whole)), operation
        assert len(list((folder / "state").iterdir())) == 4
        shutil.rmtree(folder)
    print(f"\n{keras.config.backend()}: killed before {len(spread)} of {count} operations on files, all equal.")


def told_once(said, number):
    """Each of the two, the record and the state, says it once."""
    assert 1 <= len(said) <= 2, "\n".join(said)
    assert all(os.strerror(number) in text for text in said), said
    assert sum("The state could not be written" in text for text in said) <= 1


@pytest.mark.parametrize("name", ["open", "fsync", "replace"])
def test_trouble_of_an_epoch_is_over_with_it(tmp_path, whole, monkeypatch, name):
    """A disk that is full for an epoch: what was not written then is written in the next."""
    real = getattr(os, name)

    def fail(*arguments, **named):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    said = disturbed(
        tmp_path / "run",
        epoch1=lambda: monkeypatch.setattr(os, name, fail),
        epoch2=lambda: monkeypatch.setattr(os, name, real),
    )
    told_once(said, errno.ENOSPC)
    assert StateStore(tmp_path / "run/state").read().tree["epoch"] == EPOCHS
    found = recorded(tmp_path / "run")
    assert found["epochs"][-1]["loss"] == whole["epochs"][-1]["loss"]
    assert [row["epoch"] for row in found["epochs"]] == list(range(EPOCHS))
    assert not leftovers(tmp_path / "run")


def resumes(folder, whole, epoch):
    """The last state is that of an epoch, and a process that comes later goes on from it."""
    assert StateStore(folder / "state").read().tree["epoch"] == epoch
    found, resumed_from = drive(folder)
    assert resumed_from == (epoch, 0)
    assert not list(differences(without_trouble(found), without_trouble(whole)))


def test_disk_that_stays_full_ends_no_training_and_keeps_the_last_state(tmp_path, whole, full):
    said = disturbed(tmp_path / "run", epoch2=lambda: full(True))
    full(False)
    told_once(said, errno.ENOSPC)
    resumes(tmp_path / "run", whole, 2)


@contextmanager
def mounted(*arguments):
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", arguments[-1]], check=True)


def test_small_disk_that_fills_ends_no_training_and_keeps_the_last_state(tmp_path, whole):
    """A real one, of 400 kB, and a file of somebody else that takes what is left of it."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def fill():
        with Path(disk / "other").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(4096)):
                pass

    with mounted("-t", "tmpfs", "-o", "size=400k", "none", str(disk)):
        said = disturbed(disk / "run", epoch2=fill)
        told_once(said, errno.ENOSPC)
        (disk / "other").unlink()
        resumes(disk / "run", whole, 2)


def test_folder_that_becomes_read_only_ends_no_training_and_keeps_the_last_state(tmp_path, whole):
    """By a mount: the bits of permission hold nobody who is root."""
    folder = str(tmp_path / "disk")
    Path(folder).mkdir()

    def mode(how):
        subprocess.run(["mount", "-o", f"remount,bind,{how}", folder], check=True)

    with mounted("--bind", folder, folder):
        said = disturbed(tmp_path / "disk/run", epoch2=lambda: mode("ro"))
        told_once(said, errno.EROFS)
        mode("rw")
        resumes(tmp_path / "disk/run", whole, 2)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform forks no processes")
def test_limit_of_a_files_size_ends_no_training_and_keeps_the_last_state(tmp_path, whole):
    import resource
    import signal

    def limit(size):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # then a write fails with EFBIG, as Python has it by default
    try:
        said = disturbed(tmp_path / "run", epoch2=lambda: limit(100))
    finally:
        limit(resource.RLIM_INFINITY)
        signal.signal(signal.SIGXFSZ, before)
    told_once(said, errno.EFBIG)
    resumes(tmp_path / "run", whole, 2)


def test_removed_directory_ends_no_training_and_is_not_made_anew(tmp_path, whole):
    """Who has removed it wants no half of it back."""
    folder = tmp_path / "run"
    said = disturbed(folder, epoch2=lambda: shutil.rmtree(folder))
    told_once(said, errno.ENOENT)
    assert not folder.exists()
    assert drive(folder)[1] is None
    assert_whole(folder, whole)


def test_directory_that_another_training_has_now_is_left_to_it(tmp_path):
    folder = tmp_path / "run"

    def claim():
        shutil.move(folder, tmp_path / "moved")
        runs.RunWriter(folder, {"mine": True})

    said = disturbed(folder, epoch2=claim)
    assert 1 <= len(said) <= 2, "\n".join(said)
    assert all("of another training now" in text for text in said), said
    assert [file.name for file in folder.iterdir()] == ["run.json"]
    assert StateStore(tmp_path / "moved/state").read().tree["epoch"] == 2


def test_clock_that_is_set_back_changes_nothing(tmp_path, whole, monkeypatch):
    """By two days, in an epoch; neither what is recorded nor which state is the last goes by the clock."""
    from datetime import datetime, timedelta

    from unetdyn.runs import writer

    class Back(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(days=2)

    real = time.time

    def set_back():
        monkeypatch.setattr(time, "time", lambda: real() - 2 * 86400)
        monkeypatch.setattr(writer, "datetime", Back)

    assert disturbed(tmp_path / "run", epoch2=set_back) == []
    assert_whole(tmp_path / "run", whole)
    assert StateStore(tmp_path / "run/state").read().tree["epoch"] == EPOCHS
    assert drive(tmp_path / "run")[1] == (EPOCHS, 0)
