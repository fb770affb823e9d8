"""From what a person names, a design file or a sweep's folder, to the frozen sweep. No Keras is loaded."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from unetdyn.sweeps.design import Design, read_design
from unetdyn.sweeps.levels import same
from unetdyn.sweeps.table import FILE, Sweep, SweepError, open_sweep

_SHOWN = 3
_NOTHING = object()


def find_sweep(path: str | Path) -> Sweep:
    """The frozen sweep of a design file or a folder.

    Args:
        path: A folder that `unetdyn sweep plan` made, or the table in it; or the design file, whose folder is
            found from the working directory in which it was planned.

    Returns:
        The sweep, as it was frozen.

    Raises:
        FileNotFoundError: If there is nothing, or nothing has been planned.
        SweepError: If the design file has changed since, with what; or design or table can't be read.

    Example:
        >>> import tempfile
        >>> from unetdyn.sweeps.table import Row, freeze
        >>> folder = freeze(tempfile.mkdtemp(), "x", "", {}, {}, {}, [Row(1, 1, 0, {}, {}, "")]).path
        >>> find_sweep(folder).name
        'x'
    """
    path = Path(path)
    if path.is_dir() or path.name == FILE:
        return open_sweep(path.parent if path.name == FILE else path)
    if not path.exists():
        raise FileNotFoundError(
            f"A sweep must be its design file, or the folder that `unetdyn sweep plan` made of it. Received: {path}, "
            "which is not there."
        )
    design = read_design(path)
    folder = design.folder
    if not (folder / FILE).is_file():
        raise FileNotFoundError(
            f"The design {path} must have been planned. Received: one without a frozen table in {folder}, looked for "
            f"from {Path.cwd()}. Plan it with `unetdyn sweep plan {path}`; if that was done in another folder, name "
            "the sweep's folder instead."
        )
    sweep = open_sweep(folder)
    changed = list(_changes(_now(sweep), design.described()))
    if changed:
        more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise SweepError(
            f"{path} must be as it was when {folder} was frozen. Received: a file that has changed since: "
            f"{'; '.join(changed[:_SHOWN])}{more}. Undo that; or give it another `name` or `directory` and plan it as "
            f"a new sweep. The old one goes on under its folder: unetdyn sweep run {folder}."
        )
    return sweep


def _now(sweep: Sweep) -> dict[str, Any]:
    """The frozen design in the form that designs have now: with keys that have come since, at their defaults."""
    try:
        return Design.model_validate(dict(sweep.design)).described()
    except ValidationError:
        return dict(sweep.design)


def _changes(old: Any, new: Any, key: str = "") -> Iterator[str]:
    """What differs, by key."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for each in dict.fromkeys([*old, *new]):
            yield from _changes(old.get(each, _NOTHING), new.get(each, _NOTHING), f"{key}.{each}".lstrip("."))
    elif old is _NOTHING:
        yield f"`{key}` has come"
    elif new is _NOTHING:
        yield f"`{key}` has gone"
    elif same(old) != same(new):
        yield f"`{key}` was {old!r} and is {new!r}"
