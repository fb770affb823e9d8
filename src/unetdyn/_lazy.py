"""Packages whose names load their module when they are first asked for."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def load_when_asked(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a package (PEP 562).

    No module may bear the name of a public function of its package: once it was imported, it would hide the function.

    Args:
        package: Its `__name__`.
        modules: Public name → the module that has it, below the package.

    Example:
        >>> load, names = load_when_asked("unetdyn", {"check_count": "_checks"})
        >>> load("check_count").__module__, "check_count" in names()
        ('unetdyn._checks', True)
    """

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)  # found at once from now on
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *modules})

    return load, names
