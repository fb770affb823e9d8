"""A row is done once: whatever was left of it, whoever had it, and however it ends."""

import os
import signal
import time
from collections import Counter

import pytest

from noop_sweeps import CONFIG, ELSEWHERE, begun, claimed, frozen, gone, train
from unetdyn import runs
from unetdyn.runs import RunWriter
from unetdyn.runs.process import identity
from unetdyn.runs.state_store import STATE
from unetdyn.sweeps.claims import Claimed, read_claim
from unetdyn.sweeps.row_training import OutOfTime, is_done, may_be_carried_on, run_of, set_aside
from unetdyn.sweeps.table import SweepError
from unetdyn.sweeps.work import DONE, FAILED, REFUSED, TAKEN, TRY_AGAIN, next_free, work, work_row


@pytest.fixture
def sweep(tmp_path):
    return frozen(tmp_path / "sweep")


def raising(error):
    def fail(*_):
        raise error

    return fail


def untouched(*_):
    raise AssertionError("nothing was to be trained")


def test_row_is_trained_once(sweep):
    assert work_row(sweep, 2, train).code == DONE
    again = work_row(sweep, 2, untouched)
    assert (again.code, again.text) == (DONE, "Row 2 was done before.")
    found = read_claim(sweep.claim_path(2))
    assert (found.state, found.exit, found.attempts, found.text) == ("done", 0, 1, None)


def test_row_that_is_finished_is_done_whatever_its_claim_says(sweep):
    train(sweep, 1)
    for state, who in (("working", gone()), ("failed", ELSEWHERE), ("working", ELSEWHERE)):
        claimed(sweep, 1, state, who)
        assert work_row(sweep, 1, untouched).code == DONE


def test_row_that_another_one_has_just_finished_is_done(sweep, monkeypatch):
    """Between the look at the run and the claim."""
    import unetdyn.sweeps.work as module

    looks = []

    def run_late(sweep, number):
        looks.append(number)
        if len(looks) == 1:
            train(sweep, number)
            return None
        return run_of(sweep, number)

    monkeypatch.setattr(module, "run_of", run_late)
    assert work_row(sweep, 1, untouched).code == DONE
    assert read_claim(sweep.claim_path(1)).state == "done"


@pytest.mark.parametrize(
    ("error", "code", "state", "text"),
    [
        (ValueError("no such\nlayer"), FAILED, "failed", "Row 1 failed. ValueError: no such layer"),
        (MemoryError(), FAILED, "failed", "Row 1 failed. MemoryError: "),
        (SweepError("The data is gone."), REFUSED, "failed", "Row 1 failed. The data is gone."),
        (OutOfTime("Saved."), TRY_AGAIN, "stopped", "Row 1 stopped before the walltime."),
        (KeyboardInterrupt(), 130, "stopped", "Row 1 stopped by SIGINT."),
    ],
)
def test_end_of_a_training_is_in_the_claim(sweep, error, code, state, text):
    outcome = work_row(sweep, 1, raising(error))
    found = read_claim(sweep.claim_path(1))
    assert (outcome.code, outcome.text) == (code, text)
    assert (found.state, found.exit, found.text) == (state, code, text)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signal_stops_a_row_which_goes_on_later(sweep, hangups, number):
    before = signal.getsignal(number)
    assert work_row(sweep, 1, lambda *_: signal.raise_signal(number)).code == 128 + number
    assert signal.getsignal(number) is before
    assert read_claim(sweep.claim_path(1)).exit == 128 + number
    assert work_row(sweep, 1, train).code == DONE
    assert read_claim(sweep.claim_path(1)).attempts == 2


def test_training_without_a_finished_run_is_refused(sweep):
    outcome = work_row(sweep, 1, lambda *_: None)
    assert outcome.code == REFUSED
    assert "has left no finished run" in outcome.text


def test_failed_row_is_not_trained_again(sweep):
    work_row(sweep, 1, raising(ValueError("no")))
    outcome = work_row(sweep, 1, untouched)
    assert outcome.code == FAILED
    assert "retry" in outcome.text


def test_row_of_another_process_is_left_alone(sweep):
    claimed(sweep, 1)
    outcome = work_row(sweep, 1, untouched)
    assert outcome.code == TAKEN
    assert "process 4711 on elsewhere" in outcome.text


def test_training_whose_row_was_taken_over_ends(sweep):
    """As after a night in which its host slept."""

    def sleep(*_):
        claimed(sweep, 1)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            time.sleep(0.01)

    outcome = work_row(sweep, 1, sleep, heartbeat=0.01, dead_after=1)
    assert outcome.code == TAKEN
    assert "taken over by another process" in outcome.text
    assert read_claim(sweep.claim_path(1)).token == "f" * 32


def test_error_of_a_training_whose_row_was_taken_over_is_not_the_rows(sweep):
    def fail(*_):
        claimed(sweep, 1)
        raise FileExistsError("is the run directory of another training now")

    outcome = work_row(sweep, 1, fail)
    assert outcome.code == TAKEN
    assert read_claim(sweep.claim_path(1)).state == "working"


def test_run_that_no_claim_knows_is_left_alone(sweep):
    outcome = work_row(sweep, 1, raising(Claimed("is just being trained")))
    assert outcome.code == TAKEN
    assert read_claim(sweep.claim_path(1)).state == "free"


