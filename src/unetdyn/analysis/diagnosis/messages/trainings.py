"""What every monitor tells where it takes a `fit` for another training than the one before."""

from unetdyn.analysis.diagnosis.finding import Finding

_NAME = "training"


def begins_anew(who: str, epochs: int) -> Finding:
    """An earlier training's record gives way to that of a new one.

    Args:
        who: The class of the monitor.
        epochs: How many epochs the record had.
    """
    seen = (
        f"{who} begins anew, and the record of the {epochs} epoch{'s' if epochs != 1 else ''} before is gone: this is "
        "another model, one that was compiled anew, or one with its first weights. For another training, make a new "
        f"{who}; if this one goes on, pass `initial_epoch={epochs}` to `fit`."
    )
    return Finding("training.anew", "info", _NAME, seen)


def new_in_each_fit(who: str) -> Finding:
    """A loop makes a new monitor for each `fit` of one training.

    Args:
        who: The class of the monitor.
    """
    seen = (
        f"{who}: this is a new one for each `fit` of one model, and each knows its own `fit` only. In a loop of `fit`, "
        "pass the same object to all."
    )
    return Finding("training.new_monitors", "watch", _NAME, seen)
