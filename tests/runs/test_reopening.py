"""A run directory taken over to be carried on: by one of those who try, cut back to what the state knows."""

import json
import os
import subprocess
import sys
import threading
import warnings
from contextlib import suppress

import pytest

from unetdyn import runs
from unetdyn.runs import RunError, RunWriter, taking_over
from unetdyn.runs.process import identity

ANOTHER = "elsewhere"


def killed(path, epochs=3, **of_process):
    """A run whose process is gone, unless it is said otherwise; each epoch has an event."""
    writer = RunWriter(path, {"filters": 16}, seed=2**53 + 1)
    for epoch in range(epochs):
        writer.log_epoch(epoch, {"loss": float(epoch)})
        writer.event("best", "Best.", epoch=epoch)
    rewrite(path, process={**identity(), "pid": 2**22 + 7, **of_process})
    return writer


def rewrite(path, **values):
    header = json.loads((path / "run.json").read_text()) | values
    (path / "run.json").write_text(json.dumps(header))


def header(path):
    return json.loads((path / "run.json").read_text())


def leftovers(path):
    return [file.name for file in path.glob(".*")]


def test_killed_run_is_carried_on_from_where_its_state_is(tmp_path):
    old = killed(tmp_path / "run")
    before = header(old.path)
    writer = RunWriter.reopen(old.path)
    epochs, events = writer.cut_back(epochs=2, events=1, epoch=2, step=5)
    assert epochs == [{"epoch": 0, "loss": 0.0}, {"epoch": 1, "loss": 1.0}]
    assert [event["epoch"] for event in events] == [0]
    writer.log_epoch(2, {"loss": 20.0})
    run = runs.open(old.path)
    assert run.history["loss"].tolist() == [0, 1, 20]
    assert (len(run.events), run.notes, run.status, run.config, run.summary) == (1, [], "running", {"filters": 16}, {})
    after = header(old.path)
    assert after["process"] == identity()
    assert [(each["epoch"], each["step"], each["ended"]) for each in after["resumed"]] == [(2, 5, None)]
    same = ("created", "versions", "config", "seed", "backend", "format")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert after["writer"] != before["writer"]
    assert leftovers(old.path) == []


def test_what_kills_have_left_is_removed(tmp_path):
    path = killed(tmp_path / "run").path
    (path / "dynamics/stability").mkdir(parents=True)
    of_segment = "dynamics/stability/.000000000000-000000000001-0123abcd.npz"
    for name in (".model-0123abcd.keras", ".model-0123abcd.keras.h5", "dynamics/.stability-0123abcd.npz", of_segment):
        (path / name).touch()
    RunWriter.reopen(path)
    assert leftovers(path) == leftovers(path / "dynamics") == leftovers(path / "dynamics/stability") == []


def test_new_run_tells_its_process(tmp_path):
    assert header(RunWriter(tmp_path / "run").path)["process"] == identity()


@pytest.mark.parametrize(
    ("status", "summary", "ended"),
    [
        ("interrupted", {"error": "SIGTERM ended it.", "signal": "SIGTERM", "epochs": 3}, "SIGTERM"),
        ("failed", {"error": "ValueError: no"}, "ValueError: no"),
        ("finished", {"test_jaccard": 0.5}, "finished"),
    ],
)
def test_what_had_ended_the_run_is_kept_and_its_summary_is_not(tmp_path, status, summary, ended):
    """Its process may live on, as that of a notebook does."""
    killed(tmp_path / "run", pid=os.getppid(), started=None).finish(status, summary)
    writer = RunWriter.reopen(tmp_path / "run")
    assert runs.open(writer.path).status == "running"
    writer.cut_back(1, 1, epoch=1)
    found = header(writer.path)
    assert (found["status"], found["finished"], found["summary"]) == ("running", None, {})
    assert found["resumed"][0]["ended"] == ended


def test_cutting_back_twice_is_one_resumption_and_reopening_twice_is_two(tmp_path):
    writer = RunWriter.reopen(killed(tmp_path / "run").path)
    writer.cut_back(3, 3, epoch=3)
    writer.cut_back(2, 2, epoch=2, step=4, again=True)
    rewrite(writer.path, process=None)
    with pytest.warns(UserWarning, match="a process that left no name"):
        again = RunWriter.reopen(writer.path)
    again.cut_back(1, 0, epoch=1)
    again.finish("failed", {"error": "ValueError: no"})
    again.cut_back(1, 0, epoch=1)  # by the same process, as a notebook does
    told = [(each["epoch"], each["step"], each["ended"]) for each in header(writer.path)["resumed"]]
    assert told == [(2, 4, None), (1, 0, None), (1, 0, "ValueError: no")]