def test_next_row_is_one_that_nobody_has_begun(sweep):
    claimed(sweep, 1, "stopped")
    assert next_free(sweep) == 2
    assert next_free(sweep, but={2}) == 3
    assert next_free(sweep, but={2, 3}) == 1


def test_rows_that_were_begun_come_by_their_attempts(tmp_path):
    sweep = frozen(tmp_path, rows=7)
    claimed(sweep, 1, "stopped", attempts=3)
    claimed(sweep, 2, "working", gone(), attempts=2)
    claimed(sweep, 3, "free", None, attempts=1)
    claimed(sweep, 4, "failed")
    claimed(sweep, 5, "working", ELSEWHERE)
    train(sweep, 6)
    begun(sweep, 7, status="failed")
    order, seen = [], set()
    while (number := next_free(sweep, seen)) is not None:
        order.append(number)
        seen.add(number)
    assert order == [3, 2, 1]


def test_worker_does_all_rows_once(tmp_path):
    sweep, trained = frozen(tmp_path, rows=9), Counter()
    claimed(sweep, 2, "working", gone())
    claimed(sweep, 3)

    def count(sweep, number, *_):
        trained[number] += 1
        if number == 5:
            raise ValueError("no")
        train(sweep, number)

    outcomes = work(sweep, count)
    assert trained == Counter({1, 2, *range(4, 10)})
    assert {each.number: each.code for each in outcomes if each.code} == {5: FAILED}


def test_worker_ends_when_its_time_is_over(sweep):
    outcomes = work(sweep, raising(OutOfTime()))
    assert [(each.number, each.code) for each in outcomes] == [(1, TRY_AGAIN)]
    assert next_free(sweep) == 2


@pytest.fixture
def trained(monkeypatch):
    """What `unetdyn.experiment` was asked for."""
    import unetdyn.experiment as experiment
    import unetdyn.sweeps.row_config as row_config

    asked = []
    monkeypatch.setattr(row_config, "config_of", lambda sweep, number: f"config {number}")

    def run(config, stream, walltime):
        asked.append(("run", config, walltime))
        train(frozen_one[0], 1)

    def resume(path, stream, walltime):
        asked.append(("resume", path.name, walltime))
        (path / "run.json").unlink()
        set_aside(path, "resumed")
        train(frozen_one[0], 1)

    frozen_one = []
    monkeypatch.setattr(experiment, "run_experiment", run)
    monkeypatch.setattr(experiment, "resume_experiment", resume)
    return asked, frozen_one


def nothing(sweep):
    pass


def only_begun(sweep):
    (begun(sweep, 1, epochs=1) / STATE).mkdir()


def before_its_folder(sweep):
    begun(sweep, 1, epochs=0)


def elsewhere_without_a_state(sweep):
    begun(sweep, 1, epochs=0, process=ELSEWHERE)


def without_a_state(sweep):
    begun(sweep, 1, epochs=4, status="interrupted", error="SIGTERM came.")


def that_keeps_none(sweep):
    path = begun(sweep, 1, epochs=1)
    (path / STATE).mkdir()
    text = (path / "run.json").read_text().replace('"epochs": 4', '"epochs": 4, "keep_state": false')
    (path / "run.json").write_text(text)


def damaged(sweep):
    sweep.run_path(1).mkdir()
    (sweep.run_path(1) / "run.json").write_text("{")


def untested(sweep):
    split = {"split": {"test": [5, 5]}}
    writer = RunWriter(sweep.run_path(1), config={**CONFIG, "data": {"kind": "synthetic", **split}})
    (writer.path / "model.keras").write_bytes(b"weights")
    writer.finish()


@pytest.mark.parametrize(
    ("left", "how", "aside"),
    [
        (nothing, "run", []),
        (only_begun, "resume", []),
        (before_its_folder, "resume", []),
        (elsewhere_without_a_state, "run", ["0001.begun-1"]),
        (without_a_state, "run", ["0001.begun-1"]),
        (that_keeps_none, "run", ["0001.begun-1"]),
        (damaged, "run", ["0001.begun-1"]),
        (untested, "resume", []),
    ],
)
def test_row_goes_on_from_what_is_left_of_it(sweep, trained, left, how, aside):
    asked, known = trained
    known.append(sweep)
    left(sweep)
    assert work_row(sweep, 1, walltime=60).code == DONE
    assert asked == [(how, "config 1" if how == "run" else "0001", 60)]
    assert sorted(file.name for file in (sweep.path / "runs").glob("*.begun-*")) == aside
    assert is_done(run_of(sweep, 1))


def test_run_that_a_living_process_trains_is_not_touched(sweep):
    path = begun(sweep, 1, process=identity())
    before = (path / "run.json").read_bytes()
    with pytest.raises(Claimed, match=rf"is just being trained by process {os.getpid()} on .*no claim"):
        may_be_carried_on(path)
    assert (path / "run.json").read_bytes() == before


def test_what_is_set_aside_stays_as_it_was(sweep):
    path = begun(sweep, 1)
    before = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}
    aside = set_aside(path, "failed")
    assert {file.name: file.read_bytes() for file in aside.iterdir() if file.is_file()} == before
    assert set_aside(path, "failed") is None
    assert runs.open(aside).status == "running"
