"""Submitting: what is refused before anything is submitted, whose template it is, and what is kept."""

import itertools
import json
import shlex
import shutil
import sys
from types import SimpleNamespace

import pytest

from sweeps.submitted import submitted
from unetdyn.sweeps.schedulers.pbs import Pbs
from unetdyn.sweeps.schedulers.records import FILE, FOLDER, SCRIPT, new_folder, submissions
from unetdyn.sweeps.schedulers.scheduler import SchedulerError
from unetdyn.sweeps.schedulers.script import VARIABLES, template_of, values_of
from unetdyn.sweeps.schedulers.settings import JobSettings
from unetdyn.sweeps.schedulers.slurm import Slurm
from unetdyn.sweeps.schedulers.submit import in_queues, jobs_of, resubmit_command, submit, unfinished
from unetdyn.sweeps.table import SweepError

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts are bash's")
HOUR = JobSettings("1:00:00")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"walltime": "3:50"}, r"may be hours and minutes"),
        ({"walltime": "soon"}, r"`walltime` must be more than nothing"),
        ({"walltime": "0:03:00"}, r"`walltime` must be longer than `signal_before` by more than 60 s"),
        ({"memory": "16"}, r"with its unit, K, M, G or T.*Received: memory='16'"),
        ({"memory": "1.5G"}, r"Received: memory='1\.5G'"),
        ({"memory": "0G"}, r"Received: memory='0G'"),
        ({"memory": "16G\n#SBATCH --x"}, r"Received: memory="),
        ({"queue": "gpu now"}, r"`queue` must be a name without spaces"),
        ({"queue": ""}, r"`queue` must be a name"),
        ({"account": "a\nb"}, r"`account` must be a name"),
        ({"modules": ("cuda", "a; rm")}, r"`modules` must be a name"),
        ({"cpus": 0}, r"`cpus` must be a whole number, 1 or more"),
        ({"gpus": -1}, r"`gpus` must be a whole number, 0 or more"),
        ({"max_running": 0}, r"`max_running` must be a whole number of tasks"),
        ({"signal_before": 70000}, r"`signal_before` must be a whole number of seconds, from 1 to 65535"),
        ({"max_requeues": -1}, r"`max_requeues` must be a whole number"),
    ],
)
def test_wrong_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        JobSettings(**{"walltime": "4:00:00"} | settings)


@pytest.mark.parametrize(
    ("memory", "slurm", "pbs"),
    [("16G", "16G", "16gb"), ("500 mb", "500M", "500mb"), ("1TiB", "1T", "1tb"), (None, None, None)],
)
def test_memory_has_the_unit_of_each_scheduler(memory, slurm, pbs):
    settings = JobSettings("4:00:00", memory=memory)
    assert (Slurm().memory(settings), Pbs().memory(settings)) == (slurm, pbs)


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"])
def test_missing_program_says_what_to_do(place, monkeypatch, scheduler):
    monkeypatch.setenv("PATH", str(place.path))
    with pytest.raises(SchedulerError, match=r"must have its program (sbatch|qsub) on the PATH.*--dry-run"):
        submitted(place, scheduler, [1])
    assert not (place.path / FOLDER).exists()


def test_unknown_scheduler_is_refused(place):
    with pytest.raises(ValueError, match=r"`scheduler` must be one of 'slurm', 'pbs'.*Did you mean 'slurm'"):
        submit(place, "slurn", HOUR, [1])


@pytest.mark.parametrize("rows", [[0], [13], [1, 99]])
def test_rows_that_are_not_there_are_refused(place, clusters, rows):
    clusters()
    with pytest.raises(SweepError, match="must be from 1 to 12"):
        submitted(place, "slurm", rows)
    with pytest.raises(ValueError, match="at least one"):
        submitted(place, "slurm", [])
    assert not (place.path / FOLDER).exists()


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"])
def test_refusal_of_the_scheduler_is_told_and_keeps_no_record(place, clusters, scheduler, tmp_path):
    cluster = clusters()
    (tmp_path / "mine").write_text("#!/bin/bash\n#SBATCH --colour=red\n#PBS -z\n{{ command }}\n")
    with pytest.raises(SchedulerError, match=r"has refused .*job\.sh and said: .*(unrecognized|invalid) option"):
        submit(place, scheduler, HOUR, [1], template=tmp_path / "mine")
    assert submissions(place) == []
    assert cluster.tasks == {}
    assert (place.path / FOLDER / "0001" / SCRIPT).is_file()  # to look at


def test_refusal_of_a_later_array_says_what_was_taken(place, clusters):
    clusters(max_array=5)
    with pytest.raises(SchedulerError, match=r"Invalid job array specification\. Submitted before it: job 17\."):
        submit(place, "slurm", HOUR, [1, 2, 12], max_array=6)
    assert [(each.job, each.rows) for each in submissions(place)] == [("17", (1, 2))]


@pytest.mark.parametrize("scheduler", [Slurm(), Pbs()])
def test_templates_use_what_is_known_and_all_of_it_is_of_use(place, scheduler):
    (job,) = jobs_of(place, scheduler, HOUR, [1, 2])
    (array,) = scheduler.arrays([1, 2], None)
    values = values_of(scheduler, HOUR, array, name="n", directory=place.path, command="c", resubmit="r")
    assert set(values) == set(VARIABLES)
    assert job.script.startswith("#!/bin/bash\n")
    assert "{{" not in job.script
    assert "\n\n\n" not in job.script


