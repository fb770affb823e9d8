"""What the controls between epochs tell: why they stopped, lowered, raised or went back, and what they can't do."""

from collections.abc import Sequence

from unetdyn._checks import nearest
from unetdyn.analysis.diagnosis.finding import Finding

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
    return Finding(CONVERGED, "info", "convergence", seen, threshold=evidence, source=source)


LOWERED, RAISED, LEAST = "stability_control.lowered", "stability_control.raised", "stability_control.least"
STEADY_ADVICE = "a lower rate from the start, a larger batch, more validation data; for flips, the best threshold."


def _values(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)


def lowered(
    what: str, before: Sequence[float], after: Sequence[float], reasons: Sequence[str], source: str, since: int
) -> Finding:
    """A control of the stability has turned something down.

    Args:
        what: The learning rate, or a clip.
        before: As it was: one value, or one an optimizer.
        after: As it is.
        reasons: What left its band, in words with numbers, one at least.
        source: Where the bands come from.
        since: How many epochs it will look on.
    """
    seen = (
        f"StabilityControl: {what} {_values(before)} → {_values(after)}, since {' and '.join(reasons)}. It looks on "
        f"for {since} epochs."
    )
    return Finding(LOWERED, "info", "stability", seen, threshold="; ".join(reasons), source=source)


def raised(what: str, before: Sequence[float], after: Sequence[float], calm: int) -> Finding:
    """A control of the stability has turned something up again.

    Args:
        what: The learning rate, or a clip.
        before: As it was.
        after: As it is, at most what it was before it was ever lowered.
        calm: For how many epochs all was calm.
    """
    seen = f"StabilityControl: {what} {_values(before)} → {_values(after)}, after {calm} calm epochs."
    return Finding(RAISED, "info", "stability", seen, source="`raise_after` of the control")


def at_its_least(what: str, values: Sequence[float], reasons: Sequence[str]) -> Finding:
    """A control of the stability can't turn it down further.

    Args:
        what: The learning rate, or a clip.
        values: As it is.
        reasons: What left its band.
    """
    seen = (
        f"StabilityControl: {' and '.join(reasons)}; but {what} {_values(values)} is the least that is allowed. It "
        "does no more, and this is said once."
    )
    return Finding(LEAST, "watch", "stability", seen, advice=STEADY_ADVICE)


ROLLED_BACK, GAVE_UP = "rollback.back", "rollback.gave_up"
_HAMPEL = "median and MAD (Hampel 1974); how many deviations: rule of thumb"


def diverged(why: str, level: float, limit: float) -> str:
    """Why an epoch counts as diverged, with its numbers, as a part of a sentence.

    Args:
        why: What was seen of loss or weights.
        level: What the loss had come down to; NaN where not known.
        limit: From where on it has diverged; infinite where not known.
    """
    past = f" (its level {level:.4g}, limit {limit:.4g})" if limit < float("inf") else ""
    return f"{why}{past}"


def _of(epoch: int | None) -> str:
    return "the beginning" if epoch is None or epoch < 0 else f"the end of epoch {epoch + 1}"


def rolled_back(
    why: str, back_to: int | None, before: Sequence[float], after: Sequence[float], count: int, most: int
) -> Finding:
    """A training has gone back to an earlier state.

    Args:
        why: From `diverged`.
        back_to: The epoch whose end it has gone back to, from 0; negative for the beginning of the training.
        before: The rates with which it diverged; empty where they are a schedule's.
        after: The rates with which it goes on.
        count: How often it has gone back.
        most: How often it may.
    """
    rate = f", learning rate {_values(before)} → {_values(after)}" if before != after else ", at the same rate"
    seen = f"DivergenceRollback: {why}. Back to {_of(back_to)}{rate}; {count} of at most {most}."
    return Finding(ROLLED_BACK, "watch", "divergence", seen, source=_HAMPEL)


def gave_up(why: str, reason: str, back_to: int | None, rates: Sequence[Sequence[float]]) -> Finding:
    """A rollback that has stopped the training.

    Args:
        why: From `diverged`.
        reason: Why it does not go on.
        back_to: The epoch whose state the model has now, from 0; negative for the beginning; None where there is none.
        rates: Those that diverged, oldest first.
    """
    times = f" Diverged at learning rates {', '.join(map(_values, rates))}." if any(map(len, rates)) else ""
    state = f"The model is as at {_of(back_to)}" if back_to is not None else "There was no earlier state to go back to"
    advice = (
        "a look at the data (NaN, labels that are no masks, unscaled images), a loss of logits in float32, "
        "normalisation, clipping, a warm-up."
    )
    seen = f"DivergenceRollback: {why}. Training stopped: {reason}.{times} {state}."
    return Finding(GAVE_UP, "ill", "divergence", seen, source=_HAMPEL, advice=advice)
