"""A model as Keras saves it, copied to the host in a moment, and written later, while the training goes on."""

import json
import shutil
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

# What walks through a model, and tells where in the file each of its parts is, has no public name.
from keras.src.backend.common import global_state
from keras.src.saving import saving_lib

from unetdyn.callbacks.unfailing_file import UnfailingFile
from unetdyn.dynamics.backend import backend
from unetdyn.dynamics.optimizers import has_loss_scale

CHUNK = 2**22  # bytes between two files: zipfile's own 8 KiB would keep other threads waiting 16,000 times


@dataclass(frozen=True)
class Same:
    """An array of which all elements are the same."""

    shape: tuple[int, ...]
    value: np.generic


@dataclass
class Entry:
    """What a layer or an optimizer saves of itself: its name, and its arrays by their names."""

    metadata: dict[str, str]
    values: dict[str, Any] = field(default_factory=dict)


Entries = dict[str, Entry]
"""By the place in the file."""


class ModelCopy:
    """What `model.save` would write now. A later step changes nothing of it, and any thread may write it.

    Made in the training's thread: it waits for the device, and asks each layer what it saves. `write` touches neither
    the model nor the backend. In memory are the arrays of the file, once.

    Args:
        model: Built.
        fresh: In place of the optimizer's state, the one that it has when it is built; None for the state itself.

    Raises:
        Exception: Of any kind, where a copy can't be had, as of layers that write files of their own (`save_assets`):
            then there is `model.save`.

    Example:
        >>> import tempfile
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> copied, file = ModelCopy(model), Path(tempfile.mkdtemp()) / "model.keras"
        >>> weights = model.get_weights()
        >>> model.layers[0].kernel.assign(np.zeros((2, 1))) is None
        False
        >>> copied.write(file)
        >>> bool((keras.saving.load_model(file).get_weights()[0] == weights[0]).all())
        True
    """

    def __init__(self, model: keras.Model, fresh: "FreshState | None" = None) -> None:
        backend.give_values_back(model)
        optimizer = getattr(model, "optimizer", None)
        skipped = [optimizer] if fresh is not None and optimizer is not None else []
        self._entries = _entries(model, skipped=skipped)
        if skipped:
            assert fresh is not None
            self._entries |= fresh.entries(optimizer, model.trainable_variables)
        self._config, self._metadata = _described(model)

    def write(self, path: Path) -> None:
        """Write the file, and beside it, for as long as that takes, one of the weights.

        Args:
            path: A name in `.keras`.
        """
        weights = path.with_name(f"{path.name}.h5")
        try:
            _write_weights(weights, self._entries)
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("metadata.json", self._metadata)
                archive.writestr("config.json", self._config)
                with weights.open("rb") as source, archive.open("model.weights.h5", "w", force_zip64=True) as target:
                    shutil.copyfileobj(source, target, CHUNK)
        finally:
            weights.unlink(missing_ok=True)


class FreshState:
    """What the variables of an optimizer are when it is built: what a file holds that has no state of it.

    Keras warns of an optimizer without variables in its file, each time that it is opened. So they are there, as after
    `compile`, with the learning rate of the moment: counters 0, slots 0 or what that optimizer begins with. HDF5 keeps
    no space for an array of one value. A fresh one is built once for each optimizer, on the host.
    """

    def __init__(self) -> None:
        self._of: Any = None
        self._entries: Entries = {}
        self._order: list[str] = []

    def entries(self, optimizer: keras.Optimizer, variables: Iterable[keras.Variable]) -> Entries:
        """Those of the optimizer, at their place in the model's file.

        Args:
            optimizer: Of the model.
            variables: What it trains.
        """
        with keras.device("cpu:0"):
            fresh = type(optimizer).from_config(optimizer.get_config())
            if self._of is not optimizer:
                fresh.build(list(variables))
            entries = _entries(fresh, "optimizer")
        order = [variable.path for variable in fresh.variables]
        if self._of is not optimizer:
            self._of, self._entries, self._order = optimizer, {}, order
        for place, entry in entries.items():  # that of one that isn't built has the counter and the learning rate
            kept = self._entries.setdefault(place, Entry(entry.metadata))
            for name, value in entry.values.items():
                if place == "optimizer" and name.isdigit():  # a loss scale has other places before it is built
                    name = str(self._order.index(order[int(name)]))
                kept.values[name] = _shortened(value)
        return {place: Entry(kept.metadata, dict(kept.values)) for place, kept in self._entries.items()}


