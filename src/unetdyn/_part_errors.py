"""What is wrong with a part of the configuration, in sentences: key, line, what was expected, what was received."""

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from unetdyn._checks import nearest, unknown_choice
from unetdyn._part import Part

Keys = tuple[Any, ...]
"""What leads to a value: keys of mappings, and numbers in lists."""

Kinds = Mapping[str, Sequence[str]]
"""By key, what its `kind` may be."""

_OFF = ("false", "off", "no", "none")
_KEY = re.compile(r"(\w+\.)*\w+")


def sentences(
    error: ValidationError, part: type[Part], kinds: Kinds, line_of: Callable[[Keys], int | None] = lambda _: None
) -> str:
    """All that pydantic found, in the order of the lines.

    Args:
        error: What pydantic raised.
        part: Of what.
        kinds: By the keys whose values are told apart by a tag, which pydantic puts into its locations: the tags.
        line_of: The line of what keys lead to, or None.

    Example:
        >>> class Fit(Part):
        ...     epochs: int = 3
        >>> try:
        ...     Fit(epochs="many")
        ... except ValidationError as error:
        ...     print(sentences(error, Fit, {}))
        `epochs`: input should be a valid integer, unable to parse string as an integer. Received: 'many'
    """
    told = [(line_of(_place_of(one, kinds)), _sentence(one, part, kinds)) for one in error.errors()]
    told.sort(key=lambda one: one[0] or 0)
    return "; ".join(sentence if line is None else f"line {line}: {sentence}" for line, sentence in told)


def _keys(error: Any, kinds: Kinds) -> Keys:
    """Where an error is: pydantic puts the tag of a union (`data.folder.path`) into the location."""
    keys = [None, *error["loc"]]
    return tuple(part for before, part in pairwise(keys) if before not in kinds)


def _place_of(error: Any, kinds: Kinds) -> Keys:
    """Where a line says what is wrong: of a key that is not known, that key."""
    known = re.match(r"Value error, unknown key '(.*?)'", error["msg"])
    return (*_keys(error, kinds), known[1]) if known else _keys(error, kinds)


def _sentence(error: Any, part: type[Part], kinds: Kinds) -> str:
    # The last part of the location may be a validator's name.
    location = list(map(str, _keys(error, kinds)))
    where = ".".join(key for key in location if _KEY.fullmatch(key))
    message = error["msg"].removeprefix("Value error, ").replace("a valid tuple", "a list")
    off = _off(error, part, kinds)
    if not where:
        return message
    if error["type"].startswith("union_tag"):
        return unknown_choice(f"{where}.kind", error["input"].get("kind"), kinds[location[-1]])
    if message.startswith("unknown key"):
        return f"in `{where}`, {message}"
    if error["type"] == "literal_error":
        hint = nearest(error["input"], re.findall(r"'(.*?)'", error["ctx"]["expected"]))
        return f"`{where}`: {message[:1].lower()}{message[1:]}. Received: {error['input']!r}.{hint}{off}"
    received = "" if "Received:" in message or error["type"] == "missing" else f". Received: {_short(error['input'])}"
    return f"`{where}`: {message[:1].lower()}{message[1:]}{received}{off and '.'}{off}"


def _off(error: Any, part: type[Part], kinds: Kinds) -> str:
    """What is written instead, where somebody means to turn off what null turns off."""
    if str(error["input"]).lower() not in _OFF or not _may_be_null(part, _keys(error, kinds)):
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
