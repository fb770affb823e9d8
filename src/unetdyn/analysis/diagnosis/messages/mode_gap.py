"""What `TrainInferenceGapMonitor` tells: the moving statistics lag behind the weights."""

from unetdyn.analysis.diagnosis.causes.statistics_lag import LOST, TIMES
from unetdyn.analysis.diagnosis.finding import Finding

LAG = "statistics.lag"
WARMUP = 30  # steps after which statistics of momentum 0.9 have forgotten 95 % of their initial values
ADVICE = "momentum 0.9 for the batch norms, or group norm, which keeps no statistics."
ADVICE_FAST = (
    "a lower learning rate, at which the weights move less in a step, or group norm, which keeps no statistics."
)

_FAST = 0.9


def statistics_lag(
    losses: tuple[float, float],
    jaccards: tuple[float, float],
    layer: str,
    distance: float,
    momentum: float,
    steps: int | None,
) -> Finding:
    """The model answers worse in inference than in training, on the same images.

    Args:
        losses: In training mode and in inference mode.
        jaccards: The same.
        layer: Whose moving mean is farthest from the batch's.
        distance: How far, in standard deviations.
        momentum: Of that layer.
        steps: Of an epoch; None where that is unknown.
    """
    each = f" at {steps} steps an epoch" if steps else ""
    seen = (
        f"The moving statistics lag: on the same images the loss is {losses[1]:.3g} in inference and {losses[0]:.3g} "
        f"in training mode, the Jaccard {jaccards[1]:.3g} and {jaccards[0]:.3g}. The moving mean of {layer} is "
        f"{distance:.2g} standard deviations off its batches; its momentum is {momentum:g}{each}."
    )
    threshold = f"inference loss above {TIMES:g} times the training mode's, and Jaccard {LOST:g} lower"
    advice = ADVICE if momentum > _FAST else ADVICE_FAST
    return Finding(LAG, "watch", "moving statistics", seen, threshold=threshold, source="rule of thumb", advice=advice)
