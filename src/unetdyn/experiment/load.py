"""From a YAML file and `--set` overrides to a checked configuration, with errors a person can act on."""

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from unetdyn._checks import nearest, unknown_choice
from unetdyn.experiment.config import KINDS, Config
from unetdyn.experiment.yaml_file import Document, YamlError

Keys = tuple[Any, ...]
"""What leads to a value: keys of mappings, and numbers in lists."""

_OFF = ("false", "off", "no", "none")


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
    document = _read_yaml(_content(path), str(path))
    values = document.values
    if values is None:
        raise ConfigError(f"{path} must hold keys and values, such as data: {{kind: synthetic}}. It is empty.")
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, list) else f"the single value {str(values)[:40]!r}"
        raise ConfigError(f"{path}, line 1: it must hold keys and values. Received: {kind}.")
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
        told = [(line_of(_place_of(one)), _sentence(one)) for one in error.errors()]
        told.sort(key=lambda one: one[0] or 0)
        sentences = [sentence if line is None else f"line {line}: {sentence}" for line, sentence in told]
        raise ConfigError(f"{source}: " + "; ".join(sentences)) from None


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise ConfigError(f"The configuration must be a YAML file. Received: {path}, which is a folder.")
    if not path.exists():
        raise ConfigError(f"The configuration must be a YAML file. Received: {path}, which is not there.")
    if not path.is_file():
        raise ConfigError(f"The configuration must be a YAML file. Received: {path}, which is no file.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"The configuration must be a YAML file. Received: {path}, which can't be read: {error}."
        ) from error


def _read_yaml(text: str | bytes, source: str) -> Document:
    try:
        return Document(text)
    except YamlError as error:
        raise ConfigError(f"{source} is not valid YAML: {error}.") from None


def _is_given(keys: Keys, given: Sequence[Keys]) -> bool:
    """Whether an override said it, so that no line did."""
    texts = tuple(map(str, keys))
    return any(texts[: len(each)] == each[: len(texts)] for each in given)


def _apply(values: dict[str, Any], override: str) -> tuple[str, ...]:
    """Put the override's value in its place; returned are the keys that lead there."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"An override must be key=value, like fit.epochs=5. Received: {override!r}.")
    keys = tuple(key.strip().split("."))
    *parents, last = keys
    for parent in parents:
        place = _place(values, parent, override)
        if parent in KINDS and isinstance(values[place], str):
            values[place] = {"kind": values[place]}
        if not isinstance(values[place], dict | list):
            values[place] = {}
        values = values[place]
    values[_place(values, last, override)] = _read_yaml(text, f"--set {override}").values
    return keys


def _place(values: Any, key: str, override: str) -> Any:
    """Where the key leads: in a mapping, which has it from then on, or by its number in a list."""
    if isinstance(values, dict):
        values.setdefault(key, None)
        return key
    if not (key.isascii() and key.isdigit() and len(key) < 9) or int(key) >= len(values):
        known = f"a number from 0 to {len(values) - 1}" if values else "nothing, for it is empty"
        raise ConfigError(f"In a list, a key must be {known}. Received: {key!r} in the override {override!r}.")
    return int(key)


def _keys(error: Any) -> tuple[Any, ...]:
    """Where an error is: pydantic puts the tag of a union (`data.folder.path`) into the location."""
    keys = [None, *error["loc"]]
    return tuple(part for before, part in pairwise(keys) if before not in KINDS)


def _place_of(error: Any) -> Keys:
    """Where a line says what is wrong: of a key that is not known, that key."""
    known = re.match(r"Value error, unknown key '(.*?)'", error["msg"])
    return (*_keys(error), known[1]) if known else _keys(error)


def _sentence(error: Any) -> str:
    # The last part of the location may be a validator's name.
    location = list(map(str, _keys(error)))
    where = ".".join(part for part in location if part.isidentifier() or part.isdigit()) or ""
    message = error["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
    if not where:
        return message
    if error["type"].startswith("union_tag"):
        return unknown_choice(f"{where}.kind", error["input"].get("kind"), KINDS[location[-1]])
    if message.startswith("unknown key"):
        return f"in `{where}`, {message}"
    if error["type"] == "literal_error":
        hint = nearest(error["input"], re.findall(r"'(.*?)'", error["ctx"]["expected"]))
        return f"`{where}`: {message[:1].lower()}{message[1:]}. Received: {error['input']!r}.{hint}{_off(error)}"
    received = "" if "Received:" in message or error["type"] == "missing" else f". Received: {_short(error['input'])}"
    off = _off(error)
    return f"`{where}`: {message[:1].lower()}{message[1:]}{received}{off and '.'}{off}"


def _off(error: Any) -> str:
    """What is written instead, where somebody means to turn off what null turns off."""
    if str(error["input"]).lower() not in _OFF or not _may_be_null(Config, _keys(error)):
        return ""
    return " Write null to turn it off."


def _may_be_null(annotation: Any, keys: Keys) -> bool:
    """Whether null may stand where keys lead to, from a part of the configuration or what holds parts."""
    if not keys:
        return annotation is type(None) or type(None) in get_args(annotation)
    parts = [annotation, *get_args(annotation)]
    fields = [each.model_fields for each in parts if isinstance(each, type) and issubclass(each, BaseModel)]
    return any(keys[0] in each and _may_be_null(each[keys[0]].annotation, keys[1:]) for each in fields)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
