"""Signals and the process's end, told to who records a training, and everything else as it was."""

import faulthandler
import os
import signal
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest

from unetdyn import runs
from unetdyn.callbacks import endings

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="these signals are POSIX's")


class Records:
    def __init__(self):
        self.told = []

    def on_signal(self, name):
        self.told.append(name)

    def on_exit(self, error):
        self.told.append(error)


@pytest.fixture
def heard():
    """What a handler of the user's own has heard, which was there before."""
    heard, before = [], {name: signal.getsignal(getattr(signal, name)) for name in endings.SIGNALS}
    for name in endings.SIGNALS:
        signal.signal(getattr(signal, name), lambda number, frame: heard.append(signal.Signals(number).name))
    yield heard
    for name, handler in before.items():
        signal.signal(getattr(signal, name), handler)


@pytest.mark.parametrize("name", endings.SIGNALS)
def test_signal_is_told_and_handed_on(heard, name):
    records, others = Records(), Records()
    mine = signal.getsignal(getattr(signal, name))
    endings.attend(records)
    endings.attend(others)
    signal.raise_signal(getattr(signal, name))
    assert (records.told, others.told, heard) == ([name], [name], [name])
    endings.leave(others)
    signal.raise_signal(getattr(signal, name))
    assert (records.told, others.told, heard) == ([name] * 2, [name], [name] * 2)
    endings.leave(records)
    assert signal.getsignal(getattr(signal, name)) is mine
    signal.raise_signal(getattr(signal, name))
    assert (records.told, heard) == ([name] * 2, [name] * 3)


def test_second_training_is_told_where_the_first_has_left_another_handler_behind(heard):
    mine, first, second = signal.getsignal(signal.SIGTERM), Records(), Records()
    endings.attend(first)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # as who had set `mine` does, while the first training was on
    endings.leave(first)
    signal.signal(signal.SIGTERM, mine)
    endings.attend(second)
    signal.raise_signal(signal.SIGTERM)
    assert (first.told, second.told, heard) == ([], ["SIGTERM"], ["SIGTERM"])
    endings.leave(second)
    assert signal.getsignal(signal.SIGTERM) is mine


def test_handlers_are_those_of_before_where_a_training_is_gone_without_leaving(heard):
    mine, records = signal.getsignal(signal.SIGTERM), Records()
    endings.attend(records)
    assert signal.getsignal(signal.SIGTERM) is not mine
    del records
    assert signal.getsignal(signal.SIGTERM) is mine


def test_what_is_ignored_stays_ignored(heard):
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    records = Records()
    endings.attend(records)
    signal.raise_signal(signal.SIGHUP)
    endings.leave(records)
    assert (records.told, signal.getsignal(signal.SIGHUP)) == ([], signal.SIG_IGN)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of handlers below Python")
def test_handler_below_python_stays(tmp_path):
    records = Records()
    before = signal.signal(signal.SIGUSR1, signal.SIG_DFL)
    with (tmp_path / "traceback.txt").open("w+") as file:
        faulthandler.register(signal.SIGUSR1, file)
        endings.attend(records)
        signal.raise_signal(signal.SIGUSR1)
        faulthandler.unregister(signal.SIGUSR1)
        file.seek(0)
        assert "test_handler_below_python_stays" in file.read()
    endings.leave(records)
    signal.signal(signal.SIGUSR1, before)
    assert records.told == []


def test_handler_that_came_later_stays_and_may_hand_on(heard):
    records = Records()
    endings.attend(records)
    ours, theirs = signal.getsignal(signal.SIGTERM), []

    def later(number, frame):
        theirs.append(number)
        ours(number, frame)

    signal.signal(signal.SIGTERM, later)
    again = Records()
    endings.attend(again)  # not a second time in the chain
    signal.raise_signal(signal.SIGTERM)
    assert (records.told, again.told, theirs, heard) == (["SIGTERM"], ["SIGTERM"], [signal.SIGTERM], ["SIGTERM"])
    endings.leave(records)
    endings.leave(again)
    assert signal.getsignal(signal.SIGTERM) is later
    signal.raise_signal(signal.SIGTERM)
    assert (records.told, heard) == (["SIGTERM"], ["SIGTERM"] * 2)
    signal.signal(signal.SIGTERM, ours)
    endings.leave(records)


