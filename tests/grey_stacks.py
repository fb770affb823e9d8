"""Stacks of a few grey values, whose sections are told by them, and names that belong to three patients."""

import numpy as np

from unetdyn.data import Stack

PATIENTS = [f"p{patient}_s{section}" for patient in (1, 2, 3) for section in range(4)]
GROUPS = [  # one and the same, in each form
    r"^(p\d)_",
    {name: name[:2] for name in PATIENTS},
    [name[:2] for name in PATIENTS],
    np.repeat(["p1", "p2", "p3"], 4),
]


def grey(sections, size=1, names=None):
    """Sections of one grey value each: section `i` is `i`."""
    images = np.broadcast_to(np.arange(sections, dtype="uint16")[:, None, None, None], (sections, size, size, 1))
    names = names or [f"s{index}" for index in range(sections)]
    return Stack(images.copy(), np.zeros(images.shape, "uint8"), tuple(names))


def noise(names, size=4):
    """Sections of noise, which all differ."""
    images = np.random.default_rng(0).integers(0, 255, (len(names), size, size, 1), dtype="uint8")
    return Stack(images, np.zeros_like(images), tuple(names))
