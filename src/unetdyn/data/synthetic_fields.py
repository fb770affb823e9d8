"""Smooth random fields that move on continuously from section to section."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SmoothField:
    """A smooth random function of y, x and the depth z: `f(z) = Σ_m mode_m · cos(2π z / wavelength_m + phase_m)`.

    A sum of waves in z is defined at every depth, so that a section does not depend on how many others are drawn.

    Args:
        modes: Smoothed white noise of shape `(modes, size, size)`, scaled so that `f` has standard deviation 1.
        wavelengths: Wavelength of each mode along z, in pixels.
        phases: Phase of each mode, in radians.
    """

    modes: np.ndarray
    wavelengths: np.ndarray
    phases: np.ndarray

    def at(self, z: float) -> np.ndarray:
        """The field at depth `z` (pixels), shape `(size, size)`, `float32`."""
        waves = np.cos(2 * np.pi * z / self.wavelengths + self.phases).astype(np.float32)
        return np.tensordot(waves, self.modes, 1)


def smooth_field(rng: np.random.Generator, size: int, sigma: float, depth: float, modes: int = 4) -> SmoothField:
    """A field with features about `sigma` pixels wide that changes over about `depth` pixels in z."""
    noise = np.stack([smooth_noise(rng, size, sigma) for _ in range(modes)])
    scale = np.float32(np.sqrt(2 / modes))
    wavelengths = depth * rng.uniform(0.7, 1.6, modes)
    return SmoothField(noise * scale, wavelengths, rng.uniform(0, 2 * np.pi, modes))


def smooth_noise(rng: np.random.Generator, size: int, sigma: float | tuple[float, float]) -> np.ndarray:
    """White noise through a Gaussian of `sigma` pixels, scaled to mean 0 and standard deviation 1."""
    from scipy.ndimage import gaussian_filter

    noise = gaussian_filter(rng.standard_normal((size, size), dtype=np.float32), sigma, mode="wrap")
    return (noise - noise.mean()) / noise.std()
