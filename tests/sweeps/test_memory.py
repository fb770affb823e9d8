"""When another training may start, and when there are too many."""

import os

import psutil
from hypothesis import given
from hypothesis import strategies as st

from unetdyn.sweeps import memory
from unetdyn.sweeps.memory import MORE, free_memory, is_short, may_start, memory_of, total_memory

BYTES = st.integers(0, 10**12)


@given(free=BYTES, largest=BYTES, running=st.lists(BYTES, min_size=1, max_size=4))
def test_all_may_grow_to_the_largest_and_another_one_a_tenth_more(free, largest, running):
    needed = sum(largest - each for each in running if each < largest) + MORE * largest
    assert may_start(free, largest, running) == (free >= needed)


def test_one_training_may_always_start():
    assert may_start(0, 10**12, [])


@given(total=st.integers(1, 10**12), free=BYTES)
def test_memory_is_short_below_a_twentieth(total, free):
    assert is_short(free, total) == (free / total < 0.05)


def test_memory_of_a_process_is_what_it_has():
    assert memory_of(os.getpid()) >= psutil.Process().memory_info().rss * 0.5
    assert memory_of(2**22 + 1) == 0  # more than the largest pid


def test_memory_of_a_container_is_its_own(tmp_path, monkeypatch):
    own, folder = tmp_path / "cgroup", tmp_path / "groups" / "jobs" / "17"
    folder.mkdir(parents=True)
    own.write_text("0::/jobs/17\n")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(memory, "_OWN", own)
    (folder / "memory.max").write_text("1000000\n")
    (folder / "memory.current").write_text("700000\n")
    (folder / "memory.stat").write_text("anon 600000\nfile 100000\ninactive_file 50000\n")
    assert total_memory() == 1_000_000
    assert free_memory() == 350_000
    (folder / "memory.max").write_text("max\n")
    assert total_memory() == psutil.virtual_memory().total
