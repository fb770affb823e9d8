"""What was submitted of a sweep: a folder for each job, with its script, its record and what its tasks printed."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from unetdyn.runs.atomic import replacing
from unetdyn.runs.strict_json import dumps, loads
from unetdyn.sweeps.schedulers.ranges import rows_of, text_of
from unetdyn.sweeps.table import Sweep, SweepError

FOLDER = "submissions"
SCRIPT = "job.sh"
FILE = "submission.json"


@dataclass(frozen=True)
class Submission:
    """One job, or job array.

    Attributes:
        path: Its folder: `SCRIPT`, `FILE`, and what its tasks print.
        scheduler: To which it was given.
        job: Its id there.
        submitted: When, in ISO 8601.
        rows: The rows of the sweep, ascending.
        numbers: The number of each row's task.
    """

    path: Path
    scheduler: str
    job: str
    submitted: str
    rows: tuple[int, ...]
    numbers: tuple[int, ...]

    def __str__(self) -> str:
        return f"submitted {self.submitted} to {self.scheduler}: job {self.job}, rows {text_of(self.rows)}  {self.path}"


def new_folder(sweep: Sweep) -> Path:
    """A folder for the next job; of several who ask at once, each gets its own."""
    parent = sweep.path / FOLDER
    parent.mkdir(exist_ok=True)
    number = 1 + max((int(each.name) for each in parent.iterdir() if each.name.isdecimal()), default=0)
    while True:
        path = parent / f"{number:04d}"
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def keep(submission: Submission) -> None:
    """Write the record of a job that a scheduler has taken."""
    values = asdict(submission) | {"rows": text_of(submission.rows), "numbers": text_of(submission.numbers)}
    del values["path"]
    with replacing(submission.path / FILE) as temporary:
        temporary.write_text(dumps(values, indent=1) + "\n", encoding="utf-8")


def submissions(sweep: Sweep) -> list[Submission]:
    """The jobs that were submitted of a sweep, the first one first.

    A folder without a record is one that its scheduler did not take.

    Args:
        sweep: The sweep.

    Returns:
        One for each record.

    Raises:
        SweepError: If a record is damaged.

    Example:
        >>> import tempfile
        >>> from unetdyn.sweeps.table import Row, freeze
        >>> sweep = freeze(tempfile.mkdtemp(), "rates", "", {}, {}, {}, [Row(1, 1, 0, {}, {}, "")])
        >>> keep(Submission(new_folder(sweep), "slurm", "17", "2026-11-27T09:00:00+00:00", (1,), (1,)))
        >>> [(each.job, each.rows, each.path.name) for each in submissions(sweep)]
        [('17', (1,), '0001')]
    """
    found = []
    for file in sorted((sweep.path / FOLDER).glob(f"*/{FILE}")):
        try:
            found.append(_read(sweep, file.parent, loads(file.read_bytes())))
        except (ValueError, TypeError, KeyError) as error:
            raise SweepError(
                f"{file} is damaged: {type(error).__name__}: {error}. Remove {file.parent} once its job has ended."
            ) from None
    return found


def _read(sweep: Sweep, path: Path, values: Mapping[str, Any]) -> Submission:
    rows = rows_of(str(values["rows"]), len(sweep.rows))
    numbers = rows_of(str(values["numbers"]), sys.maxsize)
    if len(rows) != len(numbers):
        raise ValueError("its rows and the numbers of their tasks must be as many")
    return Submission(path, str(values["scheduler"]), str(values["job"]), str(values["submitted"]), rows, numbers)
