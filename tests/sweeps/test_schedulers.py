"""What SLURM and PBS do differently, tried on fakes of them: tasks, signals, and going on after the walltime."""

import re
import shutil
import time

import pytest

from sweeps.fake_schedulers import PATIENCE
from sweeps.submitted import submitted
from unetdyn.sweeps.schedulers.submit import in_queues

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts are bash's")


def log(sweep):
    file = sweep.path.parent / "log"
    return file.read_text().splitlines() if file.exists() else []


def begun(sweep):
    return [int(line.split()[0]) for line in log(sweep) if "begins" in line]


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"])
@pytest.mark.parametrize("rows", [[1, 2, 3, 4, 5, 6, 7, 9], [5], [2, 12]])
def test_array_trains_each_row_once(place, clusters, scheduler, rows):
    cluster = clusters()
    (one,) = submitted(place, scheduler, rows)
    cluster.run()
    assert sorted(begun(place)) == rows == list(one.rows)
    assert {it["state"] for it in cluster.tasks.values()} == {"COMPLETED"}
    assert [it["exits"] for it in cluster.tasks.values()] == [[0]] * len(rows)
    assert len(list(one.path.iterdir())) == 2 + len(rows)  # script, record, and what each task printed


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"])
def test_too_large_an_array_is_several(place, clusters, scheduler):
    cluster = clusters(max_array=5)
    found = submitted(place, scheduler, range(1, 13))
    assert [list(each.rows) for each in found] == [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12]]
    assert len({each.job for each in found}) == len({each.path for each in found}) == 3
    cluster.run()
    assert sorted(begun(place)) == list(range(1, 13))


def test_slurm_task_that_nears_its_walltime_saves_and_goes_on_under_its_number(place, clusters):
    cluster = clusters()
    (place.path.parent / "hold").touch()
    (one,) = submitted(place, "slurm", [3, 4])
    task = next(task for task, it in cluster.tasks.items() if it["number"] == 3)
    cluster.start(task)
    wait_for(lambda: begun(place))
    cluster.before_walltime(task)
    cluster.wait(task)
    assert log(place) == ["3 begins  ", "3 saved"]
    assert (cluster.tasks[task]["state"], cluster.tasks[task]["restarts"]) == ("PENDING", 1)
    assert in_queues(place) == {one.job: (3, 4)}
    (place.path.parent / "hold").unlink()
    cluster.run()
    assert sorted(begun(place)) == [3, 3, 4]
    assert cluster.tasks[task]["exits"][-1] == 0
    assert in_queues(place) == {}


def test_slurm_task_that_goes_on_takes_no_other_with_it(place, clusters):
    cluster = clusters()
    submitted(place, "slurm", [3, 4])
    first, last = sorted(cluster.tasks, key=lambda task: cluster.tasks[task]["number"])
    assert last == cluster.tasks[last]["job"]  # the id of the last task is that of the whole array
    cluster.start(first)
    cluster.wait(first)
    (place.path.parent / "hold").touch()
    cluster.start(last)
    wait_for(lambda: begun(place) == [3, 4])
    cluster.before_walltime(last)
    cluster.wait(last)
    assert [cluster.tasks[task]["state"] for task in (first, last)] == ["COMPLETED", "PENDING"]


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"])
def test_cancelled_task_saves_and_stays_away(place, clusters, scheduler):
    cluster = clusters(operator=True)
    (place.path.parent / "hold").touch()
    submitted(place, scheduler, [3])
    (task,) = cluster.tasks
    cluster.start(task)
    wait_for(lambda: begun(place))
    cluster.cancel(task)
    cluster.wait(task)
    assert log(place)[-1] == "3 saved"
    assert (cluster.tasks[task]["state"], cluster.tasks[task]["exits"]) == ("COMPLETED", [143])


def test_slurm_task_that_is_cancelled_while_it_saves_stays_away(place, clusters):
    cluster = clusters()
    for name in ("hold", "slow"):
        (place.path.parent / name).touch()
    submitted(place, "slurm", [3])
    (task,) = cluster.tasks
    cluster.start(task)
    wait_for(lambda: begun(place))
    cluster.before_walltime(task)
    wait_for((place.path.parent / "saves").exists)
    cluster.cancel(task)
    (place.path.parent / "slow").unlink()
    cluster.wait(task)
    assert log(place)[-1] == "3 saved"
    assert (cluster.tasks[task]["state"], cluster.tasks[task]["exits"]) == ("COMPLETED", [143])


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"])
def test_task_that_is_cancelled_before_the_training_has_begun_starts_none(place, clusters, scheduler):
    cluster = clusters()
    submitted(place, scheduler, [3], setup=("touch waits; while [ ! -e go ]; do sleep 0.02; done",))
    (task,) = cluster.tasks
    cluster.start(task)
    wait_for((place.path.parent / "waits").exists)
    cluster.cancel(task)
    cluster.wait(task)
    assert (begun(place), cluster.tasks[task]["state"]) == ([], "COMPLETED")


