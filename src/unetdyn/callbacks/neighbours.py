"""The other callbacks of the same `fit`, which Keras does not tell to any of them."""

from collections.abc import Iterator, Sequence

import keras

from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.messages import trainings as messages
from unetdyn.callbacks.fit_call import callback_list


def callbacks_of_fit() -> list[keras.callbacks.Callback]:
    """All callbacks of the `fit` in one of whose hooks this is called, in their order, without members of a `Watch`.

    Keras holds them in a `CallbackList`, which is found on the stack, and not where the hook is called by hand.
    """
    found = callback_list()
    return [] if found is None else list(found.callbacks)


def concerns(who: str, undefined: Sequence[str], logged: bool, can_be_nan: bool) -> Iterator[Finding]:
    """What other callbacks can't do with values that are not defined in the first epoch.

    Args:
        who: The class of the monitor.
        undefined: Their keys.
        logged: Whether they are in `logs` all the same, as NaN.
        can_be_nan: Whether the monitor can be told that they are.
    """
    for each in callbacks_of_fit():
        if logged and _keeps_first(each, undefined):
            yield messages.nan_is_best(who, type(each).__name__, each.monitor)
        if not logged and isinstance(each, keras.callbacks.CSVLogger):
            yield messages.column_is_missing(who, undefined, can_be_nan)


def _keeps_first(callback: keras.callbacks.Callback, keys: Sequence[str]) -> bool:
    """Whether it takes the first value of one of these for the best."""
    if not hasattr(callback, "monitor_op") or callback.monitor not in keys:
        return False
    if isinstance(callback, keras.callbacks.ModelCheckpoint):
        return callback.save_best_only and callback.best is None
    return not getattr(callback, "start_from_epoch", 0)
