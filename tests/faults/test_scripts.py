"""The job scripts of docs/killed_jobs.md, run by bash with stand-ins for the scheduler's commands."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from unetdyn import runs

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts are bash's")
PATIENCE = 120  # seconds; never reached unless something is wrong

SRUN = """
echo $$ > step.pid
exec "$@"
"""
NOTED = """
echo "$(basename "$0") $*" >> scheduler.log
"""
FAKE = """
echo "unetdyn $*" >> calls.log
mkdir -p runs/unet
touch runs/unet/run.json
trap 'sleep 0.2; echo saved >> calls.log; exit ${CODE:-143}' TERM
echo $$ > python.pid
if [ -n "$CODE" ]; then exit "$CODE"; fi
while true; do sleep 0.05; done
"""
"""A training that runs until SIGTERM, or ends at once with the code that is asked for."""
REAL = f"""
exec {sys.executable} -m unetdyn.cli "$@"
"""


def script(page, scheduler, place=0):
    blocks = re.findall(r"```bash\n(#!/bin/bash\n.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in blocks if f"\n#{scheduler} " in block][place]


@pytest.fixture
def job(repository, tmp_path):
    """Starts a script as the scheduler would: in a session of its own, with a stand-in for unetdyn."""
    started = []
    (tmp_path / "bin").mkdir()

    def command(name, text):
        file = tmp_path / "bin" / name
        file.write_text("#!/bin/bash" + text)
        file.chmod(file.stat().st_mode | stat.S_IEXEC)

    command("srun", SRUN)
    for name in ("scontrol", "qsub"):
        command(name, NOTED)

    def start(scheduler, place=0, unetdyn=FAKE, **environment):
        command("unetdyn", unetdyn)
        file = tmp_path / "job.sh"
        file.write_text(script(repository / "docs/killed_jobs.md", scheduler, place))
        process = subprocess.Popen(
            ["bash", str(file)],
            cwd=tmp_path,
            start_new_session=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={
                **os.environ,
                "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
                "SLURM_JOB_ID": "17",
                "PBS_O_WORKDIR": str(tmp_path),
                **environment,
            },
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def said(folder: Path, name):
    file = folder / name
    return file.read_text().splitlines() if file.exists() else []


def to_the_step(process, folder):
    """As Slurm's `--signal` does by default: what `srun` started, and not the batch shell."""
    os.kill(int((folder / "step.pid").read_text()), signal.SIGTERM)


def to_the_shell(process, folder):
    """As Slurm's `--signal=B:` does."""
    os.kill(process.pid, signal.SIGTERM)


def to_all(process, folder):
    """As PBS's `qsig` does, and Slurm's `scancel`."""
    os.killpg(process.pid, signal.SIGTERM)


@pytest.mark.parametrize(
    ("scheduler", "place", "send", "code", "asked"),
    [
        ("SBATCH", 0, to_the_step, 143, ["scontrol requeue 17"]),
        ("SBATCH", 0, to_all, -15, []),  # scancel ends the shell
        ("SBATCH", 1, to_the_shell, 143, []),
        ("PBS", 0, to_all, 143, []),
    ],
    ids=["slurm", "scancel", "batch shell", "qsig"],
)
def test_signal_reaches_the_training_and_the_scheduler_is_asked_to_go_on(
    job, tmp_path, scheduler, place, send, code, asked
):
    process = job(scheduler, place)
    wait_for(lambda: said(tmp_path, "python.pid"))
    send(process, tmp_path)
    assert process.wait(PATIENCE) == code
    wait_for(lambda: "saved" in said(tmp_path, "calls.log"))
    assert said(tmp_path, "scheduler.log") == asked


@pytest.mark.parametrize(
    ("scheduler", "code", "asked"),
    [
        ("SBATCH", 75, ["scontrol requeue 17"]),
        ("PBS", 75, ["qsub unet.pbs"]),
        ("SBATCH", 0, []),
        ("SBATCH", 2, []),  # what can't be carried on would come back for ever
        ("PBS", 2, []),
    ],
)
def test_end_of_the_walltime_goes_on_and_nothing_else_does(job, tmp_path, scheduler, code, asked):
    assert job(scheduler, CODE=str(code)).wait(PATIENCE) == code
    assert said(tmp_path, "scheduler.log") == asked


def test_task_of_an_array_goes_on_alone(job, tmp_path):
    assert job("SBATCH", CODE="75", SLURM_ARRAY_JOB_ID="17", SLURM_ARRAY_TASK_ID="3").wait(PATIENCE) == 75
    assert said(tmp_path, "scheduler.log") == ["scontrol requeue 17_3"]


@pytest.mark.parametrize(("scheduler", "place"), [("SBATCH", 0), ("SBATCH", 1), ("PBS", 0)])
def test_first_start_trains_and_every_other_one_carries_on(job, tmp_path, scheduler, place):
    for _ in range(2):
        job(scheduler, place, CODE="0").wait(PATIENCE)
    first, second = said(tmp_path, "calls.log")
    assert first.startswith("unetdyn train config.yaml --set run_directory=runs/unet")
    assert second.startswith("unetdyn resume runs/unet")


CONFIG = """
data: {kind: synthetic, sections: 6, size: 64, tile: 32, split: {train: [0, 1], validation: [3, 3]}}
model: {architecture: UNet, filters: 2, depth: 1}
fit: {epochs: 40, batch_size: 1}
callbacks: {gradient: null, update: null, noise_scale: null, batch: null, mode_gap: null, flips: null}
"""


def test_training_goes_on_to_its_end_under_slurm(job, tmp_path, repository):
    (tmp_path / "config.yaml").write_text(CONFIG)
    path, environment = tmp_path / "runs/unet", {"PYTHONPATH": str(repository / "src")}
    first = job("SBATCH", unetdyn=REAL, **environment)
    wait_for(lambda: len(said(path, "epochs.jsonl")) >= 2 or first.poll() is not None)
    to_the_step(first, tmp_path)
    assert first.wait(PATIENCE) == 143
    text = first.stdout.read()
    assert "unetdyn resume runs/unet" in text
    assert said(tmp_path, "scheduler.log") == ["scontrol requeue 17"]
    epochs = len(runs.open(path).epochs)
    assert 2 <= epochs < 40

    second = job("SBATCH", unetdyn=REAL, **environment)
    assert second.wait(PATIENCE) == 0, second.stdout.read()
    run = runs.open(path)
    assert (run.status, run.history["epoch"].tolist()) == ("finished", list(range(40)))
    assert said(tmp_path, "scheduler.log") == ["scontrol requeue 17"]
