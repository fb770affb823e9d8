"""The training of one row: begun, carried on, or begun again, whatever an earlier process has left of it."""

import os
import sys
from itertools import count
from pathlib import Path
from typing import TextIO

from unetdyn import runs
from unetdyn.runs.process import in_words, is_alive
from unetdyn.runs.state_store import STATE, StateStore
from unetdyn.runs.tested import lacks_its_test
from unetdyn.runs.waiting import run_to_carry_on
from unetdyn.sweeps.claims import Claimed
from unetdyn.sweeps.table import Sweep, SweepError


class OutOfTime(Exception):
    """A training has saved its state and ended before its walltime."""


BACKENDS = ("tensorflow", "jax", "torch")


def take_backend(sweep: Sweep) -> None:
    """Have Keras, if it is not loaded yet, take the backend of the planning, unless the environment names one."""
    backend = next((name for name in BACKENDS if name in sweep.versions), None)
    if backend is not None and "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", backend)


def run_of(sweep: Sweep, number: int) -> runs.Run | None:
    """What there is of the run of a row; None if nothing is, or nothing that can be read."""
    try:
        return runs.open(sweep.run_path(number))
    except (OSError, ValueError):
        return None


def is_done(run: runs.Run | None) -> bool:
    """Whether a row needs nothing more: its run is finished, and tested if it is to be."""
    return run is not None and run.status == "finished" and not lacks_its_test(run)


def train_row(sweep: Sweep, number: int, walltime: float | None = None, stream: TextIO | None = None) -> None:
    """Train a row to its end, from where it is.

    A run that has a state goes on from it, exactly; one that had only begun begins again. What can't be carried on,
    such as a run with `fit.keep_state: false`, is moved aside, as `set_aside` does, and the row begins anew.

    Args:
        sweep: The sweep.
        number: Of the row, which must be claimed.
        walltime: Seconds that this process may run, from its start.
        stream: Where progress is shown; standard output by default.

    Raises:
        OutOfTime: If the walltime came first.
        Claimed: If a process that no claim knows trains in the run directory.
        SweepError: If it can't be done as it is asked.
    """
    from unetdyn.callbacks.resumable_run import WalltimeReached
    from unetdyn.experiment import ConfigError, resume_experiment, run_experiment
    from unetdyn.sweeps.row_config import config_of

    path = sweep.run_path(number)
    try:
        if may_be_carried_on(path):
            resume_experiment(path, stream=stream, walltime=walltime)
        else:
            set_aside(path, "begun")
            run_experiment(config_of(sweep, number), stream, walltime)
    except WalltimeReached as error:
        raise OutOfTime(" ".join(getattr(error, "__notes__", ()))) from error
    except ConfigError as error:
        raise SweepError(str(error)) from error


def may_be_carried_on(path: Path) -> bool:
    """Whether `unetdyn.experiment.resume_experiment` can do something with a run directory.

    Raises:
        Claimed: If a process trains there.
    """
    try:
        run = runs.open(path)
    except (OSError, ValueError):
        return StateStore(path / STATE).exists()  # it says what is wrong
    process = run.header.get("process")
    if run.status == "running" and is_alive(process):
        raise Claimed(f"{path} is just being trained by {in_words(process)}, which has no claim of the sweep.")
    if run.status == "finished":
        return True
    fit = run.config.get("fit")
    kept = not isinstance(fit, dict) or fit.get("keep_state", True)
    return bool(kept) and run_to_carry_on(path, extend=False) is not None


def set_aside(path: Path, why: str) -> Path | None:
    """Move a run directory away, so that another can take its place; who may still write there finds it gone.

    Args:
        path: The run directory of a row.
        why: Part of its new name, `NNNN.WHY-K`.

    Returns:
        Where it is now; None if there was none.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "0007"
        >>> for _ in range(2):
        ...     path.mkdir()
        ...     print(set_aside(path, "failed").name)
        0007.failed-1
        0007.failed-2
    """
    for number in count(1):
        aside = path.with_name(f"{path.name}.{why}-{number}")
        if aside.exists():
            continue
        try:
            return path.rename(aside)
        except FileNotFoundError:
            return None
        except OSError:
            if not aside.exists():  # else somebody was faster with that name
                raise
    raise AssertionError("there is no end of numbers")
