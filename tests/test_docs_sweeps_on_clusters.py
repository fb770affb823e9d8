"""The scripts in docs/sweeps_on_clusters.md are those that come out."""

import re
from pathlib import Path

import pytest

from unetdyn.sweeps.schedulers.script import VARIABLES, template_of, values_of
from unetdyn.sweeps.schedulers.settings import JobSettings
from unetdyn.sweeps.schedulers.submit import scheduler_named

HOME = Path("/home/me/em")
SETTINGS = JobSettings(
    "4:00:00", queue="gpu", modules=("cuda/12.4",), memory="16G", cpus=4, gpus=1, max_running=4, max_requeues=20
)


@pytest.mark.parametrize("name", ["slurm", "pbs"])
def test_scripts_of_the_page_are_those_that_come_out(repository, name):
    scheduler = scheduler_named(name)
    (array,) = scheduler.arrays([1, 2, 3, 4, 5, 6, 7, 9], 1000)
    command = f'{HOME}/.venv/bin/python -m unetdyn.cli sweep run {HOME}/rates --row "$row"'
    resubmit = (
        f"unetdyn sweep submit {HOME}/rates --scheduler {name} --walltime 4:00:00 --queue gpu --modules cuda/12.4 "
        "--memory 16G --cpus 4 --gpus 1 --max-running 4"
    )
    values = values_of(scheduler, SETTINGS, array, name="rates", directory=HOME, command=command, resubmit=resubmit)
    page = (repository / "docs/sweeps_on_clusters.md").read_text(encoding="utf-8")
    assert template_of(scheduler).render(values) in page


def test_page_names_every_variable_of_a_template(repository):
    page = (repository / "docs/sweeps_on_clusters.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.MULTILINE)
    assert dict(told) == VARIABLES
