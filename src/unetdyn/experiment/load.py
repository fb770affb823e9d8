"""From a YAML file and `--set` overrides to a checked configuration, with errors a person can act on."""

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from unetdyn._checks import nearest, unknown_choice
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
    if not path.is_file():
        raise ConfigError(f"The configuration must be a YAML file. Received: {path}, which is not there.")
    values = _read_yaml(path.read_bytes(), str(path))
    if not isinstance(values, dict):
        raise ConfigError(f"{path} must hold keys and values. Received: {type(values).__name__}.")
    for override in overrides:
        _apply(values, override)
    return parse_config(values, str(path))


def parse_config(values: dict[str, Any], source: str = "configuration") -> Config:
    """Check a dictionary of values; `source` is named in errors.

    >>> parse_config({"data": {"kind": "synthetic"}, "fit": {"epochs": 3}}).fit.epochs
    3
    """
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{source}: " + "; ".join(_sentence(one) for one in error.errors())) from None


def _read_yaml(text: str | bytes, source: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source} is not valid YAML: {' '.join(str(error).split())}") from None


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"An override must be key=value, like fit.epochs=5. Received: {override!r}.")
    *parents, last = key.strip().split(".")
    for parent in parents:
        place = _place(values, parent, override)
        if parent in KINDS and isinstance(values[place], str):
            values[place] = {"kind": values[place]}
        if not isinstance(values[place], dict | list):
            values[place] = {}
        values = values[place]
    values[_place(values, last, override)] = _read_yaml(text, f"--set {override}")


def _place(values: Any, key: str, override: str) -> Any:
    """Where the key leads: in a mapping, which has it from then on, or by its number in a list."""
    if isinstance(values, dict):
        values.setdefault(key, None)
        return key
    if not key.isdigit() or int(key) >= len(values):
        known = f"a number from 0 to {len(values) - 1}" if values else "nothing, for it is empty"
        raise ConfigError(f"In a list, a key must be {known}. Received: {key!r} in the override {override!r}.")
    return int(key)


def _sentence(error: Any) -> str:
    # pydantic puts the tag of a union (`data.folder.path`) and the validator's name into the location.
    keys = [None, *error["loc"]]
    location = [str(part) for before, part in pairwise(keys) if before not in KINDS]
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
        return f"`{where}`: {message[:1].lower()}{message[1:]}. Received: {error['input']!r}.{hint}"
    received = "" if "Received:" in message or error["type"] == "missing" else f". Received: {error['input']!r}"
    return f"`{where}`: {message[:1].lower()}{message[1:]}{received}"
