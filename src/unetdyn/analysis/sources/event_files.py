"""The scalars in event files of TensorBoard, as its callback in Keras and its writer in PyTorch leave them."""

import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from unetdyn.analysis.log_table import Columns, Row, curves_of_rows, rows_of_series

PATTERN = "events.out.tfevents.*"
_TRAINING = ("train", "training")
_VALIDATION = ("validation", "val", "valid", "eval")
_HEAD = struct.Struct("<QI")
_OF_EPOCHS = "epoch_"  # how Keras begins the tags whose step is the epoch


def event_files(path: Path) -> list[Path]:
    """The event files of a path: itself, or all below it.

    >>> event_files(Path("nowhere"))
    []
    """
    if path.is_file():
        return [path] if ".tfevents." in path.name else []
    return sorted(path.rglob(PATTERN))


def read_events(path: Path) -> Columns:
    """Name → (epochs, values) of one training's event files.

    What lies in a folder `validation` (or `val`, `valid`, `eval`) beside `train` is named `val_…`. Keras' tags
    `epoch_…` have the epoch as their step; of other tags the steps tell, see `curves_of_rows`.

    Args:
        path: An event file, or the folder that holds `train` and `validation`, or event files themselves.

    Raises:
        ImportError: If TensorBoard isn't installed.
        ValueError: If there are the files of several trainings, or no scalars.
    """
    files = event_files(path)
    root = path if path.is_dir() else path.parent
    runs = {_run_of(file.parent.relative_to(root)) for file in files}
    if len(runs) > 1:
        some = ", ".join(sorted(run.as_posix() for run in runs)[:3])
        raise ValueError(f"{path} must hold one training. Received: {len(runs)}, {some}; name the folder of one.")
    series: dict[str, list[tuple[int, float]]] = {}
    for file in files:
        prefix = "val_" if file.parent.name.lower() in _VALIDATION else ""
        for step, tag, value in _scalars(file):
            name = f"{_OF_EPOCHS}{prefix}{tag.removeprefix(_OF_EPOCHS)}" if tag.startswith(_OF_EPOCHS) else prefix + tag
            series.setdefault(name, []).append((step, value))
    curves = curves_of_rows(_as_rows(series, path.name), path.name)
    if not curves:
        raise ValueError(f"{path} must hold scalars, as the callback TensorBoard writes. It has none.")
    return curves


def _run_of(folder: Path) -> Path:
    return folder.parent if folder.name.lower() in (*_TRAINING, *_VALIDATION) else folder


def _as_rows(series: dict[str, list[tuple[int, float]]], source: str) -> list[Row]:
    """Their step is the epoch of Keras' own tags, and of others that go no further."""
    of_epochs = [name for name in series if name.startswith(_OF_EPOCHS)]
    if not of_epochs:
        return rows_of_series(series, source)
    last = max(step for name in of_epochs for step, _ in series[name])
    known = {name: logged for name, logged in series.items() if max(step for step, _ in logged) <= last}
    return rows_of_series({name.removeprefix(_OF_EPOCHS): logged for name, logged in known.items()}, source, "epoch")


def _scalars(file: Path) -> Iterator[tuple[int, str, float]]:
    """Step, tag and value, in the order in which they were written."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.util.tensor_util import make_ndarray
    except ImportError as error:
        raise ImportError(
            f"{file} is an event file of TensorBoard, and TensorBoard is needed to read it: "
            "pip install 'unetdyn[tensorboard]'."
        ) from error
    for record in _records(file):
        try:
            event = Event.FromString(record)
            found = [(each.tag, _scalar(each, make_ndarray)) for each in event.summary.value]
        except Exception as error:  # protobuf's own, and what a tensor of any shape raises
            raise ValueError(f"{file} is damaged: it is not what TensorBoard writes ({error}).") from error
        yield from ((event.step, tag, value) for tag, value in found if value is not None)


def _scalar(value: Any, make_ndarray: Any) -> float | None:
    kind = value.WhichOneof("value")
    if kind == "simple_value":
        return float(value.simple_value)
    if kind != "tensor" or value.metadata.plugin_data.plugin_name not in ("", "scalars"):
        return None  # a picture, a histogram, a text, a graph
    array = make_ndarray(value.tensor)
    return float(array) if array.ndim == 0 and np.issubdtype(array.dtype, np.number) else None


def _records(file: Path) -> Iterator[bytes]:
    """Each record's content: of length and its checksum, content and its checksum."""
    from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import masked_crc32c

    content, at = file.read_bytes(), 0
    while at < len(content):
        begins = at + _HEAD.size
        whole = begins <= len(content)
        if whole:
            length, checksum = _HEAD.unpack_from(content, at)
            if masked_crc32c(content[at : at + 8]) != checksum:
                raise ValueError(f"{file} is damaged: a checksum at byte {at} is wrong.")
            whole = begins + length + 4 <= len(content)
        if not whole:
            text = f"{file.name}: its last record was not written to its end, and is left out."
            warnings.warn(text, UserWarning, stacklevel=2)
            return
        record = content[begins : begins + length]
        (checksum,) = struct.unpack_from("<I", content, begins + length)
        if masked_crc32c(record) != checksum:
            raise ValueError(f"{file} is damaged: a checksum at byte {begins + length} is wrong.")
        yield record
        at = begins + length + 4
