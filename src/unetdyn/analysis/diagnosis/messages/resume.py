"""What is told where a killed training goes on."""

from collections.abc import Sequence

from unetdyn.analysis.diagnosis.finding import Finding

_NAME = "resume"


def carries_on(epoch: int, step: int, validation: bool) -> str:
    """Where it goes on, as a sentence."""
    return f"Carrying on at {place(epoch, step, validation)}."


def place(epoch: int, step: int, validation: bool) -> str:
    """Where a training goes on.

    Args:
        epoch: From 0.
        step: Of the epoch, from 0.
        validation: Whether all steps were done, and its validation was not.

    Example:
        >>> place(1, 3, False), place(1, 0, False), place(1, 5, True)
        ('epoch 2, step 4', 'epoch 2', 'the validation of epoch 2')
    """
    if validation:
        return f"the validation of epoch {epoch + 1}"
    return f"epoch {epoch + 1}" + (f", step {step + 1}" if step else "")


def passes_over(fit: int) -> str:
    """A `fit` that had ended trains nothing, and its model is as it was made.

    Args:
        fit: Which call, from 0.
    """
    return f"Passing over `fit` number {fit + 1}, which had ended: its model is untrained until one comes that had not."


def order_not_restored(kind: str) -> Finding:
    """The order of the data is drawn where nobody can put it back.

    Args:
        kind: What the data is, as Keras has it.
    """
    seen = (
        f"The order of this data ({kind}) can't be restored: what draws it keeps its place to itself. The epochs to "
        "come have another order than an uninterrupted training would have. All else is as it was; "
        "`unetdyn.data.TileDataset` with `shuffle=False` in `fit` has an order that is restored."
    )
    return Finding("resume.data_order", "info", _NAME, seen)


def generation_skipped(reason: str) -> Finding:
    """The newest state is damaged.

    Args:
        reason: What is wrong with it.
    """
    return Finding(
        "resume.older_state", "watch", _NAME, f"The newest state can't be used, and the one before is: {reason}"
    )


def is_copy(path: object) -> Finding:
    """A tuner has copied the callback: the state on the disk is of another training.

    Args:
        path: Of the first one.
    """
    seen = f"This ResumableRun is a copy of the one of {path}, and keeps no state: that would be of several trainings."
    return Finding(
        "resume.copy", "watch", _NAME, seen, advice="make a new one for each training, with a path of its own."
    )


def not_saved(what: str, error: Exception) -> Finding:
    """A state could not be written; training goes on.

    Args:
        what: What.
        error: Why.
    """
    why = f"{type(error).__name__}: {error}"
    seen = f"{what} could not be written, and training goes on. The last one that was is kept. {why}"
    return Finding("resume.not_saved", "watch", _NAME, seen)


def stopped_for_walltime(epoch: int, step: int) -> str:
    """The job's time is nearly over.

    Args:
        epoch: From 0.
        step: Of the epoch, from 0.
    """
    return (
        f"The walltime is nearly over: the state before epoch {epoch + 1}, step {step + 1} is saved, and the process "
        "ends. Start it again in the same way, and it carries on."
    )


def callback_without_state(who: str, attributes: Sequence[str]) -> Finding:
    """A callback keeps something that nobody can ask it for.

    Args:
        who: Its class.
        attributes: What it keeps.
    """
    kept = ", ".join(attributes)
    return Finding(
        "resume.callback_without_state",
        "watch",
        _NAME,
        f"{who} has no `get_state` and `set_state`: after a resumption, what it keeps in {kept} begins anew.",
        advice=f"give {who} a method `get_state()`, which returns a dictionary of numbers, texts, lists and arrays, "
        "and `set_state(state)`, which takes it back.",
    )


def optimizers_not_kept(names: Sequence[str]) -> Finding:
    """A model trains with optimizers of its own.

    Args:
        names: Of its attributes.
    """
    seen = (
        f"The model has optimizers of its own, in {', '.join(names)}: what they keep, such as moments, is in no state "
        "and begins anew. Only the one that was given to `compile` is kept."
    )
    return Finding("resume.optimizers_not_kept", "watch", _NAME, seen)


def two_restore(who: str) -> Finding:
    """Another callback brings a training back too.

    Args:
        who: Its class.
    """
    return Finding(
        "resume.two_restore",
        "watch",
        _NAME,
        f"{who} restores the training too: whichever begins last decides where it goes on, and with which weights.",
        advice=f"leave {who} out; what is brought back here holds all that it brings back, and more.",
    )