def test_handler_that_came_and_went_leaves_the_next_training_heard(heard):
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    records = Records()
    endings.attend(records)
    ours = signal.signal(signal.SIGTERM, lambda number, frame: None)
    endings.leave(records)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    endings.attend(records)
    assert signal.getsignal(signal.SIGTERM) == ours
    endings.leave(records)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_handler_that_raises_ends_the_training_as_it_did_before(heard):
    def stop(number, frame):
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, stop)
    records = Records()
    endings.attend(records)
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)
    assert records.told == ["SIGTERM"]
    endings.leave(records)


def test_who_fails_keeps_nobody_from_ending(heard):
    class Broken(Records):
        def on_signal(self, name):
            raise OSError("No space left on device")

    records = [Broken(), Records()]
    for each in records:
        endings.attend(each)
    signal.raise_signal(signal.SIGTERM)
    assert (records[1].told, heard) == (["SIGTERM"], ["SIGTERM"])
    for each in records:
        endings.leave(each)


def test_a_forked_child_is_no_training(heard, monkeypatch):
    """A pool of workers ends its children with SIGTERM; they have inherited the handlers."""
    records, process = Records(), os.getpid()
    endings.attend(records)
    monkeypatch.setattr(os, "getpid", lambda: process + 1)
    signal.raise_signal(signal.SIGTERM)
    assert (records.told, heard) == ([], ["SIGTERM"])
    monkeypatch.setattr(os, "getpid", lambda: process)
    endings.leave(records)


def test_a_thread_stands_aside(heard):
    records, mine = Records(), signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: (endings.attend(records), endings.leave(records)))
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) is mine
    signal.raise_signal(signal.SIGTERM)
    assert (records.told, heard) == ([], ["SIGTERM"])


def test_who_is_gone_is_told_nothing(heard):
    records = Records()
    told = records.told
    endings.attend(records)
    del records
    signal.raise_signal(signal.SIGTERM)
    assert (told, heard) == ([], ["SIGTERM"])
    endings.leave(Records())


@pytest.mark.parametrize("interactive", [False, True])
def test_exit_is_told_with_what_nobody_caught(monkeypatch, interactive):
    """A console's last error need not be what ended the training."""
    error, records = RuntimeError("no memory"), Records()
    monkeypatch.setattr(sys, "last_value", error, raising=False)
    monkeypatch.setattr(sys, "last_exc", error, raising=False)
    shell = object() if interactive else None
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    endings.attend(records)
    endings._leaving()
    endings.leave(records)
    assert records.told == [None if interactive else error]


SCRIPT = """
import os, signal, sys, time
from unetdyn.callbacks import RunRecorder

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup

def train(name):
    recorder = RunRecorder(f"{sys.argv[1]}/{name}", save_best=None)
    recorder.on_train_begin()
    recorder.on_epoch_begin(0)
    recorder.on_epoch_end(0, {"loss": 0.5})
    return recorder

def child(name):
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    recorder = train(name)
    if name == "raises":
        raise ValueError("bad data")
    if name == "leaves":
        sys.exit(3)
    os.kill(os.getpid(), getattr(signal, name))
    time.sleep(60)

print([child(name) for name in ("SIGTERM", "SIGHUP", "raises", "leaves")])
"""


def test_processes_that_end_are_noted_and_end_as_they_would(tmp_path):
    """One process loads everything, and its children end each in a way of its own."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, tmp_path], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == str([-signal.SIGTERM, -signal.SIGHUP, 1, 3]), done.stderr
    ends = {run.path.name: (run.status, run.summary["error"]) for run in runs.list_runs(tmp_path)}
    assert ends == {
        "SIGTERM": ("interrupted", "SIGTERM came after 1 whole epoch: the process was told to end."),
        "SIGHUP": ("interrupted", "SIGHUP came after 1 whole epoch: the process was told to end."),
        "raises": ("failed", "ValueError: bad data"),
        "leaves": ("failed", "RuntimeError: the process ended before the training did"),
    }
