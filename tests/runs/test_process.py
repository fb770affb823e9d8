"""Whether the process that ran a training still lives, told from its number, its start, its host and its job."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from unetdyn.runs import process
from unetdyn.runs.process import cores, identity, in_words, is_alive

JOB_VARIABLES = [name for pair in process.JOBS for name in pair if name]


@pytest.fixture(autouse=True)
def no_job(monkeypatch):
    for name in JOB_VARIABLES:
        monkeypatch.delenv(name, raising=False)


def told_by_another(then):
    """What another process says of itself, while it lives, and after what is done to it."""
    code = "import json, sys; from unetdyn.runs.process import identity; print(json.dumps(identity()), flush=True)\n"
    other = subprocess.Popen([sys.executable, "-c", code + "sys.stdin.read()"], stdin=-1, stdout=-1, text=True)
    told = json.loads(other.stdout.readline())
    alive = is_alive(told)
    then(other)
    dead = is_alive(told)
    other.kill()
    other.communicate()
    return other.pid, told, alive, dead


def test_this_process_is_alive():
    mine = identity()
    assert mine["pid"] == os.getpid()
    assert mine["job"] is None
    assert is_alive(mine) is True


@pytest.mark.parametrize("reaped", [True, False])
def test_killed_process_is_not_alive(reaped):
    """Neither is one whose parent has not yet asked for how it ended."""

    def kill(other):
        other.kill()
        os.waitid(os.P_PID, other.pid, os.WEXITED | (0 if reaped else os.WNOWAIT))

    pid, told, alive, dead = told_by_another(kill)
    assert (told["pid"], alive, dead) == (pid, True, False)


def test_stopped_process_is_alive():
    stopped = told_by_another(lambda other: other.send_signal(signal.SIGSTOP))[3]
    assert stopped is True


@pytest.mark.skipif(identity()["started"] is None, reason="the platform does not tell when a process started")
def test_pid_of_another_process_is_not_the_process():
    mine = identity()
    boot, ticks = mine["started"].split("/")
    assert is_alive({**mine, "started": f"{boot}/{int(ticks) + 1}"}) is False
    assert is_alive({**mine, "started": f"another-boot/{ticks}"}) is False
    assert is_alive({**mine, "namespace": "pid:[1]"}) is None


def test_start_of_a_process_is_that_of_the_system():
    """The system counts from its boot; this process began between that of the tests and now."""
    if identity()["started"] is None:
        pytest.skip("the platform does not tell when a process started")
    before = float(Path("/proc/uptime").read_text().split()[0])
    _, told, _, _ = told_by_another(lambda other: None)
    after = float(Path("/proc/uptime").read_text().split()[0])
    seconds = int(told["started"].rpartition("/")[2]) / os.sysconf("SC_CLK_TCK")
    assert before - 0.02 <= seconds <= after + 0.02


def test_platform_without_starts_goes_by_the_pid(monkeypatch):
    monkeypatch.setattr(process, "_started", lambda pid: None)
    assert is_alive(identity()) is True
    assert is_alive({**identity(), "pid": 2**22 + 5}) is False


def test_another_host_is_not_known():
    assert is_alive({**identity(), "host": "elsewhere"}) is None
    assert is_alive(None) is None
    assert is_alive({}) is None


@pytest.mark.parametrize("pid", [None, "5", 0, -1, True, 2.0])
def test_what_is_no_pid_is_not_known(pid):
    assert is_alive({**identity(), "pid": pid}) is None


@pytest.mark.parametrize("name", [name for name, _ in process.JOBS])
def test_job_that_was_requeued_to_another_host_is_gone_there(monkeypatch, name):
    monkeypatch.setenv(name, "4711")
    there = {**identity(), "host": "elsewhere"}
    assert there["job"] == f"{name}=4711"
    assert is_alive(there) is False
    monkeypatch.setenv(name, "4712")
    assert is_alive(there) is None


@pytest.mark.parametrize(("name", "task"), [pair for pair in process.JOBS if pair[1]])
def test_tasks_of_an_array_are_jobs_of_their_own(monkeypatch, name, task):
    monkeypatch.setenv(name, "4711")
    monkeypatch.setenv(task, "3")
    there = {**identity(), "host": "elsewhere"}
    assert there["job"] == f"{name}=4711[3]"
    monkeypatch.setenv(task, "4")
    assert is_alive(there) is None


def test_process_is_named():
    assert in_words({"host": "gpu7", "pid": 4711}) == "process 4711 on gpu7"
    assert in_words(None) == "a process that left no name"


def test_cores_are_those_that_this_process_may_use():
    assert 1 <= cores() <= (os.cpu_count() or 1)
