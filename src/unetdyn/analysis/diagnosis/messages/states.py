"""What is told of callbacks whose state a resumed training can't bring back."""

from collections.abc import Sequence

from unetdyn.analysis.diagnosis.finding import Finding

_NAME = "resuming"


def callback_without_state(who: str, attributes: Sequence[str]) -> Finding:
    """A callback keeps something that nobody can ask it for.

    Args:
        who: Its class.
        attributes: What it keeps, as far as that is known.
    """
    kept = f" in {', '.join(attributes)}" if attributes else ""
    return Finding(
        "resume.callback_without_state",
        "watch",
        _NAME,
        f"{who} has no `get_state` and `set_state`: after a resumption, what it keeps{kept} begins anew.",
        advice=f"give {who} a method `get_state()`, which returns a dictionary of numbers, texts, lists and arrays, "
        "and `set_state(state)`, which takes it back.",
    )


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