def test_task_whose_node_fails_is_for_another_submission(place, clusters):
    cluster = clusters()
    (place.path.parent / "hold").touch()
    submitted(place, "slurm", [3])
    (task,) = cluster.tasks
    cluster.start(task)
    wait_for(lambda: begun(place))
    cluster.kill(task)
    cluster.wait(task)
    assert in_queues(place) == {}
    (place.path.parent / "hold").unlink()
    submitted(place, "slurm", [3])
    cluster.run()
    assert begun(place) == [3, 3]


def test_slurm_that_signals_before_the_training_has_begun_starts_none(place, clusters):
    cluster = clusters()
    waiting = "touch waits; while [ ! -e go ]; do sleep 0.02; done"
    submitted(place, "slurm", [3], setup=(waiting,))
    (task,) = cluster.tasks
    cluster.start(task)
    wait_for((place.path.parent / "waits").exists)
    cluster.before_walltime(task)
    (place.path.parent / "go").touch()
    cluster.wait(task)
    assert begun(place) == []
    assert cluster.tasks[task]["state"] == "PENDING"
    cluster.run()
    assert begun(place) == [3]


@pytest.mark.parametrize(("scheduler", "most"), [("slurm", 0), ("slurm", 2), ("pbs", 0), ("pbs", 2)])
def test_task_goes_on_so_often_and_then_says_how(place, clusters, scheduler, most):
    cluster = clusters(operator=True)
    (place.path.parent / "code").write_text("75")
    (one,) = submitted(place, scheduler, [3], max_requeues=most)
    cluster.run()
    (it,) = cluster.tasks.values()
    assert it["exits"] == [75] * (most + 1)
    text = "".join(file.read_text() for file in one.path.iterdir() if file.name not in ("job.sh", "submission.json"))
    assert f"unetdyn sweep submit '{place.path}' --scheduler {scheduler} --walltime 4:00:00" in text


def test_pbs_without_an_operator_says_how_to_go_on(place, clusters):
    cluster = clusters(operator=False)
    (place.path.parent / "code").write_text("75")
    (one,) = submitted(place, "pbs", [3])
    cluster.run()
    text = (one.path / "rates.o17").read_text()
    assert "qrerun: Unauthorized Request  17.fake" in text
    assert "Row 3 has ended before it was finished, and was not put back into the queue." in text


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"])
@pytest.mark.parametrize("code", [1, 2, 3])
def test_what_has_failed_does_not_come_back(place, clusters, scheduler, code):
    cluster = clusters(operator=True)
    (place.path.parent / "code").write_text(str(code))
    submitted(place, scheduler, [3])
    cluster.run()
    (it,) = cluster.tasks.values()
    assert it["exits"] == [code]


def test_pbs_tells_the_training_what_is_left_of_its_walltime(place, clusters):
    cluster = clusters()
    submitted(place, "pbs", [3], signal_before=400)
    cluster.run()
    (words,) = [line.split() for line in log(place)]
    assert words[:3] == ["3", "begins", "--walltime"]
    assert 0 < int(words[3]) <= 4 * 3600 - 400


def test_script_asks_for_what_the_settings_say(place, clusters):
    clusters()
    settings = {"queue": "gpu", "account": "lab", "memory": "16 GB", "cpus": 4, "gpus": 2, "max_running": 3}
    asked = {}
    for scheduler in ("slurm", "pbs"):
        (one,) = submitted(place, scheduler, [1, 2, 4], signal_before=90, **settings)
        script = (one.path / "job.sh").read_text()
        asked[scheduler] = set(re.findall(r"^#(?:SBATCH|PBS) (.*)$", script, re.MULTILINE))
    assert asked["slurm"] >= {
        "--array=1-2,4%3",
        "--time=04:00:00",
        "--signal=B:USR1@90",
        "--mem=16G",
        "--cpus-per-task=4",
        "--gpus-per-node=2",
        "--partition=gpu",
        "--account=lab",
    }
    assert asked["pbs"] >= {
        "-J 1-3",
        "-W max_run_subjobs=3",
        "-l select=1:ncpus=4:mem=16gb:ngpus=2",
        "-l walltime=04:00:00",
        "-q gpu",
        "-A lab",
    }


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"])
def test_modules_and_setup_come_before_the_training_in_their_order(place, clusters, scheduler):
    cluster = clusters()
    program = cluster.bin / "module"  # elsewhere it is a function of the shell
    program.write_text('#!/bin/sh\necho "$@" >> log\n[ "$2" != none ]\n')
    program.chmod(0o755)
    submitted(place, scheduler, [1], modules=("cuda/12", "python"), setup=("echo set up >> log",))
    cluster.run()
    assert [line.split()[:2] for line in log(place)] == [
        ["load", "cuda/12"],
        ["load", "python"],
        ["set", "up"],
        ["1", "begins"],
    ]
    submitted(place, scheduler, [2], modules=("none",))
    cluster.run()
    assert begun(place) == [1]
