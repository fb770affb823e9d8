"""`Background`: one job after another in threads that don't outlive them. Events say when a job goes on, no clock."""

import copy
import os
import pickle
import subprocess
import sys
import threading
import weakref

import pytest

from unetdyn.callbacks import background as module
from unetdyn.callbacks.background import Background

LIMIT = 60  # seconds after which a test that hangs fails


class Gate:
    """A job that says when it has begun, and ends when it may."""

    def __init__(self, done=None, error=None):
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.done, self.error = done if done is not None else [], error

    def __call__(self):
        self.begun.set()
        assert self.may_end.wait(LIMIT)
        self.done.append(self)
        if self.error is not None:
            raise self.error


def threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("unetdyn")]


@pytest.fixture
def told():
    return []


@pytest.fixture
def background(told):
    background = Background(lambda what, error: told.append((what, str(error), threading.current_thread())))
    yield background
    background.wait()
    for thread in threads():
        thread.join(LIMIT)
    assert threads() == []


def test_jobs_run_in_their_order_one_at_a_time(background):
    done = []
    first, second = Gate(done), Gate(done)
    background.submit("first", first)
    background.submit("second", second)
    second.may_end.set()
    assert first.begun.wait(LIMIT)
    assert (second.begun.is_set(), done, background.busy) == (False, [], True)
    first.may_end.set()
    background.wait()
    assert (done, background.busy) == ([first, second], False)


def test_third_job_is_taken_when_the_first_has_ended(background):
    """The other two are one that runs and one that waits."""
    done = []
    gates = [Gate(done) for _ in range(3)]
    for gate in gates[:2]:
        background.submit("job", gate)
    releaser = threading.Thread(target=lambda: (gates[0].begun.wait(LIMIT), gates[0].may_end.set()))
    releaser.start()
    background.submit("job", gates[2])
    assert done == gates[:1]
    releaser.join()
    for gate in gates[1:]:
        gate.may_end.set()
    background.wait()
    assert done == gates


def test_error_is_told_in_the_thread_of_the_training_and_ends_nothing(background, told):
    failing = Gate(error=OSError(28, "No space left on device"))
    background.submit("model.keras", failing)
    failing.may_end.set()
    assert background.join(LIMIT)
    assert told == []
    background.submit("the next", lambda: None)
    assert told == [("model.keras", "[Errno 28] No space left on device", threading.current_thread())]
    background.wait()
    background.wait()
    assert len(told) == 1


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt()])
def test_what_would_end_the_thread_is_told_too(background, told, error):
    def leave():
        raise error

    background.submit("file", leave)
    background.wait()
    assert told == [("file", repr(error), threading.current_thread())]


def test_then_is_called_in_the_thread_of_the_training_where_the_job_was_done(background, told):
    called = []

    def fail():
        raise ValueError("broken")

    background.submit("good", lambda: None, then=lambda: called.append(threading.current_thread()))
    background.submit("bad", fail, then=lambda: called.append("bad"))
    background.wait()
    assert (called, [what for what, *_ in told]) == ([threading.current_thread()], ["bad"])


@pytest.mark.parametrize("fails", [False, True])
def test_what_a_job_has_held_is_free_when_it_has_ended(background, fails):
    class Copy:
        pass

    def job_with(held):
        def job():
            assert held is not None
            if fails:
                try:
                    raise KeyError("first")
                except KeyError as error:
                    raise ValueError("second") from error

        return job

    held = Copy()
    seen = weakref.ref(held)
    background.submit("file", job_with(held))
    del held
    assert background.join(LIMIT)
    for thread in threads():
        thread.join(LIMIT)
    assert seen() is None


def test_idle_has_no_thread():
    many = [Background(print) for _ in range(1000)]
    before = threading.active_count()
    for each in many:
        each.submit("nothing", lambda: None)
        each.wait()
    for thread in threads():
        thread.join(LIMIT)
    assert threading.active_count() <= before


def test_job_is_done_at_once_where_there_can_be_no_thread(background, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    done = []
    monkeypatch.setattr(threading.Thread, "start", refuse)
    background.submit("file", lambda: done.append(threading.current_thread()))
    assert (done, background.busy) == ([threading.current_thread()], False)


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copy_has_nothing_to_do(make):
    background, gate = Background(print), Gate()
    background.submit("file", gate)
    copied = make(background)
    assert (copied.busy, background.busy) == (False, True)
    copied.wait()
    gate.may_end.set()
    background.wait()


def test_forked_child_has_nothing_to_do(background, monkeypatch):
    gate, process = Gate(), os.getpid()
    background.submit("file", gate)
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: process + 1)
        mine = background._jobs
        background.wait()
        assert not background.busy
    background._process, background._jobs = process, mine  # a child's memory is its own
    gate.may_end.set()


def test_join_waits_no_longer_than_it_may(background):
    gate = Gate()
    background.submit("file", gate)
    assert not background.join(0.001)
    gate.may_end.set()
    assert background.join(LIMIT)


def test_handler_may_join_at_any_instruction(background, told):
    """A handler is called between two instructions of the main thread: here, after each line of these methods."""
    joined = []

    def handler(frame, event, arg):
        if event == "line" and frame.f_code.co_filename.endswith("background.py"):
            sys.settrace(None)
            joined.append(background.join(0))
            sys.settrace(handler)
        return handler

    def fail():
        raise ValueError("broken")

    before = sys.gettrace()
    sys.settrace(handler)
    try:
        for number in range(4):
            background.submit(f"job {number}", fail)
        background.wait()
    finally:
        sys.settrace(before)
    assert len(joined) > 20
    assert [what for what, *_ in told] == [f"job {number}" for number in range(4)]


def test_handler_that_settles_in_between_tells_nothing_twice(background, told):
    def tell(what, error):
        background.settle()
        told.append(what)

    background._tell = tell
    for number in range(2):
        background.submit(f"job {number}", lambda: 1 / 0)
    background.wait()
    assert sorted(told) == ["job 0", "job 1"]


ALONE = """
import atexit, importlib.util, sys, threading
spec = importlib.util.spec_from_file_location("background", sys.argv[2])  # without Keras, which takes seconds
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
background = module.Background(print)
def job():
    threading.main_thread().join()
    open(sys.argv[1], "w").write("whole")
"""
LEAVES = (
    ALONE
    + """
background.submit("file", job)
sys.exit(3)
"""
)
AT_EXIT = (
    ALONE
    + """
atexit.register(lambda: background.submit("file", lambda: open(sys.argv[1], "w").write("whole")))
"""
)


@pytest.mark.parametrize(("script", "code"), [(LEAVES, 3), (AT_EXIT, 0)])
def test_process_that_leaves_ends_what_was_submitted(tmp_path, script, code):
    """Also what is submitted when Python waits for no threads any more."""
    file = tmp_path / "file.txt"
    line = [sys.executable, "-c", script, str(file), module.__file__]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=LIMIT)
    assert (ended.returncode, ended.stderr, file.read_text()) == (code, "", "whole")
