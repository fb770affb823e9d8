"""The scalars in event files of TensorBoard, as its callback in Keras and its writer in PyTorch leave them."""

import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from unetdyn.analysis.log_table import Columns, Row, curves_of_rows
from unetdyn.analysis.series import last_training

PATTERN = "events.out.tfevents.*"
_TRAINING = ("train", "training")
_VALIDATION = ("validation", "val", "valid", "eval")
_HEAD = struct.Struct("<QI")
_OF_EPOCHS = "epoch_"  # how Keras begins the tags whose step is the epoch


class _Scalar(NamedTuple):
    step: int
    prefix: str
    tag: str
    value: float


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
    folders = {file.parent: [each for each in files if each.parent == file.parent] for file in files}
    scalars = [found for folder, held in folders.items() for found in _last_training(folder, held)]
    curves = curves_of_rows(_as_rows(scalars), path.name)
    if not curves:
        raise ValueError(f"{path} must hold scalars, as the callback TensorBoard writes. It has none.")
    return curves


def _run_of(folder: Path) -> Path:
    return folder.parent if folder.name.lower() in (*_TRAINING, *_VALIDATION) else folder


def _last_training(folder: Path, files: list[Path]) -> list[_Scalar]:
    """Of the files of one folder, which several trainings may have written to, each tag's values of the last."""
    prefix = "val_" if folder.name.lower() in _VALIDATION else ""
    by_tag: dict[str, list[_Scalar]] = {}
    for step, tag, value in (found for file in files for found in _scalars(file)):
        by_tag.setdefault(tag, []).append(_Scalar(step, prefix, tag, value))
    kept = []
    with warnings.catch_warnings():
        for place, found in enumerate(by_tag.values()):
            last = last_training(np.array([each.step for each in found]), folder.name)
            kept += [each for each, is_kept in zip(found, last, strict=True) if is_kept]
            if place == 0:  # the other tags would say the same
                warnings.simplefilter("ignore", UserWarning)
    return kept


def _as_rows(scalars: list[_Scalar]) -> list[Row]:
    """Ordered by step, which is the epoch of Keras' own tags, and of others that go no further."""
    epochs = [each.step for each in scalars if each.tag.startswith(_OF_EPOCHS)]
    furthest = {tag: max(each.step for each in scalars if each.tag == tag) for tag in {each.tag for each in scalars}}
    rows: list[Row] = []
    for each in sorted(scalars, key=lambda scalar: scalar.step):
        if not epochs:
            rows.append({"step": float(each.step), each.prefix + each.tag: each.value})
        elif furthest[each.tag] <= max(epochs):
            rows.append({"epoch": float(each.step), each.prefix + each.tag.removeprefix(_OF_EPOCHS): each.value})
    return rows


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
