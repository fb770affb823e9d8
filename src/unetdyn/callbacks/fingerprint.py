"""What a training is made of, so that a state is not brought back into another one: compared part by part, by name."""

import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import numpy as np

from unetdyn.callbacks.setup import loss_of

_LOOKED_AT = 16  # samples of a data set, spread evenly: enough to tell another one, and read in milliseconds
_NAMES = ("name", "layers", "input_layers", "output_layers")  # Keras numbers names by what else a process has made

Fingerprint = dict[str, Any]


def fingerprint(model: keras.Model) -> Fingerprint:
    """Model, optimizer and loss as a tree of plain values.

    Args:
        model: Built and compiled.
    """
    return {
        "backend": keras.backend.backend(),
        "model": {"layers": list(map(_made_of, model._flatten_layers(include_self=False))), "weights": _weights(model)},
        "optimizer": _made_of(model.optimizer),
        "loss": loss_of(model),
        "steps_per_execution": model.steps_per_execution,
    }


def difference(before: Any, now: Any, where: str = "") -> str | None:
    """The first place at which two fingerprints differ, with both values; None where they are equal.

    Example:
        >>> difference({"optimizer": {"beta_1": 0.9}}, {"optimizer": {"beta_1": 0.8}})
        'optimizer.beta_1 was 0.9 and is 0.8'
    """
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in [*before, *(key for key in now if key not in before)]:
            path = f"{where}.{key}" if where else str(key)
            if key not in before or key not in now:
                return f"{path} was {before.get(key, 'not there')} and is {now.get(key, 'not there')}"
            if (found := difference(before[key], now[key], path)) is not None:
                return found
        return None
    if isinstance(before, list | tuple) and isinstance(now, list | tuple) and len(before) == len(now):
        each = (
            difference(old, new, f"{where}.{place}") for place, (old, new) in enumerate(zip(before, now, strict=True))
        )
        return next(filter(None, each), None)
    if isinstance(before, list | tuple) and isinstance(now, list | tuple) and max(len(before), len(now)) > 8:
        return f"{where} had {len(before)} entries and has {len(now)}"
    same = before == now or (before != before and now != now)
    return None if same else f"{where} was {before} and is {now}"


def _made_of(part: Any) -> Fingerprint:
    """The class, and what of its configuration is plain."""
    try:
        config = part.get_config()
    except Exception:  # whatever a class of the user's own raises
        config = {}
    return {"class": type(part).__name__, **dict(_plain(config))}


def _plain(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in config.items():
        if key in _NAMES:
            continue
        if isinstance(value, Mapping) and {"class_name", "config"} <= value.keys():
            inside = value["config"] if isinstance(value["config"], Mapping) else {}
            yield key, {"class": value["class_name"], **dict(_plain(inside))}
        elif isinstance(value, str | int | float | bool | None):
            yield key, value
        elif isinstance(value, list | tuple) and all(isinstance(each, str | int | float | None) for each in value):
            yield key, list(value)


def _weights(model: keras.Model) -> list[Any]:
    return [[variable.name, list(variable.shape), str(variable.dtype)] for variable in model.variables]


def data_fingerprint(adapter: Any) -> Fingerprint:
    """Data as a tree of plain values.

    Args:
        adapter: Keras' adapter of it, from `fit_call.data_adapter`; None where it is not known.
    """
    if adapter is None:
        return {}
    found: Fingerprint = {"kind": type(adapter).__name__, "batches": adapter.num_batches}
    dataset, arrays = getattr(adapter, "py_dataset", None), getattr(adapter, "_inputs", None)
    if dataset is not None:
        return _of_dataset(dataset, adapter)
    if arrays is not None:
        flat = {str(place): array for place, array in enumerate(keras.tree.flatten(arrays))}
        return found | {"batch_size": adapter._batch_size, "shuffle": adapter._shuffle, **_sampled(flat)}
    return found


def _of_dataset(dataset: Any, adapter: Any) -> Fingerprint:
    from unetdyn.data import TileDataset

    if not isinstance(dataset, TileDataset):
        return {"kind": type(dataset).__name__, "batches": adapter.num_batches}
    made = {name: getattr(dataset, name) for name in ("batch_size", "classes", "shuffle", "seed", "drop_last")}
    made["augmentation"] = getattr(dataset.augmentation, "settings", None)
    parts = {"images": dataset.images, "masks": dataset.masks, "weights": dataset.weights}
    return {"kind": "TileDataset", **made, **_sampled(parts)}


def _sampled(parts: Mapping[str, Any]) -> Fingerprint:
    return {name: _sample(array) for name, array in parts.items() if array is not None}


def _sample(array: Any) -> Fingerprint:
    """Its shape, its type, and a checksum of some of its samples."""
    count = len(array)
    places = sorted({round(place) for place in np.linspace(0, count - 1, min(count, _LOOKED_AT))})
    checksum = 0
    for place in places:
        checksum = zlib.crc32(np.ascontiguousarray(keras.ops.convert_to_numpy(array[place])).tobytes(), checksum)
    return {"shape": list(array.shape), "type": str(array.dtype), "checksum": checksum}
