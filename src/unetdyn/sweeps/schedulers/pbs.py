"""PBS Professional and OpenPBS: `qsub`, arrays of one range each, and no signal before the walltime.

Sources: qsub(1B), qstat(1B), qrerun(1B) and pbs_server_attributes(7B) of OpenPBS 2021. Torque has other options.
"""

import re
from collections.abc import Sequence

from unetdyn.sweeps.schedulers.ranges import runs_of
from unetdyn.sweeps.schedulers.scheduler import Array, SchedulerError, answer
from unetdyn.sweeps.schedulers.settings import JobSettings

GONE = "XFE"
"""States of a subjob that has ended, or is about to (qstat(1B))."""


class Pbs:
    """See the module."""

    name = "pbs"
    program = "qsub"

    def arrays(self, rows: Sequence[int], largest: int | None) -> list[Array]:
        """Tasks are counted from 1, and the script has the list of rows.

        An array is one range of at least two numbers (`-J X-Y`, X < Y), which rows are not in general.

        >>> first, second = Pbs().arrays([1, 2, 3, 9, 10], 4)
        >>> first.tasks, first.row, second.tasks
        ('1-4', '${rows[PBS_ARRAY_INDEX - 1]}', '')
        """
        largest = largest or len(rows)
        found = []
        for start in range(0, len(rows), largest):
            mine = tuple(rows[start : start + largest])
            several = len(mine) > 1
            row = "${rows[PBS_ARRAY_INDEX - 1]}" if several else "${rows[0]}"
            found.append(Array(mine, f"1-{len(mine)}" if several else "", row, tuple(range(1, len(mine) + 1))))
        return found

    def largest_array(self) -> int | None:
        """`max_array_size` of the server (pbs_server_attributes(7B))."""
        found = re.search(r"^\s*max_array_size\s*=\s*(\d+)", answer("qstat", "-B", "-f") or "", re.MULTILINE)
        return max(1, int(found[1])) if found else None

    def memory(self, settings: JobSettings) -> str | None:
        """As `16gb`."""
        return "{}{}b".format(*settings.memory_parts).lower() if settings.memory_parts else None

    def job_of(self, printed: str) -> str:
        """The id alone, `17[].server` of an array.

        >>> Pbs().job_of("17[].pbs1\\n")
        '17[].pbs1'
        """
        found = re.search(r"^\s*(\d+(\[\])?(\.\S+)?)\s*$", printed, re.MULTILINE)
        if found is None:
            raise SchedulerError(f"qsub must print the id of a job. Received: {printed.strip()!r}.")
        return found[1]

    def waiting(self, job: str) -> set[int]:
        """`-t` gives a line for each subjob, with its state before the queue, at the end."""
        found = set()
        for line in (answer("qstat", "-t", job) or "").splitlines():
            words = line.split()
            number = re.match(r"\d+(?:\[(\d+)\])?(?:\.\S*)?$", words[0]) if len(words) > 2 else None
            if number is not None and words[-2] not in GONE:
                found.add(int(number[1] or 1))
        return found


def bash_list(rows: Sequence[int]) -> str:
    """Numbers as the members of an array of bash.

    >>> bash_list([1, 2, 3, 9])
    '{1..3} 9'
    """
    return " ".join(str(first) if first == last else f"{{{first}..{last}}}" for first, last in runs_of(rows))
