"""A run directory that is to be carried on, of which nothing is touched before that is certain."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unetdyn.runs.claim import FILE
from unetdyn.runs.process import is_alive
from unetdyn.runs.reader import Run, open_run
from unetdyn.runs.resume_command import resume_command
from unetdyn.runs.state_store import STATE, StateStore
from unetdyn.runs.writer import RunWriter

BEGINNING = 60.0
"""Seconds of training that are no loss: a run that was ended in them, before its first state, begins again."""


def has_only_begun(run: Run) -> bool:
    """Whether nearly nothing is lost if a run without a state begins again: one epoch, or some of a minute in all.

    One that had come further has lost its state, and its record is not to be cut off for that.
    """
    seconds = [float(each["seconds"]) for each in run.epochs if isinstance(each.get("seconds"), int | float)]
    return len(run.epochs) <= 1 or (len(seconds) == len(run.epochs) and sum(seconds) < BEGINNING)


def run_to_carry_on(path: str | Path, extend: bool) -> Run | None:
    """The run at a path, if a training may go on with it.

    That is one that has not finished and has a state; or has only begun, and has the folder for states, which was made
    when its training began; or was killed before that.

    Args:
        path: A run directory, or whatever is to become one.
        extend: Whether a finished one may be carried on too.

    Raises:
        FileExistsError: If it is a finished one with a state, and may not be carried on.
        RunError: If its `run.json` is damaged, and there is a state.
    """
    folder = Path(path)
    if not (folder / FILE).is_file() or not folder.is_dir():
        return None
    stated = StateStore(folder / STATE).exists()
    try:
        run = open_run(folder)
    except ValueError:
        if stated:
            raise
        return None
    if run.status == "finished":
        if stated and not extend:
            raise FileExistsError(
                f"`path` must be a new or empty folder, or hold a run that has not finished. Received: {folder}, whose "
                f"training has. To carry it on with more epochs: `{resume_command(folder)} --epochs N`, or "
                "RunRecorder(..., extend=True). For a new one, choose another path."
            )
        return run if stated else None
    if stated or ((folder / STATE).is_dir() and has_only_begun(run)):
        return run
    gone = run.status != "running" or is_alive(run.header.get("process")) is False
    return run if gone and not run.epochs else None


class WaitingWriter(RunWriter):
    """Stands for the writer of a run that is to be carried on, and writes nothing: `RunWriter.reopen` takes it over.

    A copy is a new run, as that of a `RunWriter`.

    Args:
        run: The run.
        config: As of `RunWriter`.
        seed: As of `RunWriter`.
        backend: As of `RunWriter`.
    """

    def __init__(
        self, run: Run, config: Mapping[str, Any] | None = None, seed: int | None = None, backend: str | None = None
    ) -> None:
        self._asked = run.path
        self._new = {"format": run.header["format"], "backend": backend, "seed": seed, "config": dict(config or {})}
        self._begin()
        self._first_epochs = [event.get("epoch") for event in run.events if event["kind"] == "train_begin"]

    def first_epoch(self, fit: int) -> int:
        """At which epoch, from 0, a `fit` of the run began.

        Args:
            fit: Which one, from 0; of one that had not begun, 0.
        """
        found = self._first_epochs[fit] if fit < len(self._first_epochs) else 0
        return found if isinstance(found, int) else 0

    @property
    def path(self) -> Path:
        """The folder."""
        return self._asked

    def __reduce__(self) -> tuple[Any, ...]:
        return _copied, (self.__getstate__(),)

    def save_arrays(self, name: str, **arrays: Any) -> None:
        """Nothing is written."""

    def flush(self) -> None:
        """Nothing is written."""

    def _owned(self) -> Path:
        raise FileExistsError(f"{self.path} is to be carried on, and nothing was written there.")

    def _append(self, name: str, record: dict[str, Any]) -> None:
        pass

    def _write_run(self) -> None:
        pass


def _copied(state: dict[str, Any]) -> RunWriter:
    writer = RunWriter.__new__(RunWriter)
    writer.__setstate__(state)
    return writer
