"""The microscope: a section's thickness seen in projection, blur, uneven light, shot noise, 8 bits."""

from __future__ import annotations

import numpy as np


def sheet(top: np.ndarray, bottom: np.ndarray, width: float) -> np.ndarray:
    """Darkness of a thin sheet seen through the section: the mean of `exp(−d² / 2 width²)` over its thickness.

    The signed distance `d` to the sheet runs linearly from `top` to `bottom`, so the mean is a difference of error
    functions. A sheet that stands upright in the section gives a sharp dark line, an oblique one a broad faint band.

    Args:
        top: Signed distance at the upper face of the section, in pixels.
        bottom: Signed distance at the lower face, same shape.
        width: Standard deviation of the sheet's profile, in pixels.

    Returns:
        Array in [0, 1].
    """
    from scipy.special import erf

    middle, half = (top + bottom) / 2, np.maximum(np.abs(bottom - top) / 2, 0.05)
    scale = np.sqrt(2) * width
    area = np.sqrt(np.pi) / 2 * scale * (erf((middle + half) / scale) - erf((middle - half) / scale))
    return area / (2 * half)


def cover(top: np.ndarray, bottom: np.ndarray, softness: float = 0.7) -> np.ndarray:
    """Share of the section's thickness inside a body whose level runs from `top` to `bottom` (negative is inside)."""
    half = np.maximum(np.abs(bottom - top) / 2, softness)
    return np.clip(0.5 - (top + bottom) / (4 * half), 0, 1)


def expose(tissue: np.ndarray, rng: np.random.Generator, blur: float, noise: float, uneven_light: float) -> np.ndarray:
    """The micrograph of one section: blurred, unevenly lit, with shot noise, rounded to 8 bits.

    `image = gain · light · (blurred − 128) + 128 + offset + noise · sqrt(blurred / 128) · ε`, where the light is a
    gradient in a random direction with a vignette, and gain and offset differ between sections.

    Args:
        tissue: Grey levels 0 to 255 of shape `(size, size)`.
        rng: Source of this section's light and noise.
        blur: Standard deviation of the point spread function, in pixels.
        noise: Standard deviation of the noise at grey level 128, in grey levels.
        uneven_light: Brightness difference between opposite borders, as a share of the full range.

    Returns:
        `uint8` array of shape `(size, size)`.
    """
    from scipy.ndimage import gaussian_filter

    blurred = np.clip(gaussian_filter(tissue, blur, mode="nearest"), 0, 255)
    gain = 1 + 0.4 * uneven_light * rng.uniform(-1, 1)
    offset = 80 * uneven_light * rng.uniform(-1, 1)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.meshgrid(*[np.linspace(-1, 1, side) for side in tissue.shape], indexing="ij")
    ramp = 127.5 * uneven_light * (np.sin(angle) * y + np.cos(angle) * x)
    vignette = -40 * uneven_light * (y**2 + x**2)
    # Electrons are counted: the variance grows with the number that arrive. The detector spreads each over neighbours.
    grains = gaussian_filter(rng.standard_normal(tissue.shape), 0.45)
    grains *= noise * np.sqrt(blurred / 128) / grains.std()
    image = gain * (blurred - 128) + 128 + offset + ramp + vignette + grains
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)
