"""From structures to grey levels: membranes, cytoplasm with vesicles and filaments, mitochondria with cristae."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from unetdyn.data.synthetic_fields import smooth_noise
from unetdyn.data.synthetic_optics import cover, sheet
from unetdyn.data.synthetic_structures import (
    CLEAR,
    DARK,
    LYSOSOME,
    MITOCHONDRION,
    VACUOLE,
    VESICULAR,
    Body,
    Face,
    Tissue,
)

# Grey levels as seen in stained nervous tissue (0 black, 255 white).
_CYTOPLASM = {CLEAR: 178.0, VESICULAR: 160.0, DARK: 118.0}
_MATRIX = {MITOCHONDRION: 94.0, LYSOSOME: 88.0, VACUOLE: 186.0}


def paint(
    tissue: Tissue, z: float, top: Face, bottom: Face, bodies: list[Body], rng: np.random.Generator
) -> np.ndarray:
    """Grey levels (about 0 to 255) of the section between two faces, before the microscope; shape `(size, size)`.

    Args:
        tissue: Where the section comes from.
        z: Depth of its middle, pixels.
        top: Its upper face.
        bottom: Its lower face.
        bodies: The bodies that the faces point to.
        rng: Source of what is finer than a section is thick, and so differs in the next one.
    """
    patches = tissue.patches.at(z)
    grey = _cytoplasm(tissue, top, bottom, patches, rng)
    grey = _organelles(grey, top, bottom, bodies, rng)
    same = np.where(top.cell == bottom.cell, 1, -1)
    other = same * bottom.gap
    lines = sheet(top.gap - 0.7, other - 0.7, 0.65) + sheet(top.gap + 0.7, other + 0.7, 0.65)
    dense = 1 + 0.35 * np.clip(patches - 0.8, 0, 1.2)  # synapses: stretches of membrane with dark material
    wedge = cover(-top.wedge, -bottom.wedge) * (patches < 0.9)
    grey = grey + 0.85 * wedge * (78 + 14 * smooth_noise(rng, len(grey), 1.0) - grey)
    return grey - np.clip(lines * dense, 0, 1.25) * (grey - 32) * 0.86


def _cytoplasm(tissue: Tissue, top: Face, bottom: Face, patches: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    cells, size = tissue.cells, len(patches)
    base = np.array([_CYTOPLASM[kind] for kind in cells.kind]) + cells.tone
    grey, grain = (base[top.cell] + base[bottom.cell]) / 2, cells.grain[top.cell]
    # Filaments and ribosomes only darken: the negative tail of band-passed noise.
    specks = np.clip(_band(rng, size, 0.9) - 1.0 + 0.25 * patches, 0, 1.3)
    ways = [_band(rng, size, sigma) for sigma in ((0.7, 2.5), (2.5, 0.7), 1.0, 1.3)]
    threads = np.choose(cells.threads[top.cell], ways)
    grey = grey - 68 * grain * (specks + np.clip(threads - 1.4, 0, 1.2))
    grey = grey - 12 * np.clip(patches, -1, 2) + 7 * smooth_noise(rng, size, 2.5)
    room = np.minimum(np.minimum(top.gap, bottom.gap), np.minimum(top.level, bottom.level)) > 3.5
    crowd = np.where(cells.kind[top.cell] == VESICULAR, 0.022, 0.003) * np.clip(1 + 0.8 * patches, 0.1, 3)
    grey = grey + _vesicles(rng, room & (rng.random(grey.shape) < crowd))
    cores = room & (rng.random(grey.shape) < 0.0004 * np.clip(1 + patches, 0, 3))
    return grey - _stamp(cores, lambda r: 85 / (1 + np.exp((r - 2.4) / 0.5)))


def _vesicles(rng: np.random.Generator, seeds: np.ndarray) -> np.ndarray:
    """Rings with a light lumen, in three sizes."""
    size = rng.integers(0, 3, seeds.shape)
    rings = [_stamp(seeds & (size == k), partial(_ring, radius)) for k, radius in enumerate((1.9, 2.4, 3.1))]
    return np.clip(sum(rings), -75, 25)


def _ring(radius: float, r: np.ndarray) -> np.ndarray:
    return 14 * np.exp(-(r**2) / 2) - 58 * np.exp(-(((r - radius) / 0.65) ** 2) / 2)


def _stamp(seeds: np.ndarray, profile: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The round `profile` (a function of the radius in pixels) set at every seed."""
    from scipy.signal import fftconvolve

    y, x = np.mgrid[-6:7, -6:7]
    return fftconvolve(seeds.astype(np.float32), profile(np.hypot(y, x)).astype(np.float32), mode="same")


def _band(rng: np.random.Generator, size: int, sigma: float | tuple[float, float]) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    noise = smooth_noise(rng, size, sigma)
    band = noise - gaussian_filter(noise, 3 * np.asarray(sigma), mode="wrap")
    return band / band.std()


def _organelles(grey: np.ndarray, top: Face, bottom: Face, bodies: list[Body], rng: np.random.Generator) -> np.ndarray:
    if not bodies:
        return grey
    index = np.where(top.level < bottom.level, top.body, bottom.body)
    kind = np.array([body.kind for body in bodies])[index]
    shade = np.array([body.shade for body in bodies])[index]
    sign = np.array([body.sign for body in bodies])[index]
    size = len(grey)
    matrix = np.choose(kind, [_MATRIX[k] for k in sorted(_MATRIX)]) + np.choose(kind, [22, 26, 10]) * shade
    fine, lumps = smooth_noise(rng, size, 0.9), smooth_noise(rng, size, 2.2)
    cristae = sign * _cristae(top, bottom, rng)
    inner = matrix + np.choose(kind, [29 * cristae + 8 * fine + 5 * lumps, 10 * fine + 11 * lumps, 4 * fine])
    near = (top.level + bottom.level) / 2 < 6
    grey = np.where(near, grey + cover(top.level, bottom.level) * (inner - grey), grey)
    outer = sheet(top.level + 0.8, bottom.level + 0.8, 0.9)
    gap = sheet(top.level + 2.6, bottom.level + 2.6, 0.8) * (kind == MITOCHONDRION)
    inside = sheet(top.level + 4.2, bottom.level + 4.2, 0.8) * (kind == MITOCHONDRION)
    strength = np.choose(kind, [62, 30, 85])
    return np.where(near, grey - strength * outer + 16 * gap - 26 * inside, grey)


def _cristae(top: Face, bottom: Face, rng: np.random.Generator) -> np.ndarray:
    """Wavy, interrupted lamellae: the mean of `cos(phase)` over the section's thickness, so oblique ones fade."""
    size = len(top.gap)
    bend = 1.1 * smooth_noise(rng, size, 5) + 0.45 * smooth_noise(rng, size, 1.8)
    middle, spread = (top.stripes + bottom.stripes) / 2, (bottom.stripes - top.stripes) / 2
    wave = np.cos(middle + bend) * np.sinc(np.clip(spread, -np.pi, np.pi) / np.pi * 0.7)
    broken = np.clip(0.75 + 0.5 * smooth_noise(rng, size, 3), 0, 1.2)
    return (np.clip(wave, -0.5, 1) - 0.1) * 1.3 * broken
