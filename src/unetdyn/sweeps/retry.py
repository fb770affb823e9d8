"""Let rows be done again: those whose process is gone, those that were stopped, and, if asked, those that failed."""

from collections.abc import Sequence
from dataclasses import dataclass

from unetdyn.sweeps.claims import DEAD_AFTER, Claimed, Record, beat_age, claim, free, is_dead
from unetdyn.sweeps.row_training import set_aside
from unetdyn.sweeps.status import RowState, status
from unetdyn.sweeps.table import Sweep

KEPT = {
    "done": "done",
    "running": "being worked on",
    "failed": "failed: `--failed` frees them too",
    "missing": "free already",
}
"""Why a row in a state is not freed."""


@dataclass(frozen=True)
class Retried:
    """What `retry` did.

    Attributes:
        freed: Numbers of the rows that it freed.
        kept: Why → the numbers of those that it did not.
    """

    freed: tuple[int, ...]
    kept: dict[str, tuple[int, ...]]

    def __str__(self) -> str:
        lines = [f"Freed: {_numbers(self.freed)}." if self.freed else "Nothing was to be freed."]
        lines += [f"Not freed, since {why}: {_numbers(numbers)}." for why, numbers in self.kept.items()]
        return "\n".join(lines)


def retry(sweep: Sweep, failed: bool = False, dead_after: float = DEAD_AFTER) -> Retried:
    """Free rows, so that whoever works off the sweep does them again.

    What was killed or stopped goes on from its state. What failed begins anew: its run directory is moved to
    `runs/NNNN.failed-K`, where it stays.

    Args:
        sweep: The sweep.
        failed: Whether to free those that failed, too. Default False: most fail again, for the same reason.
        dead_after: See `unetdyn.sweeps.claims.DEAD_AFTER`.

    Returns:
        Which were freed, and why the others were not.

    Example:
        >>> import tempfile
        >>> from unetdyn.sweeps.claims import claim
        >>> from unetdyn.sweeps.table import Row, freeze
        >>> rows = [Row(number, number, 0, {}, {}, "") for number in (1, 2)]
        >>> sweep = freeze(tempfile.mkdtemp(), "two", "2026-11-27", {}, {}, {}, rows)
        >>> with claim(sweep, 2) as mine:
        ...     _ = mine.end("stopped", 75, "Row 2 stopped before the walltime.")
        >>> print(retry(sweep))
        Freed: 2.
        Not freed, since free already: 1.
    """
    wanted = {"dead", "stopped", *(["failed"] if failed else [])}
    freed: list[int] = []
    kept: dict[str, list[int]] = {}
    for row in status(sweep, dead_after).rows:
        if row.state not in wanted:
            why = KEPT[row.state]
        elif not _freed(sweep, row, dead_after):
            why = "taken by somebody just now"
        else:
            freed.append(row.number)
            continue
        kept.setdefault(why, []).append(row.number)
    return Retried(tuple(freed), {why: tuple(numbers) for why, numbers in kept.items()})


def _freed(sweep: Sweep, row: RowState, dead_after: float) -> bool:
    file, path = sweep.claim_path(row.number), sweep.run_path(row.number)
    if not file.exists():  # a run that no worker of the sweep has made
        try:
            with claim(sweep, row.number) as mine:
                if row.state == "failed":
                    set_aside(path, "failed")
                return mine.end("free")
        except Claimed:
            return False

    def may(now: Record) -> bool:
        if row.state != "failed":
            return now.state == "stopped" or is_dead(now, beat_age(file), dead_after)
        if now.state == "failed":
            set_aside(path, "failed")  # under the lock: nobody begins there meanwhile
        return now.state == "failed"

    return free(sweep, row.number, may)


def _numbers(numbers: Sequence[int]) -> str:
    """As people write them: 1, 3-7, 9."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    return ", ".join(f"{part[0]}-{part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts)
