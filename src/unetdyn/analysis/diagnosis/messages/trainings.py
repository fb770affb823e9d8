"""What every monitor tells where it takes a `fit` for another training than the one before."""

from collections.abc import Sequence

from unetdyn.analysis.diagnosis.finding import Finding

_NAME = "training"


def begins_anew(who: str, epochs: int, reason: str) -> Finding:
    """An earlier training's record gives way to that of a new one.

    Args:
        who: The class of the monitor.
        epochs: How many epochs the record had.
        reason: By what it is another training.
    """
    seen = (
        f"{who} begins anew, and the record of {epochs} epoch{'s' if epochs != 1 else ''} is gone: {reason}. For "
        f"another training make a new {who}, which keeps both; if this is the same one, pass `initial_epoch={epochs}`."
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


def nan_is_best(who: str, keeper: str, key: str) -> Finding:
    """A callback that keeps the best so far will keep the first epoch's NaN.

    Args:
        who: The class of the monitor.
        keeper: The class of the other callback.
        key: In the logs.
    """
    seen = (
        f"{who}: {keeper}(monitor={key!r}) takes the first value for the best, which is NaN until {key} is defined, "
        f"and finds nothing better for ever. Leave `undefined='absent'` to {who}"
        + (", or pass `start_from_epoch` to EarlyStopping." if keeper == "EarlyStopping" else ".")
    )
    return Finding("training.nan_is_best", "watch", _NAME, seen)


def column_is_missing(who: str, keys: Sequence[str], can_be_nan: bool) -> Finding:
    """`CSVLogger` will leave out what is not defined in the first epoch.

    Args:
        who: The class of the monitor.
        keys: What is not defined yet.
        can_be_nan: Whether the monitor can be told to log NaN.
    """
    seen = (
        f"{who}: CSVLogger takes its columns from the first epoch, in which {', '.join(keys)} "
        f"{'is' if len(keys) == 1 else 'are'} not defined yet, and leaves them out of all others. RunRecorder has them"
        + (f"; so has CSVLogger with `undefined='nan'` to {who}." if can_be_nan else ".")
    )
    return Finding("training.column_missing", "info", _NAME, seen)
