"""JPEG changes values by a few: masks in which that goes unnoticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from unetdyn.data.refused import ambiguous


def refuse_smeared_indices(mask: np.ndarray, path: Path) -> None:
    """Refuse class indices that went through JPEG: others come back, which nobody can tell from true ones.

    A black and white mask has become grey at its edges, which shows, and a threshold mends.

    Args:
        mask: Array of shape `(height, width, channels)`, decoded.
        path: The file, for messages.

    Raises:
        RefusedFile: Where it holds more than two values, all of them in the lower half of the 8-bit range.

    Example:
        >>> refuse_smeared_indices(np.array([[[0], [120], [255]]], "uint8"), Path("a.jpg"))
    """
    if mask.max() < 128 and len(np.unique(mask)) > 2:
        raise ambiguous(
            path,
            f"a mask with {len(np.unique(mask))} values from {mask.min()} to {mask.max()} in a JPEG, which changes "
            "values by a few: class indices don't survive that",
            "Make it anew and save it as PNG or TIFF.",
        )
