"""The lists of a Keras History, and the epochs that their values belong to."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unetdyn._checks import check_count
from unetdyn.analysis.metric_names import is_metric
from unetdyn.analysis.series import last_training, whole_epochs

Frequency = int | Sequence[int]


def read_logs(
    logs: Mapping[str, Any], epoch: Sequence[int] | None = None, validation_freq: Frequency | None = None
) -> dict[str, tuple[NDArray[Any], NDArray[Any]]]:
    """Name → (epochs, values) of the last training in a History's lists.

    Args:
        logs: Name → one number an epoch; a list `epoch` tells the epochs.
        epoch: The epochs, from 0; None (default) takes `epoch` of the logs, or else 0, 1, 2 …
        validation_freq: Of `fit`; None (default) infers it, see `validation_frequency`.

    Raises:
        ValueError: If a value is no number, or the validations don't fit the epochs.

    Example:
        >>> read_logs({"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [3.0, 1.0]})["val_loss"]
        (array([1, 3]), array([3., 1.]))
    """
    columns = _columns(logs)
    count = max((len(values) for values in columns.values()), default=0)
    epoch = logs.get("epoch") if epoch is None else epoch
    epochs = whole_epochs(range(count) if epoch is None or len(epoch) < count else epoch)[-count or None :]
    validations = {name: len(values) for name, values in columns.items() if name.startswith("val_") and is_metric(name)}
    validations |= {"val_loss": len(columns["val_loss"])} if "val_loss" in columns else {}
    frequency = validation_frequency(epochs, validations) if validation_freq is None else _checked(validation_freq)
    validated = np.flatnonzero(_validated(epochs, frequency))
    kept = last_training(epochs, "history")
    curves = {}
    for name, values in columns.items():
        rows = validated if name.startswith("val_") else np.arange(count)
        if len(values) > len(rows) or (name in validations and len(values) != len(rows)):
            raise ValueError(
                f"`validation_freq` must be what was passed to `fit`. Received: validation_freq={frequency}, which "
                f"makes {len(rows)} validations in {count} epochs, but {name} has {len(values)} values."
            )
        # A key that callbacks add late, such as `stability`, has values for the last epochs only.
        rows = rows[len(rows) - len(values) :]
        logged = kept[rows] & np.array([value is not None for value in logs[name]], dtype=bool)
        if logged.any():
            curves[name] = (epochs[rows[logged]], values[logged])
    return curves


def validation_frequency(epochs: NDArray[np.int64], validations: Mapping[str, int]) -> int:
    """The `validation_freq` that makes so many validations in so many epochs.

    Args:
        epochs: `(n,)`, from 0.
        validations: Name → how many values were logged, which must be the same of all.

    Raises:
        ValueError: If no whole number does, or more than one; the message says how to give it.

    Example:
        >>> validation_frequency(np.arange(10), {"val_loss": 3, "val_jaccard": 3})
        3
    """
    counts = set(validations.values())
    if counts <= {len(epochs)}:
        return 1
    candidates = np.arange(1, int(epochs[-1]) + 2)
    made = (epochs[-1] + 1) // candidates - epochs[0] // candidates  # multiples of each from the first to the last
    fits = candidates[made == min(counts)] if len(counts) == 1 else []
    if len(fits) == 1:
        return int(fits[0])
    found = ", ".join(f"{name} {number}" for name, number in list(validations.items())[:4])
    some = ", ".join(map(str, fits[:4])) + (" ..." if len(fits) > 4 else "")
    possible = f"each of {some} would fit" if some else "no single one fits"
    raise ValueError(
        f"`history` does not say in which of its {len(epochs)} epochs validation took place (values: {found}; "
        f"as `validation_freq`, {possible}): pass `read_history(history, validation_freq=...)` with what was passed "
        "to `fit`, or a CSVLogger file, which holds the epoch of each value."
    )


def _columns(logs: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    found = {name: _numbers(name, values) for name, values in logs.items() if name != "epoch"}
    columns = {name: values for name, values in found.items() if values is not None}
    if found and not columns:
        name = next(iter(found))
        raise ValueError(_no_numbers(name, logs[name]))
    return columns


def _numbers(name: str, values: Any) -> NDArray[np.float64] | None:
    """One number an epoch; None where no epoch has a single one: a metric of several classes, or words."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        array = None
    if array is not None and array.ndim == 1:
        return array
    entries = values if isinstance(values, Iterable) else [values]
    if any(isinstance(entry, int | float | np.number) for entry in entries):
        raise ValueError(_no_numbers(name, values))
    return None


def _no_numbers(name: str, values: Any) -> str:
    return f"`history` must hold one number an epoch under each name. Received: {name!r}: {str(values)[:80]}."


def _checked(frequency: Frequency) -> Frequency:
    """Refuse what `fit` would not take as `validation_freq`."""
    if isinstance(frequency, str) or not isinstance(frequency, Sequence | np.ndarray):
        check_count("validation_freq", frequency, 1)
        return int(frequency)
    for epoch in frequency:
        check_count("validation_freq", epoch, 1)
    return list(map(int, frequency))


def _validated(epochs: NDArray[np.int64], frequency: Frequency) -> NDArray[np.bool_]:
    """Keras' own rule, for epochs that count from 0."""
    return (epochs + 1) % frequency == 0 if isinstance(frequency, int) else np.isin(epochs + 1, list(frequency))
