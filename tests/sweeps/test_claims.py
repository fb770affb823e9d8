"""A row is one process's at a time, whatever the clocks say, and another one's when that is gone."""

import json
import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noop_sweeps import ELSEWHERE, claimed, frozen, gone
from unetdyn.runs.process import identity
from unetdyn.sweeps.claims import STATES, Claimed, Failed, Record, beat_age, claim, free, read_claim
from unetdyn.sweeps.heartbeat import Heartbeat
from unetdyn.sweeps.table import SweepError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(["writer", "state", "process", "attempts", "exit", "text", "time"])


@pytest.fixture
def sweep(tmp_path):
    return frozen(tmp_path / "sweep")


def until(condition):
    """Wait for what must come; a minute is a fault."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.002)


def test_one_of_many_gets_a_row(sweep):
    start, got, over = threading.Barrier(8), [], threading.Barrier(8)

    def ask():
        start.wait()
        try:
            with claim(sweep, 1) as mine:
                got.append(mine)
                over.wait()
        except Claimed:
            over.wait()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert [file.name for file in (sweep.path / "claims").iterdir()] == ["0001.json"]


@pytest.mark.parametrize(
    ("state", "process", "age", "taken"),
    [
        ("working", "gone", 0, True),
        ("working", "mine", 10_000, False),
        ("working", "elsewhere", 0, False),
        ("working", "elsewhere", 500, False),
        ("working", "elsewhere", 700, True),
        ("working", None, 0, False),
        ("working", None, 700, True),
        ("stopped", "elsewhere", 0, True),
        ("free", None, 0, True),
        ("done", "elsewhere", 0, True),
    ],
)
def test_row_of_the_dead_is_taken_over(sweep, state, process, age, taken):
    who = {"gone": gone(), "mine": identity(), "elsewhere": ELSEWHERE, None: None}[process]
    file = claimed(sweep, 2, state, who, age)
    if not taken:
        with (
            pytest.raises(Claimed, match=r"Row 2 of .* is worked on by .*last sign of life is \d+ s old"),
            claim(sweep, 2),
        ):
            pass
        assert read_claim(file).token == "f" * 32
        return
    with claim(sweep, 2) as mine:
        assert mine.attempts == 2
        assert not mine.lost
        assert read_claim(file).process["pid"] == os.getpid()
        assert beat_age(file) < 60


def test_clock_of_the_host_does_no_harm(sweep, monkeypatch):
    claimed(sweep, 1)
    real = time.time
    for ahead in (-7200, 7200):
        monkeypatch.setattr(time, "time", lambda ahead=ahead: real() + ahead)
        with pytest.raises(Claimed), claim(sweep, 1):
            pass


def test_job_that_was_put_back_takes_its_own_row(sweep, monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    claimed(sweep, 1, process={**ELSEWHERE, "job": "SLURM_JOB_ID=17"})
    with claim(sweep, 1) as mine:
        assert mine.attempts == 2


def test_failed_row_is_not_tried_again_by_itself(sweep):
    claimed(sweep, 1, "failed", text="Row 1 failed. ValueError: no.")
    with (
        pytest.raises(Failed, match=r"has failed: Row 1 failed\. ValueError: no\. .*retry .* --failed"),
        claim(sweep, 1),
    ):
        pass


def test_claim_says_how_it_ended(sweep):
    with claim(sweep, 1) as mine:
        assert mine.end("stopped", 75, "The walltime came.")
    found = read_claim(sweep.claim_path(1))
    assert (found.state, found.exit, found.text, found.attempts) == ("stopped", 75, "The walltime came.", 1)


def test_claim_that_ends_by_an_exception_is_stopped(sweep):
    with pytest.raises(KeyError), claim(sweep, 1):
        raise KeyError("why")
    assert read_claim(sweep.claim_path(1)).text == "KeyError: 'why'"
    with claim(sweep, 1):
        pass
    found = read_claim(sweep.claim_path(1))
    assert (found.state, found.attempts) == ("stopped", 2)


def test_who_has_lost_a_row_hears_it_and_changes_nothing(sweep):
    heard = threading.Event()
    with claim(sweep, 1, heartbeat=0.01, dead_after=1, on_lost=heard.set) as mine:
        file = claimed(sweep, 1)
        beat = file.stat().st_mtime_ns
        assert heard.wait(60)
        assert mine.lost
        assert not mine.end("done", 0)
    assert read_claim(file).token == "f" * 32
    assert file.stat().st_mtime_ns == beat


def test_row_whose_claim_was_removed_is_lost(sweep):
    heard = threading.Event()
    with claim(sweep, 1, heartbeat=0.01, dead_after=1, on_lost=heard.set) as mine:
        sweep.claim_path(1).unlink()
        assert heard.wait(60)
        assert not mine.end("done", 0)
    assert read_claim(sweep.claim_path(1)) is None


def test_heart_beats_until_the_end(sweep):
    file = sweep.claim_path(1)
    with claim(sweep, 1, heartbeat=0.01, dead_after=1) as mine:
        for _ in range(3):
            os.utime(file, (0, 0))
            until(lambda: file.stat().st_mtime > 0)
        mine.end("done", 0)
    os.utime(file, (0, 0))
    assert not [thread for thread in threading.enumerate() if thread.name == "heartbeat"]
    assert file.stat().st_mtime == 0


def test_heart_goes_on_when_the_file_system_is_back(tmp_path):
    file, asked = tmp_path / "claim", []
    file.touch()

    def lost():
        asked.append(1)
        if len(asked) < 3:
            raise OSError("stale file handle")
        return False

    os.utime(file, (0, 0))
    beat = Heartbeat(file, 0.01, lost)
    until(lambda: file.stat().st_mtime > 0)
    beat.stop()
    assert len(asked) >= 3


def test_full_disk_at_the_end_leaves_the_row_to_others(sweep, full):
    with claim(sweep, 1) as mine:
        full(True)
        assert not mine.end("done", 0)
        full(False)
    assert read_claim(sweep.claim_path(1)).state == "working"


def test_heartbeats_that_are_too_rare_are_refused(sweep):
    text = r"three times `heartbeat`.*dead_after=60, heartbeat=30"
    with pytest.raises(SweepError, match=text), claim(sweep, 1, heartbeat=30, dead_after=60):
        pass
    assert not sweep.claim_path(1).exists()


def test_row_that_is_not_there_is_refused(sweep):
    with pytest.raises(SweepError, match="from 1 to 3"), claim(sweep, 4):
        pass


def test_row_is_freed_if_it_may_be(sweep):
    file = claimed(sweep, 1, "stopped")
    assert not free(sweep, 1, lambda now: now.state == "failed")
    assert read_claim(file).state == "stopped"
    assert free(sweep, 1, lambda now: now.state == "stopped")
    found = read_claim(file)
    assert (found.state, found.attempts, found.process) == ("free", 1, None)
    assert free(sweep, 3, lambda now: False)  # that nobody has claimed


def test_row_that_is_just_being_taken_is_not_changed(sweep):
    claimed(sweep, 1, "stopped")
    lock = sweep.path / "claims" / f".taken-0001-{'f' * 32}-0.json"
    lock.write_text(json.dumps(identity()))
    assert not free(sweep, 1, lambda now: True)
    with pytest.raises(Claimed, match="just being taken"), claim(sweep, 1):
        pass
    lock.write_text(json.dumps(gone()))
    with claim(sweep, 1):
        assert not lock.exists()


@given(content=st.dictionaries(KEYS, JSON | st.sampled_from(STATES)) | JSON)
def test_any_claim_can_be_read(tmp_path_factory, content):
    file = tmp_path_factory.getbasetemp() / "claim.json"
    file.write_text(json.dumps(content))
    found = read_claim(file)
    assert isinstance(found, Record)
    assert found.state in STATES
    assert found.process is None or isinstance(found.process, dict)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 9999, b'{"writer": "a"}'])
def test_damaged_claim_is_that_of_somebody_who_may_live(sweep, content):
    file = sweep.claim_path(1)
    file.write_bytes(content)
    assert read_claim(file) == Record()
    with pytest.raises(Claimed), claim(sweep, 1):
        pass
    os.utime(file, (0, 0))
    with claim(sweep, 1) as mine:
        assert mine.attempts == 1
