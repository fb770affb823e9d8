"""What `RunRecorder` tells: what it could not compare, decide or read."""

from collections.abc import Sequence
from os import PathLike

from unetdyn._checks import nearest
from unetdyn.analysis.diagnosis.finding import Finding

_NAME = "recorder"


def begins_again(path: PathLike[str]) -> Finding:
    """A run that is to be carried on has no state.

    Args:
        path: Its directory.
    """
    seen = f"The training in {path} was killed before its first state was saved. It begins again, at the first epoch."
    return Finding("recorder.begins_again", "info", _NAME, seen)


def best_not_logged(name: str, epoch: int, logged: Sequence[str]) -> Finding:
    """The value that the best epoch is chosen by was not logged.

    Args:
        name: The value's name.
        epoch: In which epoch it is missing.
        logged: What the logs hold.
    """
    reason = f"is not in the logs of epoch {epoch + 1}, which hold {', '.join(logged)}.{nearest(name, logged)}"
    return Finding("recorder.best_not_logged", "watch", _NAME, _not_compared(name, reason))


def best_not_single(name: str, epoch: int, values: int) -> Finding:
    """The value that the best epoch is chosen by has several numbers.

    Args:
        name: The value's name.
        epoch: In which epoch.
        values: How many numbers.
    """
    reason = (
        f"has {values} values in epoch {epoch + 1}, where one number is needed: let the metric average them, as "
        "F1Score(average='macro') does."
    )
    return Finding("recorder.best_not_single", "watch", _NAME, _not_compared(name, reason))


def direction_assumed(name: str) -> Finding:
    """Nothing says whether more or less of the value is better.

    Args:
        name: The value's name.
    """
    seen = (
        f"RunRecorder: the highest {name} is taken for the best, since nothing says whether more or less of it is "
        "better: pass mode='min' to keep the lowest, or mode='max' to keep the highest without this warning."
    )
    return Finding("recorder.direction_assumed", "watch", _NAME, seen)


def epoch_unread(error: BaseException) -> Finding:
    """What led to the end of a training could not be read any more.

    Args:
        error: What was raised.
    """
    seen = f"The unfinished epoch could not be read. {type(error).__name__}: {error}"
    return Finding("recorder.epoch_unread", "watch", _NAME, seen)


def not_written(what: str, error: BaseException) -> Finding:
    """A part of the record could not be written; the training goes on.

    Args:
        what: Which part.
        error: What was raised.
    """
    seen = (
        f"RunRecorder: {what} could not be written. {type(error).__name__}: {error}. The training goes on, and what is "
        "missing of its record is written as soon as that is possible again."
    )
    return Finding("recorder.not_written", "watch", _NAME, seen)


def evaluated_other_weights(name: str) -> Finding:
    """What the best epoch is chosen by belongs to other weights than those that are saved.

    Args:
        name: The value's name.
    """
    seen = (
        f"RunRecorder: {name} is that of other weights than those that model.keras keeps: something exchanges the "
        "weights for the validation and puts them back before the recorder saves. Let it exchange them at the epoch's "
        "end too, before the recorder, or take keras.callbacks.SwapEMAWeights, whose averages the recorder saves."
    )
    return Finding("recorder.other_weights", "watch", _NAME, seen)


def signalled(name: str, epochs: int) -> str:
    """The process was told to end.

    Args:
        name: Of the signal.
        epochs: How many are whole.
    """
    return f"{name} came after {epochs} whole epoch{'s' if epochs != 1 else ''}: the process was told to end."


def _not_compared(name: str, reason: str) -> str:
    return (
        f"RunRecorder: save_best={name!r} {reason} Such epochs are not compared; if none can be, model.keras will be "
        "the model at the end of training."
    )
