"""What trains a row in the tests of schedulers, and how it is submitted."""

from unetdyn.sweeps.schedulers.settings import JobSettings
from unetdyn.sweeps.schedulers.submit import submit

TRAINING = """#!/bin/bash
# A row's training. While `hold` is there it goes on until SIGTERM, and then it saves, slowly while `slow` is there;
# else it ends with the code in `code`.
trap 'touch saves; while [ -e slow ]; do sleep 0.02; done; echo "$2 saved" >> log; exit 143' TERM
echo "$2 begins $3 $4" >> log
while [ -e hold ]; do sleep 0.02; done
exit "$(cat code 2>/dev/null || echo 0)"
"""


def submitted(sweep, scheduler, rows, **more):
    settings = JobSettings("4:00:00", **more)
    return submit(sweep, scheduler, settings, rows, command=[str(sweep.path.parent / "train")])
