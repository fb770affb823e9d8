"""What the monitors of a probe set tell where they have nothing to look at."""

from unetdyn.analysis.diagnosis.finding import Finding

_NAME = "probe set"
_ADVICE = "pass `probe=(images, masks)`, a few images that stay the same, to the monitor."


def no_probe(monitor: str, reason: str) -> Finding:
    """No probe images could be taken.

    Args:
        monitor: Who would look at them.
        reason: Why there are none, as the rest of a sentence.
    """
    seen = f"{monitor} has no probe images: {reason}."
    return Finding("probe.missing", "unknown", _NAME, seen, advice=_ADVICE)


def not_measured(monitor: str, what: str, reason: str) -> Finding:
    """Something can't be measured of this model.

    Args:
        monitor: Who would measure it.
        what: What is NaN.
        reason: Why, as the rest of a sentence.
    """
    return Finding("probe.not_applicable", "unknown", _NAME, f"{monitor} records no {what}: {reason}.")
