"""What carries on with a run, as a person types it."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unetdyn.runs.state_store import STATE, StateStore


def resume_command(path: Path) -> str:
    """The command for a shell.

    >>> resume_command(Path("runs/of mine"))
    "unetdyn resume 'runs/of mine'"
    """
    return f"unetdyn resume {shlex.quote(str(path))}"


def what_carries_on(path: Path, config: Mapping[str, Any]) -> str | None:
    """What carries on with a run that was ended before its end; None where nothing does.

    Args:
        path: The run directory.
        config: What the run was made from.
    """
    if not StateStore(path / STATE).exists():
        return None
    return resume_command(path) if {"data", "fit"} <= set(config) else "start its script again"
