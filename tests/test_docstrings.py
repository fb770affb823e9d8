"""Docstrings speak in one voice: what is said of an argument begins with a capital, or with a symbol."""

import ast
import re
from pathlib import Path

import unetdyn

SECTION = re.compile(r"( *)(\w+):$")
ENTRY = re.compile(r"( *)\**\w+: (?:a |[a-z]{2,}\b(?! /))")  # `trΣ`, `p, how many` and `new / old` are symbols


def lower_case_entries(docstring):
    """The entries of `Args:`, `Attributes:` and `Raises:` that begin with a word in lower case."""
    section, found = "", []
    for line in docstring.splitlines():
        if heading := SECTION.fullmatch(line):
            indent, section = heading.groups()
        entry = ENTRY.match(line)
        if entry and section in ("Args", "Attributes", "Raises") and len(entry[1]) == len(indent) + 4:
            found.append(line.strip())
    return found


def test_lower_case_entries_are_found_in_their_sections_only():
    text = "Args:\n    x: the input.\n    eps: ε > 0.\n    y: More of\n        it: two.\n\nReturns:\n    z: a number."
    assert lower_case_entries(text) == ["x: the input."]


def test_entries_begin_with_a_capital():
    found = []
    for path in sorted(Path(unetdyn.__file__).parent.rglob("*.py")):
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(part, ast.ClassDef | ast.FunctionDef):
                found += [f"{path.name}: {entry}" for entry in lower_case_entries(ast.get_docstring(part) or "")]
    assert found == []
