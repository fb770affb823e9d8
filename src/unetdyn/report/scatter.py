"""σ of the loss as a headline says it: never a word of praise for a training whose metric fell to nothing."""

from unetdyn.analysis import Curves, Stability
from unetdyn.analysis.diagnosis import Evidence
from unetdyn.analysis.diagnosis.symptoms import swings


def scatter_in_words(found: Stability, fallen: int = 0) -> str:
    """σ with its class and that of σ over the mean.

    Args:
        found: The stability of the loss.
        fallen: In how many epochs the metric had fallen, as `epochs_fallen` counts; from one on no class is named,
            because a loss can be calm while the metric is gone.

    >>> from unetdyn.analysis import stability
    >>> found = stability([0.010, 0.016] * 5)
    >>> scatter_in_words(found)
    'σ = 0.00316, Excellent; 24.3 % of the mean: Poor'
    >>> scatter_in_words(found, fallen=12)
    'σ = 0.00316, 24.3 % of the mean; but the metric fell in 12 epochs'
    """
    if not found.determined:
        return f"σ not defined: {len(found.values)} of the {found.window} values that it needs"
    if not found.finite:
        return f"σ not finite, {found.label}"
    sigma = f"σ = {found.sigma:.3g}"
    if not fallen:
        return f"{sigma}, {found.classes}"
    variation = found.coefficient_of_variation
    share = f", {100 * variation:.1f} % of the mean" if found.relative_label else ""
    return f"{sigma}{share}; but the metric fell in {fallen} epochs"


def epochs_fallen(curves: Curves, metric: str | None) -> int:
    """In how many epochs the metric lay below half of what it had reached; 0 where that was once, or seldom.

    >>> up, down = [0.1, 0.5, 0.8], [0.0, 0.0, 0.0, 0.0, 0.7]
    >>> from unetdyn.analysis import read_history
    >>> [epochs_fallen(read_history({"val_jaccard": values}), "jaccard") for values in (up + up, up + down)]
    [0, 4]
    """
    if metric is None:
        return 0
    falls = [found for found in swings.find(Evidence(curves, metric)) if found.code == swings.FALLS.code]
    return sum(last - first + 1 for found in falls if found.level == "ill" for first, last in found.epochs)
