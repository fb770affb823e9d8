"""What the monitors of a run said, each kind of trouble once."""

import re
from typing import Any

from unetdyn.runs import Run

KINDS = ("monitor", "warning", "failed", "interrupted")
_WORDS = 4  # the first words of a message say what kind it is
_GOOD_NEWS = re.compile(r"\b(Excellent|Good) \(")  # a class of stability as its message writes it, with its bounds


def findings_of(run: Run) -> list[str]:
    """A sentence for each kind of message in the run's events: the latest of its kind, and how often it came.

    A monitor says when trouble begins or changes and not when it ends: each sentence says of which epoch it is, and how
    many there were. Where the latest is that the loss became Excellent or Good there is nothing to find.

    Args:
        run: From `unetdyn.runs.open`.

    Returns:
        Sentences, in the order in which their kinds came first.

    Example:
        >>> import tempfile, unetdyn.runs
        >>> writer = unetdyn.runs.RunWriter(tempfile.mkdtemp())
        >>> for epoch in range(10):
        ...     writer.log_epoch(epoch, {"loss": 0.5})
        >>> for epoch in (3, 7):
        ...     writer.event("monitor", f"Updates too large: in enc{epoch}.", monitor="update", epoch=epoch)
        >>> findings_of(unetdyn.runs.open(writer.path))
        ['Updates too large: in enc7. (Last said at epoch 8 of 10; 2 times since epoch 4.)']
    """
    kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in run.events:
        if event.get("kind") in KINDS:
            words = str(event.get("message", "")).split(":")[0].split()[:_WORDS]
            kinds.setdefault((str(event.get("monitor", "")), " ".join(words)), []).append(event)
    return [_sentence(events, len(run.epochs)) for events in kinds.values() if not _is_good_news(events[-1])]


def _is_good_news(event: dict[str, Any]) -> bool:
    return event.get("kind") == "monitor" and bool(_GOOD_NEWS.search(str(event.get("message", ""))))


def _sentence(events: list[dict[str, Any]], epochs: int) -> str:
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
