"""What `StabilityMonitor` tells: the class of a value's scatter, when it is first known and when it changes."""

from collections.abc import Sequence

from unetdyn._checks import nearest
from unetdyn.analysis import Stability
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import STUDIES
from unetdyn.analysis.diagnosis.symptoms.stability import ADVICE, LEVEL_OF, LIMIT


def code_of(name: str) -> str:
    """The code of what is told of a logged value: each value is a kind of its own.

    >>> code_of("val_loss")
    'stability.val_loss'
    """
    return f"{LIMIT.code}.{name}"


def class_of_stability(name: str, found: Stability) -> Finding:
    """The class of a logged value.

    Args:
        name: The value's name in the logs.
        found: Its stability.
    """
    level = "unknown" if found.label is None else LEVEL_OF[found.label]
    return Finding(code_of(name), level, name, f"{name}: {found}.", source=STUDIES, advice=ADVICE if found.poor else "")


def value_not_logged(name: str, epoch: int, logged: Sequence[str], window: int) -> Finding:
    """A value that is to be watched and was not logged.

    Args:
        name: The value's name.
        epoch: In which epoch it is missing.
        logged: What the logs hold.
        window: Over how many values stability is measured.
    """
    seen = (
        f"StabilityMonitor: {name!r} is not in the logs of epoch {epoch + 1}, which hold {', '.join(logged)}."
        f"{nearest(name, logged)} Only epochs that have it count: with `validation_freq` > 1 the window of {window} "
        "spans more epochs, and without validation data σ is never defined (monitor='loss' then)."
    )
    return Finding("stability.not_logged", "watch", name, seen)
