"""The tissue in three dimensions: cells and the bodies in them (mitochondria and what resembles them)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unetdyn.data.synthetic_fields import SmoothField, smooth_field

# Kinds of cells and of bodies.
CLEAR, VESICULAR, DARK = range(3)
MITOCHONDRION, LYSOSOME, VACUOLE = range(3)

_FAR = np.float32(60)  # distance (pixels) at which a cell or a body no longer matters
_LARGE, _SMALL = 80, 26  # spacing of large and small cells, pixels
_LAYER = 40.0  # depth (pixels) of the layers that are filled with bodies one after the other
_ATTEMPTS = 26  # bodies tried in a layer of a cell
_OTHERS = (LYSOSOME, LYSOSOME, VACUOLE)
_TYPICAL = 45_000  # volume of a mitochondrion, cubic pixels
_CLIPPED = 2.0  # mitochondria lose this factor where their cell's membrane cuts them (measured)


@dataclass(frozen=True)
class Cells:
    """Sites of a Voronoi tessellation with additive weights (`radius`) and elongated metrics; they wander with z."""

    position: np.ndarray  # (cells, 2): y, x at rest
    amplitude: np.ndarray  # (cells, 2): how far a site wanders
    wavelength: np.ndarray  # (cells, 2): over which depth
    phase: np.ndarray  # (cells, 2)
    radius: np.ndarray  # (cells,)
    metric: np.ndarray  # (cells, 2, 2)
    kind: np.ndarray  # (cells,): CLEAR, VESICULAR or DARK
    large: np.ndarray  # (cells,): bool
    tone: np.ndarray  # (cells,): added to the grey level of the cytoplasm
    grain: np.ndarray  # (cells,): strength of its ribosomes and filaments
    threads: np.ndarray  # (cells,): 0 … 3, which way its filaments run

    def centres(self, z: float) -> np.ndarray:
        """The sites at depth `z`, shape `(cells, 2)`."""
        return self.position + self.amplitude * np.sin(2 * np.pi * z / self.wavelength + self.phase)


@dataclass(frozen=True)
class Body:
    """A rod with round ends: all points closer than `radius` to a segment of half length `reach` along `axis`."""

    kind: int
    host: int
    centre: np.ndarray  # (z, y, x); y and x from the centre of the host cell
    axis: np.ndarray  # unit vector (z, y, x)
    reach: float
    radius: float
    stripes: np.ndarray  # wave vector of the cristae (z, y, x), radians a pixel
    shade: float  # −1 … 1: from dark to light
    sign: float  # cristae lighter (1) or darker (−1) than the matrix
    onion: float  # 0: flat cristae … 1: cristae follow the outline

    @property
    def volume(self) -> float:
        """Volume in cubic pixels."""
        return np.pi * self.radius**2 * (2 * self.reach + 4 / 3 * self.radius)

    def near(self, z: float) -> bool:
        """Whether a section at depth `z` may cut the body."""
        return abs(self.centre[0] - z) < self.reach * abs(self.axis[0]) + self.radius + 8

    def touches(self, other: Body) -> bool:
        """Whether less than 4 pixels lie between the two bodies, at seven points along each."""
        apart = self.radius + other.radius + 4
        if np.linalg.norm(self.centre - other.centre) > apart + self.reach + other.reach:
            return False
        one, two = (body.centre + np.linspace(-1, 1, 7)[:, None] * body.reach * body.axis for body in (self, other))
        return bool(np.linalg.norm(one[:, None] - two[None], axis=-1).min() < apart)


@dataclass(frozen=True)
class Face:
    """What lies in one plane of the tissue; every array has shape `(size, size)`."""

    cell: np.ndarray  # index of the cell
    gap: np.ndarray  # distance to its membrane, pixels
    wedge: np.ndarray  # distance into the space between three cells, pixels; negative elsewhere
    body: np.ndarray  # index of the nearest body, −1 where none is near
    level: np.ndarray  # signed distance to that body's outline, negative inside
    stripes: np.ndarray  # phase of its cristae, radians


@dataclass(frozen=True)
class Tissue:
    """A block of tissue; what is cut at a depth does not depend on how deep the block is."""

    cells: Cells
    bodies: list[Body]
    bend: tuple[SmoothField, SmoothField]
    wiggle: tuple[SmoothField, SmoothField]
    patches: SmoothField

    def face(self, z: float, bodies: list[Body], drift: np.ndarray) -> Face:
        """What lies in the plane at depth `z`, seen shifted by `drift` (y, x) pixels."""
        size = self.patches.modes.shape[-1]
        grid = np.meshgrid(*[np.arange(size, dtype=np.float32)] * 2, indexing="ij")
        y, x = (
            axis + np.float32(shift) + 7 * bend.at(z) + 1.8 * wiggle.at(z)
            for axis, shift, bend, wiggle in zip(grid, drift, self.bend, self.wiggle, strict=True)
        )
        cell, gap, wedge = _tessellate(self.cells, z, y, x)
        body, level, stripes = _outline(bodies, self.cells.centres(z), z, y, x, cell, gap)
        return Face(cell, gap, wedge, body, level, stripes)


def grow(seed: int, size: int, depth: float, share: float, decoys: float) -> Tissue:
    """The tissue that belongs to a seed, down to `depth` pixels.

    Args:
        seed: Whole number ≥ 0.
        size: Height and width, pixels.
        depth: How far down bodies are placed, pixels.
        share: Share of the volume that mitochondria take.
        decoys: Probability that a place for another body is taken.
    """
    rng = np.random.default_rng([seed, 0])
    bend = (smooth_field(rng, size, 20, 160), smooth_field(rng, size, 20, 160))
    wiggle = (smooth_field(rng, size, 5.5, 60), smooth_field(rng, size, 5.5, 60))
    patches = smooth_field(rng, size, 11, 50)
    cells = _cells(np.random.default_rng([seed, 1]), size)
    hosts = np.flatnonzero(cells.large).tolist()
    bodies = [body for host in hosts for body in _settle(seed, host, cells, depth, share, decoys)]
    return Tissue(cells, bodies, bend, wiggle, patches)


def _settle(seed: int, host: int, cells: Cells, depth: float, share: float, decoys: float) -> list[Body]:
    """The bodies of one cell, layer by layer downwards: mitochondria until they fill their share, then the others.

    A layer is filled after the one above and from a generator of its own, so a deeper block changes nothing.
    """
    room = float(cells.radius[host]) + 13
    settled: list[Body] = []
    # The volume still to fill. Cells start out of step (golden ratio), so that sections hold about equal shares.
    wanted = -_TYPICAL * ((seed + host) * 0.618034 % 1)
    for layer in range(int(depth / _LAYER) + 5):
        rng = np.random.default_rng([seed, 3, host, layer])
        wanted += _CLIPPED * share * np.pi * room**2 * _LAYER
        for attempt in range(_ATTEMPTS):
            kind = MITOCHONDRION if attempt < _ATTEMPTS - 6 else int(rng.choice(_OTHERS))
            body = _body(rng, kind, host, room, (layer - 2) * _LAYER)
            taken = wanted > 0 if kind == MITOCHONDRION else rng.random() < decoys
            if taken and not any(body.touches(other) for other in settled):
                settled.append(body)
                wanted -= body.volume * (kind == MITOCHONDRION)
    return settled


def _body(rng: np.random.Generator, kind: int, host: int, room: float, top: float) -> Body:
    angle, away = rng.uniform(0, 2 * np.pi), 0.5 * room * np.sqrt(rng.random())
    centre = np.array([top + _LAYER * rng.random(), away * np.sin(angle), away * np.cos(angle)])
    axis = _unit(rng.normal(size=3) * [2.8, 1, 1])
    mitochondrion = kind == MITOCHONDRION
    radius = min(rng.uniform(10, 21), 0.45 * room) if mitochondrion else rng.uniform(4, 12)
    reach = rng.uniform(12, 50) if mitochondrion else rng.uniform(0, 9)
    reach = min(reach, max(room - radius, 0) / np.hypot(axis[1], axis[2]))
    normal = _unit(np.cross(axis, rng.normal(size=3)) + 0.3 * rng.normal(size=3)) * [0.25, 1, 1]
    return Body(
        kind, host, centre, axis, reach, radius,
        stripes=normal * 2 * np.pi / rng.uniform(4.2, 6.2),
        shade=rng.uniform(-1, 1),
        sign=rng.choice([-1.0, 1.0]),
        onion=rng.choice([0.0, 0.0, 0.0, 1.0]),
    )  # fmt: skip


def _cells(rng: np.random.Generator, size: int) -> Cells:
    large, small = _lattice(rng, size, _LARGE), _lattice(rng, size, _SMALL)
    reach = rng.uniform(20, 44, len(large))
    # Small cells start outside the large ones, else they would surface in the middle of them.
    outside = (np.linalg.norm(small[:, None] - large[None], axis=-1) > reach + 6).all(axis=1)
    small = small[outside]
    position = np.concatenate([large, small])
    count, is_large = len(position), np.arange(len(position)) < len(large)
    radius = np.concatenate([reach, rng.uniform(0, 8, len(small))])
    angle, stretch = rng.uniform(0, np.pi, count), np.exp(rng.uniform(0, 0.35, count))
    across, along = np.array([-np.sin(angle), np.cos(angle)]), np.array([np.cos(angle), np.sin(angle)])
    metric = np.einsum("ik,jk,k->kij", across, across, stretch) + np.einsum("ik,jk,k->kij", along, along, 1 / stretch)
    kind = np.where(
        is_large,
        rng.choice([CLEAR, VESICULAR, DARK], count, p=[0.6, 0.33, 0.07]),
        rng.choice([CLEAR, VESICULAR, DARK], count, p=[0.72, 0.16, 0.12]),
    )
    shape = (count, 2)
    return Cells(
        position=position,
        amplitude=np.where(is_large, 6, 7)[:, None] * rng.uniform(0.5, 1, shape),
        wavelength=np.where(is_large, 200, 100)[:, None] * rng.uniform(0.7, 1.4, shape),
        phase=rng.uniform(0, 2 * np.pi, shape),
        radius=radius, metric=metric, kind=kind, large=is_large,
        tone=rng.normal(0, 10, count), grain=rng.uniform(0.5, 1.1, count), threads=rng.integers(0, 4, count),
    )  # fmt: skip


def _lattice(rng: np.random.Generator, size: int, spacing: int) -> np.ndarray:
    """A jittered lattice of points, shape `(points, 2)`, that reaches one and a half spacings over the border."""
    ticks = np.arange(-1.5 * spacing, size + 1.5 * spacing, spacing)
    points = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), -1).reshape(-1, 2)
    return points + rng.uniform(-0.45, 0.45, points.shape) * spacing


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _smooth_maximum(one: np.ndarray, two: np.ndarray, radius: float) -> np.ndarray:
    """The larger of two levels, with corners rounded off."""
    blend = np.clip(0.5 + 0.5 * (one - two) / radius, 0, 1)
    return two + (one - two) * blend + radius * blend * (1 - blend)


def _window(y: float, x: float, half: float, size: int) -> tuple[slice, slice]:
    """The part of the image within `half` pixels of a point, and as far again as the warp may carry it."""
    half += 30
    bounds = [(int(max(c - half, 0)), int(min(max(c + half, 0), size))) for c in (y, x)]
    return slice(*bounds[0]), slice(*bounds[1])


def _tessellate(cells: Cells, z: float, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest cell, the distance to its membrane, and the depth into a wedge between three cells."""
    from scipy.ndimage import gaussian_filter

    first, second, third = (np.full(y.shape, _FAR + extra, np.float32) for extra in (0, 1, 2))
    cell = np.zeros(y.shape, np.int32)
    for index, (cy, cx) in enumerate(cells.centres(z).astype(np.float32)):
        window = _window(cy, cx, 1.25 * (45 + cells.radius[index]), len(y))
        dy, dx = y[window] - cy, x[window] - cx
        (a, b), (_, c) = cells.metric[index].astype(np.float32)
        distance = np.sqrt(a * dy * dy + 2 * b * dy * dx + c * dx * dx) - np.float32(cells.radius[index])
        f1, f2, f3 = first[window], second[window], third[window]
        cell[window] = np.where(distance < f1, index, cell[window])
        np.minimum(f3, np.maximum(f2, distance), out=f3)
        np.minimum(f2, np.maximum(f1, distance), out=f2)
        np.minimum(f1, distance, out=f1)
    difference = second - first
    slope = gaussian_filter(np.hypot(*np.gradient(difference)), 1.5)
    return cell, difference / np.clip(slope, 1, 3), 4.5 - (third - first)


