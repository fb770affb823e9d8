import gc
import signal
import subprocess
import sys
import threading
import weakref
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unetdyn.data import ahead as module
from unetdyn.data.ahead import Ahead, usual_most

LONG = 60.0  # seconds after which a test is taken for one that hangs


class Makers:
    """Plans of numbers, of which it is known when they are made; those held are not done before their gate is open."""

    def __init__(self, *held):
        self.begun, self.threads = [], {}
        self.gates = {number: threading.Event() for number in held}
        self.reached = {number: threading.Event() for number in held}

    def make(self, number):
        self.begun.append(number)
        self.threads[number] = threading.current_thread()
        if number in self.gates:
            self.reached[number].set()
            assert self.gates[number].wait(LONG)
        return 10 * number

    def plans(self, first):
        return [(number, partial(self.make, number)) for number in range(first, first + 20)]

    def reach(self, *numbers):
        for number in numbers:
            assert self.reached[number].wait(LONG)

    def open_all(self):
        for gate in self.gates.values():
            gate.set()
        join()


def ours():
    return [thread for thread in threading.enumerate() if thread.name == "unetdyn: ahead"]


def join():
    for thread in ours():
        thread.join(LONG)
        assert not thread.is_alive()


def test_ahead_gives_what_is_asked_for_and_makes_each_once_and_all_but_the_first_in_threads():
    makers, ahead = Makers(), Ahead(2)
    assert [ahead.get(makers.plans(number)[: 9 - number]) for number in range(9)] == list(range(0, 90, 10))
    assert sorted(makers.begun) == list(range(9))
    assert [number for number, thread in makers.threads.items() if thread is threading.main_thread()] == [0]


def test_ahead_makes_the_next_two_while_the_first_is_used():
    makers, ahead = Makers(1, 2, 3), Ahead(4)
    assert ahead.get(makers.plans(0)) == 0
    makers.reach(1, 2)
    assert sorted(makers.begun) == [0, 1, 2]
    makers.open_all()
    assert ahead.get(makers.plans(1)) == 10
    makers.reach(3)
    assert sorted(makers.begun) == [0, 1, 2, 3]  # nobody had to wait, so it is two


@pytest.mark.parametrize("most", [0, 1, 2, 5])
def test_ahead_looks_at_no_more_plans_than_it_may(most):
    looked_at = []
    Ahead(most).get((looked_at.append(key) or (key, make)) for key, make in Makers().plans(0))
    assert looked_at == list(range(1 + min(2, most)))
    join()


def test_ahead_makes_one_more_for_good_once_somebody_had_to_wait():
    makers, ahead, found = Makers(1, 2, 3), Ahead(3), []
    ahead.get(makers.plans(0))
    makers.reach(1, 2)
    asking = threading.Thread(target=lambda: found.append(ahead.get(makers.plans(1))))
    asking.start()
    makers.reach(3)  # with 1 and 2 three run, and it may be no more
    assert sorted(makers.begun) == [0, 1, 2, 3]
    makers.open_all()
    asking.join(LONG)
    assert found == [10]
    ahead.get(makers.plans(2))
    join()
    assert sorted(makers.begun) == [0, 1, 2, 3, 4, 5]  # now three


def test_ahead_counts_what_was_forgotten_until_it_is_done():
    makers, ahead = Makers(1, 2), Ahead(2)
    ahead.get(makers.plans(0))
    makers.reach(1, 2)
    assert ahead.get(makers.plans(50)) == 500
    assert sorted(makers.begun) == [0, 1, 2, 50]
    makers.open_all()
    ahead.get(makers.plans(60))
    join()
    assert sorted(makers.begun) == [0, 1, 2, 50, 60, 61, 62]


@given(st.lists(st.integers(0, 6), max_size=12), st.integers(0, 4))
@settings(deadline=None, max_examples=30)
def test_ahead_gives_what_is_asked_for_in_whatever_order(numbers, most):
    makers, ahead = Makers(), Ahead(most)
    for number in numbers:
        assert ahead.get(makers.plans(number)) == 10 * number
        assert len(ours()) <= most
    join()


def test_ahead_hands_out_nothing_of_another_key():
    ahead = Ahead(2)
    plans = [[((number, version), lambda version=version: version) for number in range(3)] for version in "ab"]
    assert ahead.get(plans[0]) == "a"
    join()
    assert ahead.get(plans[1][1:]) == "b"
    join()
    assert ahead.get(plans[0][2:]) == "a"


