"""Which monitors a `Watch` has: one of each kind that is exported, but for those that its keywords change."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

from unetdyn._checks import nearest
from unetdyn.analysis.declarations import UNDECLARED
from unetdyn.callbacks.monitor import Monitor


def monitor_kinds() -> dict[str, type[Monitor]]:
    """Every monitor that is exported, by the name it declares."""
    from unetdyn import callbacks  # here, not above: this module is a part of it

    exported = [getattr(callbacks, name) for name in callbacks.__all__]
    monitors = [each for each in exported if isinstance(each, type) and issubclass(each, Monitor)]
    return {each.declaration.name: each for each in monitors if each.declaration is not UNDECLARED}


def named_monitors(probe: Any, named: Mapping[str, Monitor | None], others: Iterable[str]) -> list[Monitor]:
    """Those that are given, and new ones of the other kinds.

    Args:
        probe: Images and masks for those that look at some, or None.
        named: By name, a monitor of that kind, or None to leave it out.
        others: Further keywords that there are, for who has misspelt one.

    Raises:
        TypeError: If there is no such kind, or a monitor is of another.
    """
    kinds = monitor_kinds()
    for name, monitor in named.items():
        if name not in kinds:
            raise TypeError(
                f"`Watch` takes a keyword for each monitor: {', '.join(kinds)}. Received: {name}={monitor!r}."
                f"{nearest(name, [*kinds, *others])} A monitor of your own goes into `monitors`."
            )
        if monitor is not None and not isinstance(monitor, kinds[name]):
            raise TypeError(f"`{name}` must be a {kinds[name].__name__}, or None. Received: {type(monitor).__name__}.")
    chosen = [named[name] if name in named else _made(kind, probe) for name, kind in kinds.items()]
    return [monitor for monitor in chosen if monitor is not None]


def _made(kind: type[Monitor], probe: Any) -> Monitor:
    takes_probe = "probe" in inspect.signature(kind).parameters
    return kind(probe=probe) if takes_probe and probe is not None else kind()  # type: ignore[call-arg]
