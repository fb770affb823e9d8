"""From a YAML file and `--set` overrides to a checked configuration, with errors a person can act on."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from unetdyn._part_errors import Keys, sentences
from unetdyn._yaml_file import Document, YamlError, read_mapping
from unetdyn.experiment.config import KINDS, Config


class ConfigError(ValueError):
    """The configuration can't be used; the text says which key, what was expected and what was received."""


def load_config(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Read a configuration from YAML, with `key.path=value` overrides on top.

    Args:
        path: The YAML file.
        overrides: Texts like `"fit.epochs=5"` or, in a list, `"stages.0.epochs=5"`; the value is read as YAML.

    Returns:
        The checked, immutable configuration.

    Raises:
        ConfigError: For a missing or malformed file, an override without `=`, an unknown key (with the nearest known
            one), or a value outside its range.
    """
    path = Path(path)
    try:
        document, values = read_mapping(path, "configuration", "data: {kind: synthetic}")
    except YamlError as error:
        raise ConfigError(str(error)) from error.__cause__
    given = []
    for override in overrides:
        given.append(_apply(values, override))
    return _checked(values, str(path), lambda keys: None if _is_given(keys, given) else document.line(keys))


def parse_config(values: dict[str, Any], source: str = "configuration") -> Config:
    """Check a dictionary of values; `source` is named in errors.

    >>> parse_config({"data": {"kind": "synthetic"}, "fit": {"epochs": 3}}).fit.epochs
    3
    """
    return _checked(values, source, lambda _: None)


def _checked(values: dict[str, Any], source: str, line_of: Callable[[Keys], int | None]) -> Config:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: {sentences(error, Config, KINDS, line_of)}") from None


def _is_given(keys: Keys, given: Sequence[Keys]) -> bool:
    """Whether an override said it, so that no line did."""
    texts = tuple(map(str, keys))
    return any(texts[: len(each)] == each[: len(texts)] for each in given)


def _apply(values: dict[str, Any], override: str) -> tuple[str, ...]:
    """Put the override's value in its place; returned are the keys that lead there."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"An override must be key=value, like fit.epochs=5. Received: {override!r}.")
    try:
        value = Document(text).values
    except YamlError as error:
        raise ConfigError(f"--set {override} is not valid YAML: {error}.") from None
    return set_key(values, key.strip(), value, f"the override {override!r}")


def set_key(values: dict[str, Any], key: str, value: Any, source: str = "the setting") -> tuple[str, ...]:
    """Give one key of a configuration's values another value; what leads to it is made where it is missing.

    Args:
        values: As in a YAML file; changed in place.
        key: With dots, and with numbers from 0 in lists: `"fit.epochs"`, `"stages.0.epochs"`.
        value: What it becomes.
        source: Who asks, for errors.

    Returns:
        The keys that lead there.

    Raises:
        ConfigError: If the key leads into a list, and not to one of its entries.

    Example:
        >>> values = {"data": {"kind": "synthetic"}, "optimizer": {"schedule": "cosine"}}
        >>> set_key(values, "optimizer.schedule.floor", 0.1)
        ('optimizer', 'schedule', 'floor')
        >>> values["optimizer"]
        {'schedule': {'kind': 'cosine', 'floor': 0.1}}
    """
    keys = tuple(key.split("."))
    *parents, last = keys
    place: Any = values
    for parent in parents:
        where = _place(place, parent, source)
        if parent in KINDS and isinstance(place[where], str):
            place[where] = {"kind": place[where]}
        if not isinstance(place[where], dict | list):
            place[where] = {}
        place = place[where]
    place[_place(place, last, source)] = value
    return keys


def _place(values: Any, key: str, source: str) -> Any:
    """Where the key leads: in a mapping, which has it from then on, or by its number in a list."""
    if isinstance(values, dict):
        values.setdefault(key, None)
        return key
    if not (key.isascii() and key.isdigit() and len(key) < 9) or int(key) >= len(values):
        known = f"a number from 0 to {len(values) - 1}" if values else "nothing, for it is empty"
        raise ConfigError(f"In a list, a key must be {known}. Received: {key!r} in {source}.")
    return int(key)