def test_declared_is_what_it_was(tmp_path):
    old = RunWriter(tmp_path / "run")
    old.declare({"jaccard": "up", "later": "up"}, setup={"batch_size": 4, "later": 1}, stages=[{"name": "a"}])
    writer = RunWriter.reopen(old.path)
    declared = {"metrics": {"jaccard": "up"}, "setup": {"batch_size": 4}, "stages": []}
    writer.cut_back(0, 0, epoch=0, declared=declared)
    assert {key: header(old.path)[key] for key in declared} == declared


def test_versions_are_noted_where_they_are_others(tmp_path):
    path = killed(tmp_path / "run").path
    rewrite(path, versions={"keras": "3.0"})
    RunWriter.reopen(path).cut_back(0, 0, epoch=0)
    found = header(path)
    assert found["versions"] == {"keras": "3.0"}
    assert found["resumed"][0]["versions"]["unetdyn"]


def test_copy_of_a_reopened_writer_is_a_new_run(tmp_path):
    import copy

    writer = copy.copy(RunWriter.reopen(killed(tmp_path / "run").path))
    assert writer.path == tmp_path / "run-2"
    assert (runs.open(writer.path).config, header(writer.path)["resumed"]) == ({"filters": 16}, [])


def test_run_that_runs_is_refused(tmp_path):
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=-1) as other:
        from unetdyn.runs import process

        path = killed(tmp_path / "run", pid=other.pid, started=process._started(other.pid)).path
        before = (path / "run.json").read_bytes()
        with pytest.raises(FileExistsError, match=rf"training that runs: process {other.pid} on .* writes it\. Receiv"):
            RunWriter.reopen(path)
        assert (path / "run.json").read_bytes() == before
        assert leftovers(path) == []
        other.kill()
    RunWriter.reopen(path)


def test_old_writer_that_still_lives_writes_nothing_more(tmp_path):
    """It runs on another host, of which nothing is known here."""
    old = killed(tmp_path / "run", host=ANOTHER, pid=5)
    with pytest.warns(UserWarning, match=r"taken over from process 5 on elsewhere, of which nothing here tells"):
        writer = RunWriter.reopen(old.path)
    for write in (lambda: old.log_epoch(3, {}), lambda: old.finish("finished"), lambda: old.save_arrays("a", b=[1])):
        with pytest.raises(FileExistsError, match="is the run directory of another training now"):
            write()
    writer.log_epoch(3, {"loss": 3.0})
    assert len(runs.open(writer.path).epochs) == 4


