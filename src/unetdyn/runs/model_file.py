"""What a saved model would make when it is opened, told without opening it and without Keras."""

import zipfile
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from unetdyn.runs import strict_json
from unetdyn.runs.records import RunError

_OWN = ("keras", "unetdyn")
_CODE = ("Lambda", "__lambda__", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")
_LARGEST = 64 * 2**20  # bytes of a description; that of a hundred layers has a few hundred thousand


def check_model_file(file: Path, known: Container[str] = ()) -> None:
    """Refuse a `.keras` file that would run code of its own, or asks for classes that nobody has named, by name.

    A run may come from anywhere. Keras refuses a Lambda layer by itself as long as `safe_mode` is on; what it says of a
    class of somebody else depends on what is installed here.

    Args:
        file: The model's file.
        known: Names of classes and functions that are the reader's own, with or without their package: those of
            `custom_objects`, and those that are registered.

    Raises:
        RunError: If it is no `.keras` file, is damaged, or holds a Lambda, a wrapper of foreign code, or a class or
            function that is neither Keras' nor ours nor known.

    Example:
        >>> import tempfile, keras
        >>> file = Path(tempfile.mkdtemp()) / "model.keras"
        >>> keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]).save(file)
        >>> check_model_file(file)
    """
    for made in _made(_description(file)):
        name, module = made["class_name"], made.get("module")
        registered = made["registered_name"] if isinstance(made.get("registered_name"), str) else None
        told = made["config"] if name == "function" and isinstance(made.get("config"), str) else name
        if told in known or registered in known:
            continue
        if told in _CODE:
            raise RunError(f"{file} is not opened: it holds a {told}, which would run code that came with the file.")
        if not (isinstance(module, str) and module.split(".")[0] in _OWN):
            where = registered if registered not in (None, "function") else f"{module or 'some module'}.{told}"
            raise RunError(
                f"{file} is not opened: it holds {where}, which is of neither Keras nor unetdyn. If it is your own, "
                f"pass custom_objects={{{told!r}: ...}}."
            )


def _description(file: Path) -> Any:
    with file.open("rb") as opened:
        try:
            with zipfile.ZipFile(opened) as archive:
                entry = archive.getinfo("config.json")
                if entry.file_size > _LARGEST:
                    raise ValueError(f"its description has {entry.file_size} bytes")
                return strict_json.loads(archive.read(entry))
        except Exception as error:  # archives that are damaged raise almost anything
            raise RunError(f"{file} must be a `.keras` file. It is damaged, or of another kind: {error}.") from error


def _made(described: Any) -> Iterator[dict[str, Any]]:
    """All that the description asks for, at any depth."""
    waiting = [described]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(part.get("class_name"), str) and not _is_plain(part["class_name"]):
                yield part
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)


def _is_plain(name: str) -> bool:
    """Whether it is no class, but how Keras writes a tuple, a tensor or a slice."""
    return name.startswith("__") and name.endswith("__") and name not in _CODE
