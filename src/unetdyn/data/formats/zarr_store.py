"""Zarr 2 and 3, and OME-Zarr: a folder that is one array or holds several."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from unetdyn.data.formats.arrays import chosen, told_axes
from unetdyn.data.formats.volume import Asked, Volume, VoxelSize, nanometres, voxel_size
from unetdyn.data.refused import RefusedFile


def open_zarr(asked: Asked) -> Volume:
    """An array; of an OME-Zarr image the finest level, with its axes and the size of its voxels."""
    path, name, axes = asked.path, asked.name, asked.axes
    root = asked.package.open(str(path), mode="r")
    node = _node(root, name, path)
    if _is_group(node) and name is None and "0" in node and "bioformats2raw.layout" in _ome(node.attrs):
        node = _only_image(node, path)
    multiscales = _ome(node.attrs).get("multiscales") if _is_group(node) else None
    if multiscales:
        return _finest(node, multiscales[0], axes, path)
    array = node
    if _is_group(node):
        arrays = {key: item for key, item in node.members(max_depth=None) if not _is_group(item)}
        array = chosen(arrays, None, path)
    told = axes or _letters(_dimensions(array))
    return Volume(array, told_axes(told, array.shape, str(path)), _resolution(array))


def _node(root: Any, name: str | None, path: Path) -> Any:
    if name is None or not name.strip("/"):
        return root
    if _is_group(root) and name.strip("/") in root:
        return root[name.strip("/")]
    arrays = {key: item for key, item in root.members(max_depth=None) if not _is_group(item)} if _is_group(root) else {}
    return chosen(arrays, name, path)  # it is not there, which is said


def _only_image(node: Any, path: Path) -> Any:
    images = sorted(key for key, item in node.groups() if key.isdecimal())
    if len(images) != 1:
        raise RefusedFile(
            f"`path` must lead to one image. Received: {str(path)!r}, which holds the images {', '.join(images)}. "
            f"Name one, such as '{path.name}::{images[0]}'."
        )
    return node[images[0]]


def _finest(node: Any, image: Mapping[str, Any], axes: str | None, path: Path) -> Volume:
    level = image["datasets"][0]
    array = node[level["path"]]
    described = [axis if isinstance(axis, Mapping) else {"name": axis} for axis in image.get("axes", ())]
    letters = axes or _letters([str(axis["name"]) for axis in described]) or ("tczyx" if array.ndim == 5 else None)
    told = told_axes(letters, array.shape, str(path))
    scale = [1.0] * array.ndim
    for transformation in (*level.get("coordinateTransformations", ()), *image.get("coordinateTransformations", ())):
        if transformation.get("type") == "scale":
            scale = [size * float(factor) for size, factor in zip(scale, transformation["scale"], strict=True)]
    units = {str(axis["name"]): nanometres(axis.get("unit")) for axis in described}
    sizes = dict(zip(told, scale, strict=True))
    return Volume(array, told, voxel_size([sizes.get(a) for a in "zyx"], [units.get(a) for a in "zyx"]))


def _ome(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """OME's attributes: at the top up to version 0.4, under `ome` from 0.5."""
    return attributes.get("ome", attributes)


def _is_group(node: Any) -> bool:
    return hasattr(node, "members")


def _dimensions(array: Any) -> list[str]:
    """The names of its dimensions: of Zarr 3, or as xarray writes them in Zarr 2."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or []
    return [str(name) for name in names if name is not None]


def _letters(names: list[str]) -> str | None:
    """One letter for each name, `channel` → `c`; `None` where they are not different."""
    letters = "".join(name[:1].lower() for name in names)
    return (
        letters if letters and len(set(letters)) == len(letters) == len(names) and {"y", "x"} <= set(letters) else None
    )


def _resolution(array: Any) -> VoxelSize | None:
    """`resolution`, (z, y, x) in nanometres, as gunpowder writes it."""
    sizes = array.attrs.get("resolution", ())
    return voxel_size(sizes, [1.0] * 3) if len(sizes) == 3 else None
