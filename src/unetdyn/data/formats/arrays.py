"""What formats that hold several arrays share: which one is meant, and what its axes are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unetdyn._checks import nearest
from unetdyn.data.formats.volume import guessed_axes
from unetdyn.data.refused import RefusedFile


def chosen(found: Mapping[str, Any], name: str | None, path: Path) -> Any:
    """The array of that name, or the only one of 2 to 4 dimensions; axes of length 1 in front don't count."""
    arrays = {key.strip("/"): array for key, array in found.items()}
    if name is not None and name.strip("/") in arrays:
        return arrays[name.strip("/")]
    fitting = {key: array for key, array in arrays.items() if _is_image(array)}
    if name is None and len(fitting) == 1:
        return next(iter(fitting.values()))
    shown = dict(sorted((fitting or arrays).items()))
    listed = "; ".join(
        f"{key!r} of shape {tuple(array.shape)}, {array.dtype}" for key, array in list(shown.items())[:10]
    )
    more = f" and {len(shown) - 10} more" if len(shown) > 10 else ""
    if name is not None:
        raise RefusedFile(
            f"`path` must name an array that the file holds. Received: '{path}::{name}'."
            f"{nearest(name.strip('/'), arrays)} It holds {listed or 'no array'}{more}."
        )
    example = next(iter(shown), "name")
    raise RefusedFile(
        f"`path` must lead to one array of 2 to 4 dimensions. Received: {str(path)!r}, which holds {listed or 'none'}"
        f"{more}. Name one, such as '{path.name}::/{example}'."
    )


def told_axes(axes: str | None, shape: tuple[int, ...], path: str) -> str:
    """`axes` if they fit the shape, without c where the array has one axis less; guessed where nobody names them."""
    if axes is None:
        return guessed_axes(shape, path)
    if len(axes) == len(shape) + 1 and "c" in axes:
        axes = axes.replace("c", "")
    if len(axes) != len(shape) or len(set(axes)) < len(axes):
        raise RefusedFile(
            f"`axes` must have one letter for each axis, each once: z, y, x, c for channels. Received: axes={axes!r} "
            f"for {path!r} of shape {tuple(shape)}."
        )
    return axes


def _is_image(array: Any) -> bool:
    return 2 <= len([size for size in array.shape if size != 1]) <= 4 and array.dtype.kind in "biuf"
