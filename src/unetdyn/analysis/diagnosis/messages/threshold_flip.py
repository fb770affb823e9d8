"""What `ThresholdFlipMonitor` tells: the Jaccard jumps because pixels crowd around the threshold."""

from unetdyn.analysis.diagnosis.finding import Finding

FLIPS = "threshold.flips"
CHANGE = 0.1
NEAR = 0.2
PROGRESS = 0.5  # share of the change that the best-threshold Jaccard makes too: then the network itself has changed
ADVICE = (
    "judge by the soft or the best-threshold Jaccard, which do not jump; choose the threshold on validation data; a "
    "smaller γ of a focal loss, or weights averaged over epochs, move probabilities away from ½."
)


def jumps(change: float, near: float, best_change: float) -> bool:
    """Whether the Jaccard moved because of its threshold: much, near it, and more than the best-threshold Jaccard did.

    >>> jumps(-0.3, 0.4, -0.05), jumps(-0.3, 0.4, -0.25), jumps(-0.3, 0.1, -0.05)
    (True, False, False)
    """
    calm = abs(best_change) < PROGRESS * abs(change)
    return abs(change) > CHANGE and near > NEAR and calm


def threshold_flips(before: float, after: float, near: float, boundary: float, inside: float, calm: str) -> Finding:
    """The Jaccard moved while many probabilities are near the threshold.

    Args:
        before: The Jaccard of the epoch before.
        after: This epoch's.
        near: Share of pixels near the threshold.
        boundary: How much of the change flips at boundaries explain.
        inside: How much all other flips explain.
        calm: The best-threshold Jaccard of both epochs, in words.
    """
    seen = (
        f"The Jaccard of the probe images went from {before:.3f} to {after:.3f} while {near:.0%} of the pixels were "
        f"within 0.05 of the threshold: flips at boundaries explain {boundary:+.3f} of it, those elsewhere "
        f"{inside:+.3f}. {calm}"
    )
    threshold = (
        f"a change above {CHANGE:g} with more than {NEAR:.0%} of the pixels near the threshold, and less than "
        f"{PROGRESS:.0%} of it at the best threshold"
    )
    return Finding(FLIPS, "watch", "threshold flips", seen, threshold=threshold, source="rule of thumb", advice=ADVICE)