def test_ahead_holds_no_results_that_were_forgotten_or_handed_out():
    class Result:
        """Something that can be referred to weakly."""

    made = []

    def make():
        result = Result()
        made.append(weakref.ref(result))
        return result

    ahead = Ahead(2)
    ahead.get([(number, make) for number in range(3)])
    join()
    assert sum(each() is not None for each in made) == 2
    ahead.get([(1, make)])
    gc.collect()
    assert [each() for each in made] == [None] * 3


def test_ahead_raises_where_the_result_is_asked_for_and_only_there():
    asked = []

    def fail():
        asked.append(1)
        raise KeyError("section 7 is damaged")

    ahead, plans = Ahead(2), [(0, lambda: "fine"), (1, fail), (2, lambda: "fine too")]
    assert ahead.get(plans) == "fine"
    join()
    with pytest.raises(KeyError, match="section 7 is damaged"):
        ahead.get(plans[1:])
    assert ahead.get(plans[2:]) == "fine too"
    assert len(asked) == 1
    with pytest.raises(KeyError, match="section 7 is damaged"):
        ahead.get(plans[1:])
    assert len(asked) == 2  # it may be well by then


def test_ahead_passes_on_what_would_end_a_thread():
    def leave():
        raise SystemExit(3)

    ahead = Ahead(1)
    ahead.get([(0, lambda: None), (1, leave)])
    with pytest.raises(SystemExit, match="3"):
        ahead.get([(1, leave)])


def test_threads_end_and_a_collected_one_leaves_nothing():
    makers, ahead = Makers(1), Ahead(1)
    ahead.get(makers.plans(0))
    makers.reach(1)
    gone = weakref.ref(ahead)
    del ahead
    assert gone() is None  # while its thread still runs
    makers.open_all()
    assert not ours()


def test_ahead_does_without_threads_where_there_can_be_no_more(monkeypatch):
    class Refused(threading.Thread):
        def start(self):
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(module.threading, "Thread", Refused)
    makers, ahead = Makers(), Ahead(2)
    assert [ahead.get(makers.plans(number)) for number in range(4)] == [0, 10, 20, 30]
    assert makers.begun == [0, 1, 2, 3]


def test_usual_most_is_the_number_of_cores_within_bounds(monkeypatch):
    for cores, expected in ((1, 2), (2, 2), (5, 5), (64, 8)):
        monkeypatch.setattr(module.os, "sched_getaffinity", lambda _, n=cores: set(range(n)), raising=False)
        assert usual_most() == expected


SCRIPT = """
import importlib.util, os, sys, threading
spec = importlib.util.spec_from_file_location("ahead", sys.argv[1])
module = importlib.util.module_from_spec(spec)
sys.modules["ahead"] = module
spec.loader.exec_module(module)
ahead, gate, reached = module.Ahead(1), threading.Event(), threading.Event()
def held():
    reached.set()
    gate.wait()
    return "made"
"""


def started(code):
    """A process without any backend, which forks and dies as it likes."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT + code, module.__file__],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process):
    out, error = process.communicate(timeout=LONG)
    return process.returncode, out.split(), error


def test_process_that_leaves_waits_for_what_has_begun_and_begins_nothing():
    code = """
def late():
    threading.main_thread().join()  # until the process leaves
    print("late", ahead.get([(5, lambda: "asked"), (6, lambda: print("never"))]))
ahead.get([(0, lambda: None), (1, late)])
"""
    assert outcome(started(code)) == (0, ["late", "asked"], "")


def test_forked_child_makes_anew_what_its_parent_had_begun():
    code = """
ahead.get([(0, lambda: None), (1, held)])
reached.wait()
child = os.fork()
if child == 0:
    again = ahead.get([(1, lambda: "anew"), (2, lambda: "after")])
    print(again, ahead.get([(2, lambda: "inline")]), flush=True)
    os._exit(0)
os.waitpid(child, 0)
gate.set()
print(ahead.get([(1, held)]))
"""
    status, out, _ = outcome(started(code))
    assert (status, out) == (0, ["anew", "after", "made"])


def test_sigterm_ends_a_process_whose_thread_does_not():
    process = started("ahead.get([(0, lambda: None), (1, held)]); reached.wait(); print(0, flush=True); gate.wait()")
    assert process.stdout.readline() == "0\n"
    process.send_signal(signal.SIGTERM)
    assert outcome(process)[0] == -signal.SIGTERM


def test_interrupt_comes_through_while_somebody_waits():
    code = """
ahead.get([(0, lambda: None), (1, held)])
try:
    print(0, flush=True)
    ahead.get([(1, held)])
except KeyboardInterrupt:
    gate.set()
    print(ahead.get([(1, held)]))
"""
    process = started(code)
    assert process.stdout.readline() == "0\n"
    process.send_signal(signal.SIGINT)
    assert outcome(process) == (0, ["made"], "")
