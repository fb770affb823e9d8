"""What the monitors of a run said, each kind of trouble once."""

from typing import Any

from unetdyn.runs import Run

KINDS = ("monitor", "warning", "failed", "interrupted")
_WORDS = 4  # the first words of a message say what kind it is


def findings_of(run: Run) -> list[str]:
    """A sentence for each kind of message in the run's events: the latest of its kind, and how often it came.

    A monitor that reports each change says the same many times; the latest holds for the end of the training.

    Args:
        run: From `unetdyn.runs.open`.

    Returns:
        Sentences, in the order in which their kinds came first.

    Example:
        >>> import tempfile, unetdyn.runs
        >>> writer = unetdyn.runs.RunWriter(tempfile.mkdtemp())
        >>> for epoch in (3, 7):
        ...     writer.event("monitor", f"Updates too large: in enc{epoch}.", monitor="update", epoch=epoch)
        >>> findings_of(unetdyn.runs.open(writer.path))
        ['Epoch 8: Updates too large: in enc7. (Said 2 times, first after epoch 4.)']
    """
    kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for event in run.events:
        if event.get("kind") in KINDS:
            words = str(event.get("message", "")).split(":")[0].split()[:_WORDS]
            kinds.setdefault((str(event.get("monitor", "")), " ".join(words)), []).append(event)
    return [_sentence(events) for events in kinds.values()]


def _sentence(events: list[dict[str, Any]]) -> str:
    first, last = events[0], events[-1]
    where = f"Epoch {last['epoch'] + 1}: " if isinstance(last.get("epoch"), int) else ""
    again = ""
    if len(events) > 1 and isinstance(first.get("epoch"), int):
        again = f" (Said {len(events)} times, first after epoch {first['epoch'] + 1}.)"
    return f"{where}{last.get('message', '')}{again}"
