"""What the events of a run say, each kind of trouble once."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from unetdyn.analysis.diagnosis.causes import exploding, nonfinite, updates, vanishing
from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import LEVELS, Finding
from unetdyn.analysis.diagnosis.messages import clipping, guard, noise_scale
from unetdyn.analysis.diagnosis.messages.gradient import SPIKES
from unetdyn.analysis.diagnosis.messages.stability import code_of
from unetdyn.analysis.diagnosis.symptoms import stability

Event = Mapping[str, Any]

KINDS = ("monitor", "warning", "failed", "interrupted")

# How the sentences of our monitors began in runs that were recorded before events had a code.
_OLD = {
    r"Non-finite gradients at .* All these updates were skipped": nonfinite.SKIPPED.code,
    r"Non-finite gradients at ": nonfinite.LIMIT.code,
    r"Exploding gradients: the norm was above ": exploding.LIMIT.code,
    r"Vanishing gradients: the median norm ": vanishing.LIMIT.code,
    r"Gradient spikes: at \d+ of ": SPIKES,
    r"Updates too large: the median ": updates.LARGE.code,
    r"Updates too small: the median ": updates.SMALL.code,
    r"The gradient noise scale is ": noise_scale.ESTIMATE,
    r"NonFiniteGuard: training stopped ": guard.STOPPED,
    r"NonFiniteGuard: \d+ of \d+ updates skipped ": guard.SKIPPED,
    r"AutoClip: \d+ of \d+ steps clipped": clipping.AUTO_CLIP,
    r"AdaptiveGradientClipping: .* of the units clipped": clipping.UNITS,
}
_OLD_STABILITY = re.compile(
    rf"(.+?): σ (?:\S+ over the last \d+ epochs: |not finite: .*, so )({'|'.join(stability.LEVEL_OF)})\b"
)
_WORDS = 4  # the first words of any other message say what kind it is


def findings_of_events(evidence: Evidence) -> list[Finding]:
    """A finding for each kind of message in a run's events: the latest of its kind, and how often it came.

    Messages of one monitor with one code are of one kind. Those without a code, of a user's own monitor or in a run of
    an older version, are told apart by their first words. A monitor says when trouble begins or changes and not when it
    ends: each finding says of which epoch it is, and how many there were. If the
    latest message on a value's stability says Excellent or Good, there is no finding.

    Args:
        evidence: From `Evidence.read`.

    Returns:
        Findings, in the order in which their kinds came first; `name` is the monitor's.

    Example:
        >>> said = [
        ...     {"kind": "monitor", "monitor": "update", "code": "update.large", "level": "watch", "epoch": epoch,
        ...      "message": f"Updates too large: in enc{epoch}."} for epoch in (3, 7)
        ... ]
        >>> from unetdyn.analysis import Curves
        >>> [found.sentence for found in findings_of_events(Evidence(Curves({}), epochs=10, events=said))]
        ['Updates too large: in enc7. (Last said at epoch 8 of 10; 2 times since epoch 4.)']
    """
    kinds: dict[tuple[str, str], list[Event]] = {}
    for event in evidence.events:
        if event.get("kind") in KINDS:
            kinds.setdefault((str(event.get("monitor", "")), _code(event) or _first_words(event)), []).append(event)
    return [_finding(events, evidence.epochs) for events in kinds.values() if not _is_good_news(events[-1])]


def _finding(events: Sequence[Event], epochs: int) -> Finding:
    last = events[-1]
    return Finding(_code(last), _level(last), str(last.get("monitor", "")), _seen(events, epochs))


def _code(event: Event) -> str:
    """What kind of message it is, by the event itself or by what our monitors used to say; empty where unknown."""
    if event.get("code"):
        return str(event["code"])
    if scatter := _old_stability(event):
        return code_of(scatter[1])
    message = str(event.get("message", "")) if event.get("kind") == "monitor" else ""
    return next((code for beginning, code in _OLD.items() if re.match(beginning, message)), "")


def _level(event: Event) -> str:
    if scatter := _old_stability(event):
        return stability.LEVEL_OF[scatter[2]]
    level = str(event.get("level", ""))
    return level if level in LEVELS else "unknown"


def _old_stability(event: Event) -> re.Match[str] | None:
    """What a `StabilityMonitor` said, by the form of its message: it may have had any name."""
    is_old = event.get("kind") == "monitor" and not event.get("code")
    return _OLD_STABILITY.match(str(event.get("message", ""))) if is_old else None


def _is_good_news(event: Event) -> bool:
    return _level(event) == "good" and _code(event).split(".")[0] == stability.LIMIT.code


def _first_words(event: Event) -> str:
    return " ".join(str(event.get("message", "")).split(":")[0].split()[:_WORDS])


def _seen(events: Sequence[Event], epochs: int) -> str:
    first, last = events[0], events[-1]
    message = str(last.get("message", ""))
    if not isinstance(last.get("epoch"), int):
        return message
    again = ""
    if len(events) > 1:
        since = f" since epoch {first['epoch'] + 1}" if isinstance(first.get("epoch"), int) else ""
        again = f"; {len(events)} times{since}"
    # A monitor may have spoken in an epoch that was never finished.
    return f"{message} (Last said at epoch {last['epoch'] + 1} of {max(epochs, last['epoch'] + 1)}{again}.)"