def test_template_of_a_user_is_used(place, tmp_path):
    file = tmp_path / "mine.sh.j2"
    file.write_text(
        "{% for each in modules %}use {{ each }}\n{% endfor %}{{ rows }} in {{ walltime }}: {{ command }}\n"
    )
    settings = JobSettings("100", signal_before=30, modules=("a", "b"))
    (job,) = jobs_of(place, Slurm(), settings, [1, 2, 4], template=file, command=["my train", "x"])
    assert job.script == "use a\nuse b\n1-2,4 in 00:01:40: 'my train' x --row \"$row\"\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "{{ walltme }}",
            r"The template .* must use variables that there are: account, .*'walltme'\. Did you mean 'walltime'",
        ),
        ("{% if quue %}{% endif %}", r"Received: 'quue'\. Did you mean 'queue'"),
        ("{{ settings.walltime }}", r"Received: 'settings'"),
        ("{{ modules.first }}", r"Received: 'tuple object' has no attribute 'first'"),
        ("a\n{% if queue %}", r"must be a template of Jinja2\. Received: in line 2"),
        ("echo ${#rows[@]}", r"A # before \{ begins a comment|Missing end of comment tag"),
    ],
)
def test_wrong_template_is_refused_in_a_sentence(place, clusters, tmp_path, text, words):
    clusters()
    (tmp_path / "mine").write_text(text)
    with pytest.raises(ValueError, match=words):
        submit(place, "slurm", HOUR, [1], template=tmp_path / "mine")
    assert not (place.path / FOLDER).exists()


def test_template_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "mine").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="must be a text in UTF-8"):
        template_of(Slurm(), tmp_path / "mine")
    with pytest.raises(FileNotFoundError):
        template_of(Slurm(), tmp_path / "nowhere")


def test_what_was_submitted_is_kept(place, clusters):
    clusters()
    first, second = *submitted(place, "slurm", [1, 2, 5]), *submitted(place, "pbs", [7])
    assert submissions(place) == [first, second]
    assert [(each.job, each.rows, each.path.name) for each in (first, second)] == [
        ("17", (1, 2, 5), "0001"),
        ("20.fake", (7,), "0002"),
    ]
    assert in_queues(place) == {"17": (1, 2, 5), "20.fake": (7,)}


@pytest.mark.parametrize(
    "change",
    [lambda found: found.pop("job"), lambda found: found.update(rows="13"), lambda found: found.update(numbers="1-2")],
)
def test_damaged_record_is_refused(place, clusters, change):
    clusters()
    (one,) = submitted(place, "slurm", [1])
    found = json.loads((one.path / FILE).read_text())
    change(found)
    (one.path / FILE).write_text(json.dumps(found))
    with pytest.raises(SweepError, match=r"submission\.json is damaged"):
        submissions(place)


def test_folders_are_new_whoever_else_makes_one(place):
    assert [new_folder(place).name for _ in range(3)] == ["0001", "0002", "0003"]
    (place.path / FOLDER / "notes").mkdir()
    (place.path / FOLDER / "0007").mkdir()
    assert new_folder(place).name == "0008"


def test_rows_that_are_left_are_those_that_nobody_has(place, clusters, monkeypatch):
    clusters()
    states = itertools.cycle(["done", "running", "dead", "stopped", "failed", "missing"])
    rows = [SimpleNamespace(number=row.number, state=state) for row, state in zip(place.rows, states, strict=False)]
    monkeypatch.setattr("unetdyn.sweeps.schedulers.submit.status", lambda sweep: SimpleNamespace(rows=rows))
    assert unfinished(place, {}) == (3, 4, 6, 9, 10, 12)
    submitted(place, "slurm", [4, 9])
    assert unfinished(place, in_queues(place)) == (3, 6, 10, 12)


def test_command_that_submits_again_has_every_setting(place):
    settings = JobSettings(
        "4:00:00",
        queue="gpu",
        account="lab",
        modules=("cuda", "python"),
        setup=("source 'my env/bin/activate'",),
        memory="16G",
        cpus=4,
        gpus=1,
        max_running=3,
        signal_before=90,
        max_requeues=5,
    )
    words = shlex.split(resubmit_command(place, Pbs(), settings, None))
    assert words[:6] == ["unetdyn", "sweep", "submit", str(place.path), "--scheduler", "pbs"]
    pairs = list(zip(words[6::2], words[7::2], strict=True))
    assert pairs == [
        ("--walltime", "4:00:00"),
        ("--queue", "gpu"),
        ("--account", "lab"),
        ("--modules", "cuda"),
        ("--modules", "python"),
        ("--setup", "source 'my env/bin/activate'"),
        ("--memory", "16G"),
        ("--cpus", "4"),
        ("--gpus", "1"),
        ("--max-running", "3"),
        ("--signal-before", "90"),
        ("--max-requeues", "5"),
    ]


def test_task_runs_the_command_of_this_python(place):
    (job,) = jobs_of(place, Slurm(), HOUR, [1])
    assert f"{sys.executable} -m unetdyn.cli sweep run '{place.path}' --row \"$row\"" in job.script


@pytest.mark.parametrize("scheduler", ["slurm", "pbs"])
def test_names_of_any_kind_make_a_script_of_shell(place, scheduler, monkeypatch, tmp_path, clusters):
    cluster = clusters()
    odd = tmp_path / "it's a $HOME"
    odd.mkdir()
    monkeypatch.chdir(odd)
    submit(place, scheduler, HOUR, [2], command=["sh", "-c", 'pwd > "$0"; echo', str(tmp_path / "where")])
    cluster.run()
    assert (tmp_path / "where").read_text() == f"{odd}\n"
