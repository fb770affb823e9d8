"""`unetdyn sweep submit`, as a shell would call it."""

import shutil
from types import SimpleNamespace

import pytest

from sweeps.fake_schedulers import Cluster
from unetdyn.sweeps.schedulers.records import FOLDER, submissions
from unetdyn.sweeps.table import Row, freeze

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts are bash's")
SLURM = ("--scheduler", "slurm", "--walltime", "4:00:00")


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    made = Cluster(tmp_path / "cluster")
    monkeypatch.setenv("PATH", str(made.bin), prepend=":")
    yield made
    made.close()


@pytest.fixture
def sweep(tmp_path):
    rows = [Row(n, n, 0, {"a": n}, {}, "") for n in range(1, 5)]
    return freeze(tmp_path / "rates", "rates", "2026-11-27T09:00:00", {}, {}, {}, rows)


@pytest.fixture
def states(monkeypatch):
    """Has the rows in these states."""

    def have(*found):
        rows = [SimpleNamespace(number=number, state=state) for number, state in enumerate(found, 1)]
        monkeypatch.setattr("unetdyn.sweeps.schedulers.submit.status", lambda sweep: SimpleNamespace(rows=rows))

    return have


def test_submit_says_which_job_has_which_rows(invoke, cluster, sweep):
    done = invoke("sweep", "submit", "rates", *SLURM, "--rows", "1-2,4")
    assert done.exit_code == 0, done.output
    assert done.output == "job 17  rows 1-2,4  rates/submissions/0001\n"
    assert [it["number"] for it in cluster.tasks.values()] == [1, 2, 4]


def test_status_names_the_jobs(invoke, cluster, sweep):
    assert "submitted" not in invoke("sweep", "status", "rates").output
    invoke("sweep", "submit", "rates", *SLURM, "--rows", "1-2,4")
    last = invoke("sweep", "status", "rates").output.splitlines()[-1]
    assert last.endswith("to slurm: job 17, rows 1-2,4  rates/submissions/0001")
    (sweep.path / FOLDER / "0001/submission.json").write_text("{")
    damaged = invoke("sweep", "status", "rates")
    assert damaged.exit_code == 2
    assert "0 of 4 rows done" in damaged.output
    assert "submission.json is damaged" in damaged.output


def test_submit_takes_what_is_left_and_says_what_waits(invoke, cluster, sweep, states):
    states("missing", "missing", "done", "dead")
    assert "rows 1-2,4" in invoke("sweep", "submit", "rates", *SLURM).output
    again = invoke("sweep", "submit", "rates", *SLURM)
    assert again.exit_code == 0
    assert "Rows 1-2,4 wait or run in job 17 already." in again.output
    assert "Nothing to submit." in again.output
    assert len(submissions(sweep)) == 1


@pytest.mark.parametrize(("scheduler", "program"), [("slurm", "sbatch"), ("pbs", "qsub")])
def test_dry_run_shows_the_script_and_the_command_and_leaves_nothing(invoke, sweep, tmp_path, scheduler, program):
    before = sorted(tmp_path.rglob("*"))
    words = ("--scheduler", scheduler, "--walltime", "1-0", "--memory", "8G", "--rows", "1-3", "--dry-run")
    done = invoke("sweep", "submit", "rates", *words)
    assert done.exit_code == 0, done.output
    assert done.output.startswith("#!/bin/bash\n")
    assert "24:00:00" in done.output
    assert done.output.splitlines()[-1] == f"$ {program} job.sh"
    assert sorted(tmp_path.rglob("*")) == before


def test_template_is_written_edited_and_used(invoke, cluster, sweep, tmp_path):
    file = tmp_path / "mine.sh.j2"
    written = invoke("sweep", "submit", "rates", "--scheduler", "slurm", "--write-template", str(file))
    assert (written.exit_code, written.output) == (0, f"template  {file}\n")
    assert "#SBATCH --array={{ tasks }}" in file.read_text()
    file.write_text(file.read_text().replace("#SBATCH --requeue\n", "#SBATCH --requeue\n# mine\n"))
    assert invoke("sweep", "submit", "rates", *SLURM, "--rows", "1", "--template", str(file)).exit_code == 0
    (one,) = submissions(sweep)
    assert "# mine\n" in (one.path / "job.sh").read_text()


def test_template_that_is_there_is_not_overwritten(invoke, sweep, tmp_path):
    (tmp_path / "mine").write_text("mine")
    done = invoke("sweep", "submit", "rates", "--scheduler", "pbs", "--write-template", "mine")
    assert done.exit_code == 2
    assert "must name a new file. Received: mine" in done.output
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--scheduler", "slurm", "--rows", "1"), "Missing option '--walltime'"),
        (("--scheduler", "slurm", "--walltime", "3:50"), "may be hours and minutes"),
        ((*SLURM, "--memory", "16"), "`memory` must be a whole number above 0 with its unit"),
        ((*SLURM, "--rows", "5"), "from 1 to 4, like 1-7,9. Received: '5'"),
        ((*SLURM, "--rows", "1", "--template", "nowhere"), "nowhere"),
        (("--scheduler", "lsf", "--walltime", "4:00:00"), "'lsf' is not one of 'slurm', 'pbs'"),
    ],
)
def test_wrong_words_are_one_sentence_and_submit_nothing(invoke, cluster, sweep, words, sentence):
    done = invoke("sweep", "submit", "rates", *words)
    assert done.exit_code == 2
    assert sentence in " ".join(done.output.split())
    assert "Traceback" not in done.output
    assert cluster.tasks == {}
    assert not (sweep.path / FOLDER).exists()


def test_missing_scheduler_is_one_sentence(invoke, sweep, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    done = invoke("sweep", "submit", "rates", *SLURM, "--rows", "1")
    assert done.exit_code == 2
    assert "must have its program sbatch on the PATH" in done.output


def test_no_sweep_is_one_sentence(invoke, cluster):
    done = invoke("sweep", "submit", "nowhere", *SLURM, "--rows", "1")
    assert done.exit_code == 2
    assert "which is not there" in done.output
