"""Give rows of a sweep to a scheduler, as job arrays."""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from unetdyn._checks import check_choice, check_count
from unetdyn.runs.atomic import create
from unetdyn.sweeps.schedulers.pbs import Pbs
from unetdyn.sweeps.schedulers.records import SCRIPT, Submission, keep, new_folder, submissions
from unetdyn.sweeps.schedulers.scheduler import PATIENCE, Array, Scheduler, SchedulerError
from unetdyn.sweeps.schedulers.script import template_of, values_of
from unetdyn.sweeps.schedulers.settings import JobSettings
from unetdyn.sweeps.schedulers.slurm import Slurm
from unetdyn.sweeps.status import status
from unetdyn.sweeps.table import Sweep

SCHEDULERS: dict[str, Scheduler] = {each.name: each for each in (Slurm(), Pbs())}
UNFINISHED = ("missing", "dead", "stopped")
"""States of rows that are submitted where no others are asked for; what has failed is for `unetdyn sweep retry`."""


@dataclass(frozen=True)
class Job:
    """A job array that is ready to be submitted.

    Attributes:
        array: Its rows.
        script: What is submitted.
        command: The command that submits it, in its folder.
    """

    array: Array
    script: str
    command: tuple[str, ...]


def scheduler_named(name: str) -> Scheduler:
    """One of `SCHEDULERS`.

    Raises:
        ValueError: If there is none of that name.
    """
    check_choice("scheduler", name, SCHEDULERS)
    return SCHEDULERS[name]


def unfinished(sweep: Sweep, queued: Mapping[str, Sequence[int]]) -> tuple[int, ...]:
    """The rows that nobody has finished, nobody works on, and that are in no scheduler's queue.

    Args:
        sweep: The sweep.
        queued: What `in_queues` found.

    Returns:
        Their numbers, ascending.
    """
    waiting = {row for rows in queued.values() for row in rows}
    return tuple(each.number for each in status(sweep).rows if each.state in UNFINISHED and each.number not in waiting)


def in_queues(sweep: Sweep) -> dict[str, tuple[int, ...]]:
    """The rows whose tasks wait or run, by the id of their job, as their schedulers say.

    Args:
        sweep: The sweep.

    Returns:
        Without jobs that have left their queue, and without those whose scheduler is not to be had here.
    """
    found = {}
    for submission in submissions(sweep):
        scheduler = SCHEDULERS.get(submission.scheduler)
        waiting = scheduler.waiting(submission.job) if scheduler else set()
        rows = tuple(row for row, number in zip(submission.rows, submission.numbers, strict=True) if number in waiting)
        if rows:
            found[submission.job] = rows
    return found


def jobs_of(
    sweep: Sweep,
    scheduler: Scheduler,
    settings: JobSettings,
    rows: Sequence[int],
    *,
    template: Path | None = None,
    command: Sequence[str] | None = None,
    max_array: int | None = None,
) -> list[Job]:
    """The scripts that have the rows trained, and what submits them; nothing is submitted.

    Args:
        sweep: The sweep.
        scheduler: Which one.
        settings: What each task asks for.
        rows: Numbers of rows, at least one.
        template: A user's template; None (default) for the one that comes with unetdyn.
        command: What trains a row, to which `--row N` is added; None (default) for `unetdyn sweep run` of the Python
            that runs now.
        max_array: How many tasks an array may have; None (default) asks the scheduler.

    Returns:
        One for each array.

    Raises:
        SweepError: If a row is none of the sweep's.
        ValueError: If there is no row, or the template is wrong.

    Example:
        >>> import tempfile
        >>> from unetdyn.sweeps.table import Row, freeze
        >>> sweep = freeze(tempfile.mkdtemp(), "rates", "", {}, {}, {}, [Row(n, n, 0, {}, {}, "") for n in (1, 2, 3)])
        >>> (job,) = jobs_of(sweep, scheduler_named("pbs"), JobSettings("4:00:00"), [1, 3], max_array=100)
        >>> [line for line in job.script.splitlines() if " -J " in line], job.command
        (['#PBS -J 1-2'], ('qsub', 'job.sh'))
    """
    rows = sorted({sweep.row(row).number for row in rows})
    if not rows:
        raise ValueError("`rows` must be at least one. Received: none.")
    if max_array is not None:
        check_count("max_array", max_array, 1, "tasks", "or None to ask the scheduler")
    if command is None:
        command = (sys.executable, "-m", "unetdyn.cli", "sweep", "run", str(sweep.path.resolve()))
    script = template_of(scheduler, template)
    return [
        Job(
            array,
            script.render(
                values_of(
                    scheduler,
                    settings,
                    array,
                    name=sweep.name,
                    directory=Path.cwd(),
                    command=f'{shlex.join(command)} --row "$row"',
                    resubmit=resubmit_command(sweep, scheduler, settings, template),
                )
            ),
            (scheduler.program, SCRIPT),
        )
        for array in scheduler.arrays(rows, max_array or scheduler.largest_array())
    ]


