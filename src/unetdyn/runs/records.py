"""One parse for each kind of record in a run directory: what is read has the shape that its reader expects."""

import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from unetdyn.runs import strict_json
from unetdyn.runs.nesting import unflatten

FORMAT_VERSION = 1

_LAST_EPOCH = 2**53

_HEADER: dict[str, tuple[type | tuple[type, ...], str]] = {
    "format": (int, "a whole number"),
    "status": (str, "a text"),
    "created": (str, "a text"),
    "versions": (dict, "an object"),
    "seed": ((int, type(None)), "a whole number or null"),
    "config": (dict, "an object"),
    "summary": (dict, "an object"),
}
_LATER: dict[str, type] = {
    "metrics": dict,
    "monitors": dict,
    "setup": dict,
    "stages": list,
    "process": dict,
    "resumed": list,
}
"""What older runs lack."""


class RunError(ValueError):
    """A file of a run directory can't be read; the text says which, and what is wrong with it."""


def parse_header(content: bytes, file: Path) -> dict[str, Any]:
    """What `run.json` says, with all that a reader looks for in its place.

    Args:
        content: Of the file.
        file: Its path, for the error.

    Raises:
        RunError: If it is no JSON, lacks something, has another type somewhere, or is of a newer version of unetdyn.

    Example:
        >>> parse_header(b"5", Path("run.json"))
        Traceback (most recent call last):
        unetdyn.runs.records.RunError: run.json is damaged: it must hold a JSON object. Received: 5.
    """
    header = parse_object(content, file)
    for key, (kind, words) in _HEADER.items():
        if key not in header:
            raise RunError(f"{file} is damaged: it lacks `{key}`.")
        if not isinstance(header[key], kind) or isinstance(header[key], bool):
            raise RunError(f"{file} is damaged: `{key}` must be {words}. Received: {_short(header[key])}.")
        if key == "format" and header[key] > FORMAT_VERSION:
            raise RunError(
                f"{file} has format {header[key]}, and this unetdyn reads up to {FORMAT_VERSION}: install a newer "
                "unetdyn."
            )
    for key, of in _LATER.items():
        value = header.get(key)
        if value is not None and not isinstance(value, of):
            words = "a list" if of is list else "an object"
            raise RunError(f"{file} is damaged: `{key}` must be {words}. Received: {_short(value)}.")
    for name, declared in (header.get("monitors") or {}).items():
        if not isinstance(declared, dict):
            raise RunError(f"{file} is damaged: `monitors.{name}` must be an object. Received: {_short(declared)}.")
    for entry in header.get("resumed") or []:
        if not isinstance(entry, dict):
            raise RunError(f"{file} is damaged: `resumed` must hold objects. Received: {_short(entry)}.")
    return header


def parse_object(content: bytes, file: Path) -> dict[str, Any]:
    """What a file says that holds one JSON object.

    Args:
        content: Of the file.
        file: Its path, for the error.

    Raises:
        RunError: If it is no JSON, or no object.

    Example:
        >>> parse_object(b'{"loss": "NaN"}', Path("evaluation.json"))
        {'loss': nan}
    """
    try:
        found = strict_json.loads(content)
    except ValueError as error:
        raise RunError(f"{file} is damaged: it is not the JSON that unetdyn writes ({error}).") from error
    if not isinstance(found, dict):
        raise RunError(f"{file} is damaged: it must hold a JSON object. Received: {_short(found)}.")
    return found


def parse_epochs(content: bytes, name: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The epochs of `epochs.jsonl`, each with a number, and a note for each line that is none.

    >>> parse_epochs(b'{"epoch": 0, "loss": 0.5}\\n5\\n', "epochs.jsonl")
    ([{'epoch': 0, 'loss': 0.5}], ['epochs.jsonl: line 2 is no epoch and is left out.'])
    """
    return _records(content, name, "epoch", _is_epoch)


def parse_events(content: bytes, name: str) -> tuple[list[dict[str, Any]], list[str]]:
    """The events of `events.jsonl`, each with a kind and a message, and a note for each line that is none.

    >>> parse_events(b'{"kind": 5}\\n', "events.jsonl")
    ([], ['events.jsonl: line 1 is no event and is left out.'])
    """
    return _records(content, name, "event", _is_event)


def read_arrays(file: Path) -> dict[str, Any]:
    """The arrays of a file in `dynamics`, those by block in dictionaries.

    Raises:
        RunError: If the file is damaged.
    """
    with file.open("rb") as opened:
        try:
            return unflatten(arrays_in(opened))
        except Exception as error:  # archives that are damaged raise almost anything: a flipped bit asks for encryption
            raise RunError(f"{file} is damaged: {error or type(error).__name__}.") from error


def arrays_in(opened: IO[bytes]) -> dict[str, NDArray[Any]]:
    """The arrays of an `.npz` file, whose checksums are right: NumPy reads as far as a header says, and looks at none.

    Raises:
        Exception: Of almost any kind, if the file is damaged or holds pickled objects.
    """
    with zipfile.ZipFile(opened) as archive:
        damaged = archive.testzip()
    if damaged is not None:
        raise ValueError(f"the checksum of {damaged} is wrong")
    opened.seek(0)
    with np.load(opened, allow_pickle=False) as loaded:
        arrays = {name: loaded[name] for name in loaded.files}
    other = next((name for name, array in arrays.items() if not isinstance(array, np.ndarray)), None)
    if other is not None:  # NumPy gives the bytes of what is no array
        raise ValueError(f"{other!r} in it is no array")
    return arrays


def _records(content: bytes, name: str, kind: str, is_whole: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """A killed writer leaves half a line at the end."""
    records, notes = [], []
    lines = content.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = strict_json.loads(line)
        except ValueError:
            where = "the last line" if number == len(lines) else f"line {number}"
            notes.append(f"{name}: {where} was not written to its end and is left out.")
            continue
        if is_whole(record):
            records.append(record)
        else:
            notes.append(f"{name}: line {number} is no {kind} and is left out.")
    return records, notes


def _is_epoch(record: Any) -> bool:
    epoch = record.get("epoch") if isinstance(record, dict) else None
    return isinstance(epoch, int) and not isinstance(epoch, bool) and 0 <= epoch < _LAST_EPOCH


def _is_event(record: Any) -> bool:
    return isinstance(record, dict) and isinstance(record.get("kind"), str) and isinstance(record.get("message"), str)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
