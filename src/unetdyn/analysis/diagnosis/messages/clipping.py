"""What the controls tell that clip: how much they clipped, which is no trouble."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from unetdyn.analysis.diagnosis.finding import Finding

AUTO_CLIP, AVERAGE, UNITS = "auto_clip.clipped", "running_average_clip.clipped", "agc.clipped"

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
    seen = f"AutoClip: {_clipped(limits, coefficients, f'percentile {percentile:g} of the latest {history}')}"
    return Finding(AUTO_CLIP, "unknown", _NAME, seen)


def gradients_clipped_to_average(
    limits: NDArray[np.floating], coefficients: NDArray[np.floating], alpha: float
) -> Finding:
    """Steps that `RunningAverageClipping` clipped in an epoch, one at least.

    Args:
        limits: `(steps,)`, the norms to which it clipped.
        coefficients: `(steps,)`, what the gradients were multiplied by; 1 where nothing was clipped.
        alpha: How many times the running average the limit is.
    """
    seen = f"RunningAverageClipping: {_clipped(limits, coefficients, f'{alpha:g} × the running average')}"
    return Finding(AVERAGE, "unknown", _NAME, seen)


def _clipped(limits: NDArray[np.floating], coefficients: NDArray[np.floating], limit: str) -> str:
    clipped = coefficients < 1
    return (
        f"{clipped.sum()} of {len(clipped)} steps clipped, to norms from {limits[clipped].min():.3g} to "
        f"{limits[clipped].max():.3g} ({limit}); the strongest by a factor of {coefficients.min():.3g}."
    )


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
