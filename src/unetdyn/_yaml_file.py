"""YAML as people mean it, with errors that name the line."""

import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

_MOST_VALUES = 100_000
_TAG = "tag:yaml.org,2002:"


class YamlError(ValueError):
    """The text is not the YAML that a configuration is written in; the message begins with the line."""


class Document:
    """The values of a YAML text, and the line of each.

    Scalars are read by the core schema of YAML 1.2: `1e-3` is a number, `010` is ten, `on`, `no` and `2026-01-31` are
    texts, and `true` and `false` alone are switches.

    Args:
        content: UTF-8, or UTF-16 with its mark, or a text.

    Attributes:
        values: What it holds; None where it is empty.

    Raises:
        YamlError: If it is no text, no YAML, names a key twice, or repeats parts of itself without end.

    Example:
        >>> document = Document("fit:\\n  epochs: 3\\nname: 2026-01-31\\n")
        >>> document.values, document.line(("fit", "epochs"))
        ({'fit': {'epochs': 3}, 'name': '2026-01-31'}, 2)
    """

    def __init__(self, content: bytes | str) -> None:
        text = _text(content) if isinstance(content, bytes) else content
        try:
            loader = _Loader(text)
            self._root = loader.get_single_node()
            if self._root is not None:
                _check(self._root)
            self.values = None if self._root is None else loader.construct_document(self._root)
        except yaml.YAMLError as error:
            raise YamlError(_sentence(error, text)) from None
        except RecursionError:
            raise YamlError("it is nested too deep") from None

    def line(self, keys: Sequence[Hashable]) -> int | None:
        """The line, from 1, of the value that keys lead to, or of the last on the way there; None of an empty text.

        Args:
            keys: Of mappings, and numbers from 0 of lists; those that lead nowhere are passed over.
        """
        node, line = self._root, None
        for key in keys:
            found = _entry(node, key)
            if found is not None:
                named, node = found
                line = named.start_mark.line + 1
        return line


def read_mapping(path: Path, what: str, example: str) -> tuple[Document, dict[str, Any]]:
    """A YAML file that holds keys and values.

    Args:
        path: The file.
        what: What it is, for errors: "configuration".
        example: What it may hold, for errors.

    Returns:
        The document, and its values.

    Raises:
        YamlError: If it is no file, can't be read, is no YAML, or holds something else.
    """
    why = "is a folder" if path.is_dir() else "is no file" if path.exists() else "is not there"
    if not path.is_file():
        raise YamlError(f"The {what} must be a YAML file. Received: {path}, which {why}.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise YamlError(f"The {what} must be a YAML file. Received: {path}, which can't be read: {error}.") from error
    try:
        document = Document(content)
    except YamlError as error:
        raise YamlError(f"{path} is not valid YAML: {error}.") from None
    values = document.values
    if values is None:
        raise YamlError(f"{path} must hold keys and values, such as {example}. It is empty.")
    if not isinstance(values, dict):
        kind = "a list" if isinstance(values, list) else f"the single value {str(values)[:40]!r}"
        raise YamlError(f"{path}, line 1: it must hold keys and values. Received: {kind}.")
    return document, values


class _Loader(yaml.SafeLoader):
    """Without the resolvers of YAML 1.1."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  # PyYAML's own way

    def whole_number(self, node: yaml.ScalarNode) -> int | float:
        """Ten for `010`, and no grouping of digits."""
        return int(node.value) if len(node.value) < 20 else float(node.value)


_RESOLVED = {
    "null": (r"~|null|Null|NULL|", ("~", "n", "N", "")),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+0123456789.",
    ),
    "merge": (r"<<", "<"),
}
"""Kind of a scalar → how it is written, and how that begins."""
for _kind, (_pattern, _first) in _RESOLVED.items():
    _Loader.add_implicit_resolver(_TAG + _kind, re.compile(rf"(?:{_pattern})\Z"), list(_first))
_Loader.add_constructor(f"{_TAG}int", _Loader.whole_number)


def _text(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise YamlError(
            f"line {line}: it must be text in UTF-8, and byte {error.start + 1} of the file is none"
        ) from None


def _sentence(error: yaml.YAMLError, text: str) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return f"line {line}: the character with the code {error.character} must not stand in YAML"
    problem, mark = getattr(error, "problem", None) or str(error), getattr(error, "problem_mark", None)
    context = getattr(error, "context", None)
    where = "" if mark is None else f"line {mark.line + 1}: "
    words = f"{context}, {problem}" if context and ("expected" in problem or "found" in problem) else problem
    return f"{where}{' '.join(words.split())}{_hint(problem, text, mark)}"


def _hint(problem: str, text: str, mark: Any) -> str:
    lines = text.splitlines()
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    if "\t" in line[: mark.column + 1 if mark is not None else 0] or "'\\t'" in problem:
        return "; indent with spaces, not with tabs"
    if "escape" in problem:
        return "; a path with backslashes must stand between single quotes, or be written with /"
    if "another document" in problem:
        return "; leave out all from the second '---' on"
    return ""


def _check(root: yaml.Node) -> None:
    """Refuse a key that is given twice, of which PyYAML takes the last, tags, and what repeats itself without end.

    A few lines of aliases of aliases may stand for more values than a memory holds.
    """
    sizes: dict[int, int] = {}
    around: set[int] = set()

    def size(node: yaml.Node) -> int:
        if id(node) in around:
            raise _refused("an alias stands within its own anchor", node)
        if id(node) not in sizes:
            _check_tag(node)
            around.add(id(node))
            sizes[id(node)] = 1 + sum(map(size, _parts(node)))
            around.remove(id(node))
            if sizes[id(node)] > _MOST_VALUES:
                raise _refused(f"with its aliases it holds more than {_MOST_VALUES} values", node)
        return sizes[id(node)]

    size(root)


def _parts(node: yaml.Node) -> list[yaml.Node]:
    """Keys and values of a mapping, what is in a list; nothing of a scalar."""
    if isinstance(node, yaml.SequenceNode):
        return node.value
    if not isinstance(node, yaml.MappingNode):
        return []
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _refused("a key must be a text", key)
        if key.value in lines and key.tag != f"{_TAG}merge":
            raise _refused(f"the key {key.value!r} was given in line {lines[key.value]} already", key)
        lines[key.value] = key.start_mark.line + 1
    return [part for pair in node.value for part in pair]


def _check_tag(node: yaml.Node) -> None:
    """Only what YAML makes of a text by itself: a tag could ask for anything."""
    kind = node.tag.removeprefix(_TAG)
    pattern = _RESOLVED.get(kind, ("",))[0]
    is_own = kind in ("map", "seq", "str") or (kind in _RESOLVED and re.fullmatch(pattern, str(node.value)))
    if not is_own:
        raise _refused(f"the tag {node.tag.replace(_TAG, '!!')} has no place here", node)


def _refused(problem: str, node: yaml.Node) -> ConstructorError:
    return ConstructorError(None, None, problem, node.start_mark)


def _entry(node: yaml.Node | None, key: Hashable) -> tuple[yaml.Node, yaml.Node] | None:
    """Where a key or a number leads: the node that names it, and its value."""
    if isinstance(node, yaml.MappingNode):
        return next(((named, value) for named, value in node.value if named.value == str(key)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and 0 <= key < len(node.value):
        return node.value[key], node.value[key]
    return None
