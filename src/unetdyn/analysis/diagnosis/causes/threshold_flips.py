"""Threshold flips: the metric jumps while the loss is calm, because probabilities crowd around the threshold."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding, spans
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, STUDIES, Limit, Need

NEAR = 0.2  # share of the outputs within ±0.05 of the threshold
BETTER = 0.15  # by which the best threshold's Jaccard is above that of 0.5, in the median of the epochs

LIMIT = Limit(
    "threshold.flips",
    "outputs",
    ill=f"lie within ±0.05 of the threshold to {NEAR:.0%} and the best threshold's metric is calmer, or another "
    f"threshold is better by {BETTER:g}, and the metric is not calm",
    source=f"{RULE_OF_THUMB}; the root cause of spikes that {STUDIES} name",
    advice="choose the threshold on the validation set (`analysis.threshold_curve`), and let the learning rate decay.",
    expected="the Jaccard at the best threshold is calm where that at 0.5 jumps.",
    refuted="the Jaccard at the best threshold jumps as far.",
    explains=("metric.jumps", "metric.falls", "metric.end", "metric.low", "metric.nothing"),
)
LIMITS = (LIMIT,)
NEEDS = (Need(("near", "jaccard", "best_jaccard", "epoch"), "ThresholdFlipMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """One finding, where outputs crowd or the threshold is wrong."""
    found = evidence.recorded("near", "jaccard", "best_jaccard", "epoch")
    if found is None:
        return
    known = np.isfinite(found[:3]).all(axis=0)
    if not known.any():
        return
    near, jaccard, best, epochs = (array[known] for array in found)
    crowd, better = near > NEAR, best - jaccard > BETTER
    calm = len(best) > 4 and np.std(np.diff(best)) < 0.5 * np.std(np.diff(jaccard))
    if np.median(best - jaccard) > BETTER or (np.mean(crowd) > 0.5 and calm):
        text = (
            f"{np.median(near):.0%} of the outputs lie within ±0.05 of the threshold; Jaccard "
            f"{np.median(jaccard):.2f} there and {np.median(best):.2f} at the best threshold (medians)"
        )
        why = "its outputs crowd around the threshold"
        where = spans(epochs[crowd | better].astype(int).tolist())
        yield LIMIT.finding("ill", "threshold", text, why, confidence="medium" if calm else "low", epochs=where)
