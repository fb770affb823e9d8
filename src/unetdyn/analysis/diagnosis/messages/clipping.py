"""What `AutoClip` and `AdaptiveGradientClipping` tell: how much they clipped, which is no trouble."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.finding import Finding

AUTO_CLIP, UNITS = "auto_clip.clipped", "agc.clipped"

_NAME = "clipping"


def gradients_clipped(
    limits: NDArray[np.floating], coefficients: NDArray[np.floating], percentile: float, history: int
) -> Finding:
    """Steps that `AutoClip` clipped in an epoch, one at least.

    Args:
        limits: `(steps,)`, the norms to which it clipped.
        coefficients: `(steps,)`, what the gradients were multiplied by; 1 where nothing was clipped.
        percentile: Which percentile of the latest norms the limit is.
        history: Of how many norms.
    """
    clipped = coefficients < 1
    seen = (
        f"AutoClip: {clipped.sum()} of {len(clipped)} steps clipped, to norms from {limits[clipped].min():.3g} to "
        f"{limits[clipped].max():.3g} (percentile {percentile:g} of the latest {history}); the strongest by a "
        f"factor of {coefficients.min():.3g}."
    )
    return Finding(AUTO_CLIP, "unknown", _NAME, seen)


def units_clipped(fraction: NDArray[np.floating], by_block: Mapping[str, NDArray[np.floating]]) -> Finding:
    """Units that `AdaptiveGradientClipping` clipped in an epoch, one at least.

    Args:
        fraction: `(steps,)`, the share of all units that were clipped.
        by_block: Block → the same of its own units.
    """
    most = max(by_block, key=lambda name: by_block[name].mean())
    seen = (
        f"AdaptiveGradientClipping: {fraction.mean():.1%} of the units clipped, in {(fraction > 0).sum()} of "
        f"{len(fraction)} steps; most in block {most}, {by_block[most].mean():.1%}."
    )
    return Finding(UNITS, "unknown", _NAME, seen)