class _Collected(saving_lib.H5IOStore):
    """Keeps what Keras would write: it accepts a subclass of its own only."""

    def __init__(self) -> None:
        self.entries: Entries = {}

    def __bool__(self) -> bool:
        return True

    def make(self, path: str, metadata: dict[str, str] | None = None) -> dict[str, Any]:
        self.entries[path] = Entry(metadata or {})
        return self.entries[path].values


class _NoFiles(saving_lib.DiskIOStore):
    """Asked by what writes files of its own."""

    def __init__(self) -> None:
        pass

    def __bool__(self) -> bool:
        return True

    def make(self, path: str) -> str:
        raise TypeError(f"{path or 'the model'} writes files of its own")


def _entries(part: Any, place: str = "", skipped: Iterable[Any] = ()) -> Entries:
    """What a model or an optimizer, and all that is in it, saves; as arrays that are nobody else's."""
    store = _Collected()
    saving_lib._save_state(part, store, _NoFiles(), place, {id(each) for each in skipped})
    _remember_passed_over()
    places = [(entry.values, name) for entry in store.entries.values() for name in entry.values]
    for (values, name), array in zip(places, backend.to_host([v[n] for v, n in places]), strict=True):
        values[name] = array
    return store.entries


def _remember_passed_over() -> None:
    """Have Keras find the attributes that it passes over, which it looks for under another name than it keeps them by.

    Else it makes a new layer for each layer of the model, to see what any layer has: two thirds of the time.
    """
    for kind in ("Layer", "Functional", "Sequential", "Metric", "Optimizer", "Loss", "Operation"):
        if (known := global_state.get_global_attribute(f"saving_attr_skipset_{kind}")) is not None:
            global_state.set_global_attribute(f"saving_attr_skiplist_{kind}", known)


def _described(model: keras.Model) -> tuple[str, str]:
    """The configuration and the version, in JSON.

    Whether `compile` scales the loss depends on the precision that is set when the file is opened, and so does what it
    expects of the optimizer. So the file says the optimizer as it is, with its loss scale.
    """
    config, metadata = saving_lib._serialize_model_as_json(model)
    if has_loss_scale(getattr(model, "optimizer", None)):
        described = json.loads(config)
        if "optimizer" in (described.get("compile_config") or {}):
            described["compile_config"]["optimizer"] = keras.saving.serialize_keras_object(model.optimizer)
            config = json.dumps(described)
    return config, metadata


def _shortened(array: np.ndarray) -> Any:
    """A large array of one value as that."""
    if array.size < 2 or array.dtype.kind not in "fiub" or not (array == array.flat[0]).all():
        return array
    return Same(array.shape, array.flat[0])


def _write_weights(path: Path, entries: Mapping[str, Entry]) -> None:
    """As `keras.src.saving.saving_lib.H5IOStore` does."""
    import h5py

    with UnfailingFile(path) as raw, h5py.File(raw, "w") as file:
        for place, entry in entries.items():
            if not entry.metadata and not entry.values:
                continue
            group = file.create_group(f"{place}/vars" if place else "vars")
            group.attrs.update(entry.metadata)
            for name, value in entry.values.items():
                if isinstance(value, Same):
                    group.create_dataset(name, value.shape, value.value.dtype, fillvalue=value.value)
                    continue
                dataset = group.create_dataset(name, data=value)
                if keras.backend.standardize_dtype(value.dtype) == "bfloat16":
                    dataset.attrs["dtype"] = "bfloat16"