def submit(
    sweep: Sweep,
    scheduler: str,
    settings: JobSettings,
    rows: Sequence[int],
    *,
    template: Path | None = None,
    command: Sequence[str] | None = None,
    max_array: int | None = None,
) -> list[Submission]:
    """Submit rows of a sweep as job arrays.

    Each array has a folder in `submissions/` of the sweep, with its script, the job's id and rows, and what its tasks
    print. A row that is submitted twice is trained once: tasks claim their rows.

    Args:
        sweep: The sweep.
        scheduler: `slurm` or `pbs`.
        settings: What each task asks for.
        rows: Numbers of rows, at least one; `unfinished` has those that are left.
        template: See `jobs_of`, as the others.
        command: See `jobs_of`.
        max_array: See `jobs_of`.

    Returns:
        One for each array.

    Raises:
        SchedulerError: If the scheduler's program is missing, or refuses; the text says what it said, and which
            arrays it had taken before.
        SweepError: If a row is none of the sweep's.
        ValueError: If there is no row, or the template is wrong; nothing was submitted then.
    """
    chosen = scheduler_named(scheduler)
    jobs = jobs_of(sweep, chosen, settings, rows, template=template, command=command, max_array=max_array)
    check_program(chosen)
    done: list[Submission] = []
    for job in jobs:
        try:
            done.append(_submit(sweep, chosen, job))
        except SchedulerError as error:
            if not done:
                raise
            taken = ", ".join(each.job for each in done)
            raise SchedulerError(f"{str(error).rstrip('.')}. Submitted before it: job {taken}.") from error
    return done


def check_program(scheduler: Scheduler) -> None:
    """Refuse where the program that submits is missing.

    Raises:
        SchedulerError: If it is.
    """
    if shutil.which(scheduler.program) is None:
        raise SchedulerError(
            f"The scheduler {scheduler.name} must have its program {scheduler.program} on the PATH, and there is none "
            "here. Submit on a login node of the cluster (some need a `module load` for it), look at the script with "
            "--dry-run, or train on this machine: unetdyn sweep run DESIGN --jobs 2."
        )


def resubmit_command(sweep: Sweep, scheduler: Scheduler, settings: JobSettings, template: Path | None) -> str:
    """The command that submits again what is not finished, with the same settings."""
    words = ["unetdyn", "sweep", "submit", str(sweep.path.resolve()), "--scheduler", scheduler.name]
    for field in fields(settings):
        value = getattr(settings, field.name)
        if value != field.default:
            option = f"--{field.name.replace('_', '-')}"
            words += [word for each in (value if isinstance(value, tuple) else [value]) for word in (option, str(each))]
    words += ["--template", str(template.resolve())] if template else []
    return shlex.join(words)


def _submit(sweep: Sweep, scheduler: Scheduler, job: Job) -> Submission:
    folder = new_folder(sweep)
    create(folder / SCRIPT, job.script)
    try:
        done = subprocess.run(
            job.command,
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE,
        )
    except OSError as error:
        raise SchedulerError(f"{scheduler.program} can't be run: {error}") from None
    except subprocess.TimeoutExpired:
        raise SchedulerError(
            f"{scheduler.program} has not answered for {PATIENCE} s, and may have taken {folder / SCRIPT} all the "
            "same: look into the queue before you submit again."
        ) from None
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split()) or f"nothing, and ended with {done.returncode}"
        raise SchedulerError(f"{scheduler.program} has refused {folder / SCRIPT} and said: {said}")
    now = datetime.now(UTC).isoformat(timespec="seconds")
    submission = Submission(
        folder, scheduler.name, scheduler.job_of(done.stdout), now, job.array.rows, job.array.numbers
    )
    keep(submission)
    return submission
