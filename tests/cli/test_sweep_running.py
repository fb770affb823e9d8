"""The commands that work off a sweep: what they say, and the codes that job scripts go by."""

import json

import pytest

from noop_sweeps import begun, claimed, frozen, gone, train
from unetdyn.sweeps.row_training import OutOfTime
from unetdyn.sweeps.status import status
from unetdyn.sweeps.table import SweepError


@pytest.fixture
def sweep(tmp_path):
    return frozen(tmp_path / "s")


@pytest.fixture
def trains(monkeypatch):
    """What a row's training is."""

    def be(train):
        monkeypatch.setattr("unetdyn.sweeps.row_training.train_row", train)

    be(train)
    return be


def raising(error):
    def fail(*_):
        raise error

    return fail


def test_row_is_run_once(invoke, sweep, trains):
    told = invoke("sweep", "run", "s", "--row", "2")
    assert (told.exit_code, told.output) == (0, "Row 2 is done.\n")
    again = invoke("sweep", "run", "s", "--row", "2")
    assert (again.exit_code, again.output) == (0, "Row 2 was done before.\n")


def test_next_row_is_the_one_that_is_free(invoke, sweep, trains):
    claimed(sweep, 1)
    said = [invoke("sweep", "run", "s", "--row", "next") for _ in range(3)]
    assert [each.exit_code for each in said] == [0, 0, 0]
    assert [each.output.split(".")[0] for each in said[:2]] == ["Row 2 is done", "Row 3 is done"]
    assert "No row of s is free" in said[2].output


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OutOfTime("Saved."), 75, "Row 1 stopped before the walltime."),
        (KeyboardInterrupt(), 130, "Row 1 stopped by SIGINT."),
        (SweepError("The data is gone."), 2, "Row 1 failed. The data is gone."),
        (ValueError("a fault"), 1, "Traceback"),
        (OSError(28, "No space left"), 1, "Row 1 failed. OSError: [Errno 28] No space left"),
    ],
)
def test_exit_code_is_that_of_train(invoke, sweep, trains, error, code, said):
    trains(raising(error))
    told = invoke("sweep", "run", "s", "--row", "1")
    assert told.exit_code == code
    assert said in told.output
    assert ("Traceback" in told.output) == (said == "Traceback")


def test_row_of_somebody_else_has_a_code_of_its_own(invoke, sweep, trains):
    claimed(sweep, 1)
    told = invoke("sweep", "run", "s", "--row", "1")
    assert told.exit_code == 3
    assert "worked on by process 4711 on elsewhere" in told.output


def test_walltime_reaches_the_training(invoke, sweep, trains):
    given = []
    trains(lambda sweep, number, walltime, stream: (given.append(walltime), train(sweep, number)))
    assert invoke("sweep", "run", "s", "--row", "1", "--walltime", "0:10:00").exit_code == 0
    assert given == [600.0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Say either --row N (or --row next) or --jobs N. Received: neither."),
        (("--row", "1", "--jobs", "2"), "Received: both."),
        (("--row", "0"), "A row of s must be from 1 to 3. Received: 0."),
        (("--row", "4"), "A row of s must be from 1 to 3. Received: 4."),
        (("--row", "first"), "a row must be a number from 1, or `next`. Received: 'first'."),
        (("--jobs", "0"), "0 is not in the range x>=1"),
    ],
)
def test_what_can_not_be_done_is_refused(invoke, sweep, arguments, said):
    told = invoke("sweep", "run", "s", *arguments)
    assert told.exit_code == 2
    assert said in told.output


def test_folder_without_a_sweep_is_refused(invoke):
    told = invoke("sweep", "status", "nowhere")
    assert told.exit_code == 2
    assert "nowhere" in told.output


def test_jobs_run_what_is_free(invoke, sweep):
    for number in (1, 2, 3):
        train(sweep, number)
    told = invoke("sweep", "run", "s", "--jobs", "2")
    assert told.exit_code == 0
    assert "All rows of s are done." in told.output


def test_status_shows_cells_and_seeds(invoke, sweep):
    train(sweep, 1)
    begun(sweep, 2)
    claimed(sweep, 2, process=gone())
    told = invoke("sweep", "status", "s")
    assert told.exit_code == 0
    assert "noop: 1 of 3 rows done, 1 dead, 1 missing" in told.output
    found = json.loads(invoke("sweep", "status", "s", "--json").output)
    assert [row["state"] for row in found["rows"]] == ["done", "dead", "missing"]


def test_retry_says_what_it_freed(invoke, sweep):
    claimed(sweep, 1, "stopped")
    claimed(sweep, 2, "failed", text="no")
    told = invoke("sweep", "retry", "s")
    assert told.exit_code == 0
    assert "Freed: 1." in told.output
    assert "`--failed` frees them too: 2." in told.output
    assert "Freed: 2." in invoke("sweep", "retry", "s", "--failed").output
    assert status(sweep).counts["missing"] == 3


def test_retry_runs_at_once_if_asked(invoke, sweep):
    for number in (1, 2, 3):
        train(sweep, number)
    told = invoke("sweep", "retry", "s", "--jobs", "1")
    assert told.exit_code == 0
    assert "All rows of s are done." in told.output
    refused = invoke("sweep", "retry", "s", "--walltime", "1:00:00")
    assert refused.exit_code == 2
    assert "--walltime goes with --jobs N" in refused.output


def test_backend_is_that_of_the_sweep(monkeypatch):
    import sys

    from unetdyn.sweeps.row_training import take_backend

    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.delitem(sys.modules, "keras")
    made = type("S", (), {"versions": {"unetdyn": "1", "jax": "0.6"}})
    take_backend(made)
    import os

    assert os.environ["KERAS_BACKEND"] == "jax"
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    take_backend(made)
    assert os.environ["KERAS_BACKEND"] == "torch"


def test_ray_gets_the_rows_and_what_each_needs(invoke, sweep, monkeypatch):
    asked = []

    def run_ray(found, **options):
        asked.append((found.path.name, options))
        return {1: 0, 2: 75, 3: 0}

    monkeypatch.setattr("unetdyn.sweeps.ray_engine.run_ray", run_ray)
    told = invoke("sweep", "run", "s", "--engine", "ray", "--gpus-per-row", "0.5", "--address", "auto")
    assert told.exit_code == 75
    assert "Of 3 rows, 2 are done." in told.output
    assert asked == [("s", {"gpus_per_row": 0.5, "address": "auto"})]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--engine", "ray", "--row", "1"), "--engine ray hands out all rows by itself. Received: --row."),
        (("--jobs", "1", "--gpus-per-row", "1"), "--gpus-per-row goes with --engine ray. Received: --engine local."),
    ],
)
def test_options_of_engines_are_not_mixed(invoke, sweep, arguments, words):
    refused = invoke("sweep", "run", "s", *arguments)
    assert refused.exit_code == 2
    assert words in " ".join(refused.output.split())
