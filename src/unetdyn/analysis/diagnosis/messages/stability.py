"""What `StabilityMonitor` tells: the class of a value's scatter, when it is first known and when it changes."""

from unetdyn.analysis import Stability
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import STUDIES
from unetdyn.analysis.diagnosis.rules.stability import ADVICE, LEVEL_OF, LIMIT


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