def _outline(
    bodies: list[Body], centres: np.ndarray, z: float, y: np.ndarray, x: np.ndarray, cell: np.ndarray, gap: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The nearest body, the signed distance to its outline, and the phase of its cristae."""
    body, level = np.full(y.shape, -1, np.int32), np.full(y.shape, _FAR, np.float32)
    stripes = np.zeros(y.shape, np.float32)
    for index, each in enumerate(bodies):
        cy, cx = centres[each.host] + each.centre[1:]
        window = _window(cy, cx, each.reach + each.radius + 8, len(y))
        offset = (z - each.centre[0], y[window] - np.float32(cy), x[window] - np.float32(cx))
        along = np.clip(sum(o * a for o, a in zip(offset, each.axis, strict=True)), -each.reach, each.reach)
        squares = ((o - along * a) ** 2 for o, a in zip(offset, each.axis, strict=True))
        outline = np.sqrt(sum(squares)) - each.radius
        # A body stays inside its cell, clear of the membrane.
        inside = np.where(cell[window] == each.host, gap[window], -gap[window])
        outline = _smooth_maximum(outline, 4 - inside, 6)
        nearer = outline < level[window]
        phase = sum(o * w for o, w in zip(offset, each.stripes, strict=True))
        phase = (1 - each.onion) * phase + each.onion * outline * np.linalg.norm(each.stripes)
        body[window] = np.where(nearer, index, body[window])
        level[window] = np.where(nearer, outline, level[window])
        stripes[window] = np.where(nearer, phase, stripes[window])
    return body, level, stripes
