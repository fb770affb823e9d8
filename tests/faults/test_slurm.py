"""A job array in SLURM itself, which runs on this machine where Debian's `slurm-wlm` and `munge` are installed.

It takes some minutes of waiting: SLURM looks at the walltimes of its jobs twice a minute.
"""

import pytest
from click.testing import CliRunner

from faults.slurm_cluster import SlurmCluster, missing
from unetdyn.cli import main
from unetdyn.sweeps.schedulers.records import submissions
from unetdyn.sweeps.schedulers.script import template_of
from unetdyn.sweeps.schedulers.slurm import Slurm
from unetdyn.sweeps.schedulers.submit import in_queues
from unetdyn.sweeps.table import Row, freeze

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}")

TRAINING = """#!/bin/bash
# A row's training. Rows 3 and 4 go on until SIGTERM when they begin for the first time.
trap 'sleep 1; echo "$2 saved" >> log; exit 143' TERM
echo "$2 begins $SLURM_JOB_ID ${SLURM_RESTART_COUNT:-0}" >> log
while [ "$2" -ge 3 ] && [ "$2" -le 4 ] && [ -z "$SLURM_RESTART_COUNT" ]; do sleep 0.1; done
echo "$2 done" >> log
"""


@pytest.fixture
def cluster(monkeypatch):
    made = SlurmCluster()
    try:
        made.start()
        monkeypatch.setenv("SLURM_CONF", str(made.configuration))
        yield made
    finally:
        made.close()
    assert made.processes() == []


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train").write_text(TRAINING)
    (tmp_path / "train").chmod(0o755)
    template = template_of(Slurm()).text.replace("{{ command }}", './train --row "$row"')
    (tmp_path / "mine.sh.j2").write_text(template)
    rows = [Row(n, n, 0, {"a": n}, {}, "") for n in range(1, 8)]
    return freeze(tmp_path / "a sweep", "rates", "2026-11-27T09:00:00", {}, {}, {}, rows)


def log(sweep):
    file = sweep.path.parent / "log"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def submit(*words):
    done = CliRunner().invoke(main, ["sweep", "submit", "a sweep", "--scheduler", "slurm", *words])
    assert done.exit_code == 0, done.output
    return done.output


def test_array_is_submitted_signalled_requeued_and_complete(cluster, sweep):
    assert Slurm().largest_array() == 5
    times = ("--walltime", "0:02:00", "--signal-before", "59", "--max-running", "2", "--template", "mine.sh.j2")
    print(submit(*times, "--rows", "1-4,6-7"))
    first, second = submissions(sweep)
    assert (first.rows, second.rows, second.numbers) == ((1, 2, 3, 4), (6, 7), (1, 2))

    held = [["3", "begins"], ["4", "begins"]]
    cluster.wait_for(lambda: all(each in [line[:2] for line in log(sweep)] for each in held))
    assert set(in_queues(sweep)[first.job]) >= {3, 4}
    cluster.ask("scancel", f"{first.job}_3")  # somebody changes their mind
    cluster.wait_for(lambda: in_queues(sweep) == {})

    lines = log(sweep)
    print("\n".join(map(" ".join, lines)))
    begun = {row: [line[2:] for line in lines if line[:2] == [row, "begins"]] for row in "123467"}
    assert {row: len(times) for row, times in begun.items()} == {"1": 1, "2": 1, "3": 1, "4": 2, "6": 1, "7": 1}
    (job, before), (again, after) = begun["4"]
    assert (job, again, before, after) == (first.job, first.job, "0", "1")  # the last task's is that of the array
    assert sorted(line[0] for line in lines if line[1] == "done") == ["1", "2", "4", "6", "7"]
    assert sorted(line[0] for line in lines if line[1] == "saved") == ["3", "4"]
    assert (first.path / f"{first.job}_4.txt").is_file()


def test_refusal_of_slurm_is_told(cluster, sweep):
    file = sweep.path.parent / "mine.sh.j2"
    file.write_text(file.read_text().replace("#SBATCH --requeue", "#SBATCH --colour=red"))
    words = ["sweep", "submit", "a sweep", "--scheduler", "slurm", "--walltime", "1:00:00", "--rows", "1"]
    done = CliRunner().invoke(main, [*words, "--template", "mine.sh.j2"])
    assert done.exit_code == 2
    assert "unrecognized option '--colour=red'" in done.output
    done = CliRunner().invoke(main, [*words, "--partition", "nowhere"])
    assert "invalid partition specified: nowhere" in done.output
    done = CliRunner().invoke(main, [*words, "--gpus", "1", "--cpus", "2", "--memory", "1M", "--account", "lab"])
    assert "Invalid generic resource (gres) specification" in done.output  # options that it knows, of what isn't there
    assert submissions(sweep) == []


def test_row_of_a_node_that_fails_begins_again(cluster, sweep):
    submit("--walltime", "1:00:00", "--template", "mine.sh.j2", "--rows", "3")
    cluster.wait_for(lambda: log(sweep))
    cluster.fail_node()
    cluster.wait_for(lambda: cluster.states() == {"down"})
    cluster.start_node()
    cluster.wait_for(lambda: in_queues(sweep) == {})
    print("\n".join(map(" ".join, log(sweep))))
    (began, again, done) = log(sweep)
    assert (began[:2], again[:2], done) == (["3", "begins"], ["3", "begins"], ["3", "done"])
    assert (began[2], again[2:]) == (again[2], [began[2], "1"])
