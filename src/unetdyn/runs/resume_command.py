"""What carries on with a run, as a person types it."""

import shlex
from pathlib import Path

from unetdyn.runs.reader import Run
from unetdyn.runs.state_store import StateStore
from unetdyn.runs.waiting import STATE


def resume_command(path: Path) -> str:
    """The command for a shell.

    >>> resume_command(Path("runs/of mine"))
    "unetdyn resume 'runs/of mine'"
    """
    return f"unetdyn resume {shlex.quote(str(path))}"


def what_carries_on(run: Run) -> str | None:
    """What carries on with a run that was ended before its end; None where nothing does.

    Args:
        run: Of any kind. Of one that says "running", `Run.outcome` tells whether that is so, and what carries on.
    """
    if run.status in ("finished", "running") or not StateStore(run.path / STATE).exists():
        return None
    return resume_command(run.path) if {"data", "fit"} <= set(run.config) else "start its script again"
