"""SLURM: `sbatch`, arrays of any indexes, a signal before the walltime, and jobs that requeue themselves.

Sources: sbatch(1), scontrol(1), squeue(1) and slurm.conf(5) of Slurm 22.05.
"""

import re
from collections.abc import Sequence

from unetdyn.sweeps.schedulers.ranges import text_of
from unetdyn.sweeps.schedulers.scheduler import Array, SchedulerError, answer
from unetdyn.sweeps.schedulers.settings import JobSettings


class Slurm:
    """See the module."""

    name = "slurm"
    program = "sbatch"

    def arrays(self, rows: Sequence[int], largest: int | None) -> list[Array]:
        """The number of a task is that of its row, or that less a multiple of `largest`.

        SLURM limits not how many tasks there are, but their highest number.

        >>> [array.tasks for array in Slurm().arrays([1, 2, 1000, 1001], 1000)]
        ['1-2,1000', '1']
        """
        largest = largest or max(rows)
        found = []
        for block in sorted({(row - 1) // largest for row in rows}):
            offset = block * largest
            mine = tuple(row for row in rows if (row - 1) // largest == block)
            numbers = tuple(row - offset for row in mine)
            row = f"$((SLURM_ARRAY_TASK_ID + {offset}))" if offset else "$SLURM_ARRAY_TASK_ID"
            found.append(Array(mine, text_of(numbers), row, numbers))
        return found

    def largest_array(self) -> int | None:
        """`MaxArraySize` is one more than the highest number of a task (slurm.conf(5))."""
        found = re.search(r"^MaxArraySize\s*=\s*(\d+)", answer("scontrol", "show", "config") or "", re.MULTILINE)
        return max(1, int(found[1]) - 1) if found else None

    def memory(self, settings: JobSettings) -> str | None:
        """As `16G`."""
        return "{}{}".format(*settings.memory_parts) if settings.memory_parts else None

    def job_of(self, printed: str) -> str:
        """`Submitted batch job 17`, and more on a site with several clusters.

        >>> Slurm().job_of("Submitted batch job 17 on cluster north")
        '17'
        """
        found = re.search(r"Submitted batch job (\d+)", printed)
        if found is None:
            raise SchedulerError(f"sbatch must print `Submitted batch job N`. Received: {printed.strip()!r}.")
        return found[1]

    def waiting(self, job: str) -> set[int]:
        """`%K` is the number of a task; `--array` gives each a line of its own."""
        lines = (answer("squeue", "--noheader", "--array", "--format=%K", f"--jobs={job}") or "").split()
        return {int(line) for line in lines if line.isdecimal()}
