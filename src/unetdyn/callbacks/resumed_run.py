"""What a recorder must know of the `ResumableRun` in the same `fit`: whether it brings its run back, and from where."""

from pathlib import Path

from unetdyn.callbacks.neighbours import callbacks_of_fit
from unetdyn.callbacks.resumable_run import ResumableRun


def resumable_run(path: Path) -> ResumableRun | None:
    """The `ResumableRun` of this run directory in the `fit` in one of whose hooks this is called; None without one."""
    for each in callbacks_of_fit():
        if isinstance(each, ResumableRun) and each.path.resolve() == path.resolve():
            return each
    return None


def not_resumed(path: Path) -> FileExistsError:
    """What refuses a `fit` that would neither carry on with a run nor leave it alone."""
    return FileExistsError(
        f"{path} holds a training that was not finished. Received: a `fit` without a ResumableRun of this path, which "
        f"would carry it on: put ResumableRun({str(path)!r}) among the callbacks; or, for a new training, choose "
        "another path for RunRecorder, or move that one away."
    )


def not_brought_back(path: Path) -> FileExistsError:
    """What refuses a `fit` whose `ResumableRun` has begun anew."""
    return FileExistsError(
        f"{path} holds a training that was not finished, and its state was not brought back before this `fit` began "
        "an epoch. Nothing was changed there. Begin in a new process, or choose another path for RunRecorder."
    )
