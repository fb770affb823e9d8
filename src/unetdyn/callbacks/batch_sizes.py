"""How many images there are in a step, which Keras tells to no callback: counted, told by a monitor, or concluded."""

import math
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from unetdyn.analysis.gradient_noise import Array


def samples_counted(model: keras.Model) -> float | None:
    """How many samples the running mean of the loss stands for: Keras weights each batch with its size."""
    count = getattr(getattr(model, "_loss_tracker", None), "count", None)
    return None if count is None else float(keras.ops.convert_to_numpy(count))


def batch_size_from(samples: float | None, steps: int) -> int | None:
    """The batch size of an epoch, from the number of samples in it; only its last batch may be smaller.

    Exact if the batches are equal, or if there are more batches than samples in one. Else it may be too small, by a
    fraction of 1/(steps − 1) at most.

    Args:
        samples: Seen in the epoch; None where nobody counted.
        steps: Batches in the epoch.

    Returns:
        None where there is no such size, and where samples and steps are equal in number: a `train_step` that counts
        each batch once looks like that.

    Example:
        >>> batch_size_from(100, 7), batch_size_from(7, 7)
        (15, None)
    """
    if not samples or samples <= steps:
        return None
    size = math.ceil(samples / steps)
    return size if samples > size * (steps - 1) else None


def batch_sizes(size: int | None, steps: int, samples: float | None) -> Array:
    """The size of each batch of an epoch, NaN where unknown: for the last one where it may be smaller.

    Example:
        >>> batch_sizes(4, 3, samples=12), batch_sizes(4, 3, samples=10)
        (array([4., 4., 4.]), array([ 4.,  4., nan]))
    """
    sizes = np.full(steps, math.nan if size is None else float(size))
    if size is not None and steps and samples != size * steps:
        sizes[-1] = math.nan
    return sizes


def batch_size_of(
    model: keras.Model, monitors: Iterable[Any] = (), samples: float | None = None, steps: int | None = None
) -> int | None:
    """How many images there are in a step, as far as that is known.

    Args:
        model: In its `fit`.
        monitors: Of the same `fit`; one that has counted, or was told, is believed.
        samples: How many the model's loss has counted in the epoch; `samples_counted`.
        steps: How many steps the epoch had.

    Returns:
        None where nobody tells. Without a monitor: the batch size of the validation, which `fit` takes from the same
        argument, where the number of samples agrees; else what follows from that number, where it is exact.
    """
    try:
        return _batch_size(model, monitors, samples, steps)
    except Exception:  # whatever a user's own monitor has in its record, the training goes on
        return None


def _batch_size(model: keras.Model, monitors: Iterable[Any], samples: float | None, steps: int | None) -> int | None:
    for monitor in monitors:
        record = monitor.record
        if {"images", "batch_size"} <= record.keys() and len(record["batch_size"]):
            return int(record["batch_size"][0])
    told = next((each.batch_size for each in monitors if isinstance(getattr(each, "batch_size", None), int)), None)
    if told is not None or not samples or not steps:
        return told
    size = getattr(getattr(getattr(model, "_eval_epoch_iterator", None), "data_adapter", None), "batch_size", None)
    if isinstance(size, int) and size * (steps - 1) < samples <= size * steps:
        return size
    counted = batch_size_from(samples, steps)
    return counted if counted is not None and (counted < steps or counted * steps == samples) else None