def reopened(path, several):
    """How many of several that are let loose at once get the run."""
    got, barrier = [], threading.Barrier(several)

    def reopen():
        barrier.wait()
        try:
            got.append(RunWriter.reopen(path))
        except FileExistsError:
            got.append(None)

    threads = [threading.Thread(target=reopen) for _ in range(several)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(each is not None for each in got)


RACE = """
import sys
from unetdyn.runs import RunWriter
print("ready", flush=True)
for path in sys.stdin:
    try:
        RunWriter.reopen(path.strip())
        print("got", flush=True)
    except FileExistsError:
        print("refused", flush=True)
"""


def test_of_processes_that_reopen_at_once_one_gets_it(tmp_path):
    """Also where a process was killed in the midst of it, and has left its lock."""
    several = [
        subprocess.Popen([sys.executable, "-c", RACE], stdin=-1, stdout=-1, stderr=-1, text=True) for _ in range(3)
    ]
    for each in several:
        assert each.stdout.readline() == "ready\n"
    told = []
    for race in range(20):
        path = killed(tmp_path / str(race), epochs=0).path
        if race % 2:
            token = header(path)["writer"]
            (path / f".reopened-{token}-0.json").write_text(json.dumps({**identity(), "pid": 2**22 + 7}))
        for each in several:
            each.stdin.write(f"{path}\n")
            each.stdin.flush()
        told.append(sorted(each.stdout.readline() for each in several))
        assert leftovers(path) == []
    assert told == [["got\n", "refused\n", "refused\n"]] * 20
    for each in several:
        assert each.communicate()[1] == ""


def leave_lock(path, content, age=0.0):
    lock = path / f".reopened-{header(path)['writer']}-0.json"
    lock.write_text(content)
    then = lock.stat().st_mtime - age
    os.utime(lock, (then, then))


@pytest.mark.parametrize("content", [json.dumps({**identity(), "host": ANOTHER}), "", "[]"])
def test_lock_of_which_nothing_is_known_holds_for_a_minute(tmp_path, content):
    path = killed(tmp_path / "run").path
    leave_lock(path, content)
    with pytest.raises(FileExistsError, match=r"is taken over by another process at this moment: .*try again in a min"):
        RunWriter.reopen(path)
    leave_lock(path, content, age=taking_over.HELD_FOR + 1)
    RunWriter.reopen(path)
    assert leftovers(path) == []


def test_process_killed_while_it_reopens_leaves_a_run_to_reopen(tmp_path, monkeypatch):
    """Before each of what it does with the disk."""

    class Killed(BaseException):
        pass

    for call in range(1, 20):
        path, count = killed(tmp_path / str(call)).path, [0]
        with monkeypatch.context() as patch:
            patch.setattr(taking_over, "remove", lambda file: None)
            own = os.fsync

            def fsync(descriptor, own=own, count=count, call=call):
                count[0] += 1
                if count[0] == call:
                    raise Killed
                own(descriptor)

            patch.setattr(os, "fsync", fsync)
            with suppress(Killed):
                RunWriter.reopen(path).cut_back(1, 1, epoch=1)
        for lock in path.glob(".reopened-*"):  # its process is gone
            lock.write_text(json.dumps({**identity(), "pid": 2**22 + 7}))
        rewrite(path, process={**identity(), "pid": 2**22 + 7})
        assert len(RunWriter.reopen(path).cut_back(1, 1, epoch=1)[0]) == 1
        if count[0] < call:
            break
    assert call == 11  # a lock, the token, two files of lines, the header: each a file and its folder


@pytest.mark.parametrize("name", ["epochs.jsonl", "events.jsonl"])
def test_fewer_lines_than_the_state_counts_are_an_error(tmp_path, name):
    path = killed(tmp_path / "run").path
    content = (path / name).read_bytes()
    (path / name).write_bytes(content[:-4])
    writer = RunWriter.reopen(path)
    with pytest.raises(RunError, match=rf"{name} must have the 3 lines that the state .* counts\. It has 2\. Put the"):
        writer.cut_back(3, 3, epoch=3)
    (path / name).write_bytes(content.replace(b'"', b"x", 1))
    with pytest.raises(RunError, match=rf"{name} is damaged, and the training can't go on with it\. .*line 1"):
        writer.cut_back(3, 3, epoch=3)
    (path / name).write_bytes(b"\n" + content)
    with pytest.raises(RunError, match=r"1 of its lines are empty\. Put it back from a copy"):
        writer.cut_back(3, 3, epoch=3)


def test_half_a_line_at_the_end_is_cut_off(tmp_path):
    path = killed(tmp_path / "run").path
    with (path / "epochs.jsonl").open("ab") as file:
        file.write(b'{"epoch": 3, "lo')
    RunWriter.reopen(path).cut_back(3, 0, epoch=3)
    run = runs.open(path)
    assert (len(run.epochs), run.events, run.notes) == (3, [], [])


def test_what_is_no_run_is_not_reopened(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`path` must be a run directory, which has a run\.json\. Received"):
        RunWriter.reopen(tmp_path)
    (tmp_path / "run.json").write_text("{")
    with pytest.raises(RunError, match="is damaged"):
        RunWriter.reopen(tmp_path)
    assert leftovers(tmp_path) == []


def test_own_run_is_reopened_where_an_exception_has_ended_it(tmp_path):
    """In a notebook nobody told the recorder; a second training in another thread would be refused by its token."""
    path = RunWriter(tmp_path / "run").path
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        RunWriter.reopen(path)
    assert reopened(path, several=3) >= 1


def test_run_of_before_processes_were_noted_is_taken_over_with_a_warning(tmp_path):
    path = killed(tmp_path / "run").path
    old = header(path)
    for key in ("process", "resumed"):
        del old[key]
    (path / "run.json").write_text(json.dumps(old))
    with pytest.warns(UserWarning, match="taken over from a process that left no name"):
        writer = RunWriter.reopen(path)
    writer.cut_back(1, 0, epoch=1)
    assert len(header(path)["resumed"]) == 1
