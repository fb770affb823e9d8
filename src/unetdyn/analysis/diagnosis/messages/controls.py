"""What the controls between epochs tell: why they stopped, lowered, raised or went back, and what they can't do."""

from collections.abc import Sequence

from unetdyn._checks import nearest
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB

CONVERGED = "convergence.stopped"
NOT_LOGGED, DIRECTION = "control.not_logged", "control.direction_assumed"


def value_not_logged(who: str, name: str, epoch: int, logged: Sequence[str]) -> Finding:
    """A value that a control goes by was not logged.

    Args:
        who: The control.
        name: The value's name.
        epoch: In which epoch it is missing, from 0.
        logged: What the logs hold.
    """
    seen = (
        f"{who}: {name!r} is not in the logs of epoch {epoch + 1}, or is no single number; they hold "
        f"{', '.join(logged)}.{nearest(name, logged)} It does nothing in epochs without: `val_` needs validation data."
    )
    return Finding(NOT_LOGGED, "watch", name, seen)


def direction_assumed(who: str, name: str) -> Finding:
    """Nothing says whether more or less of the value is better.

    Args:
        who: The control.
        name: The value's name.
    """
    seen = (
        f"{who}: the highest {name} is taken for the best, since nothing says whether more or less of it is better: "
        "pass mode='min' for the lowest, or mode='max' for the highest without this warning."
    )
    return Finding(DIRECTION, "watch", name, seen)


def converged(criterion: str, watched: str, evidence: str, since: int, epochs: int, best: str, source: str) -> Finding:
    """A training that has been stopped since a criterion of convergence holds.

    Args:
        criterion: Its name.
        watched: What it looked at.
        evidence: In words, with the numbers and the threshold.
        since: The epoch from which it has held, from 0.
        epochs: How many there were.
        best: What becomes of the weights, as a sentence; empty where nothing does.
        source: Where criterion and threshold come from.
    """
    seen = (
        f"ConvergenceStopping: training stopped after {epochs} epochs, converged by {criterion} of {watched}: "
        f"{evidence}; it has held since epoch {since + 1}.{best}"
    )
    return Finding(CONVERGED, "info", "convergence", seen, threshold=evidence, source=source or RULE_OF_THUMB)
