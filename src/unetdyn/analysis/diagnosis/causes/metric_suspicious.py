"""A metric that can't be what its name says: it stands still while the loss moves, or is no thresholded Jaccard."""

from collections.abc import Iterator

import numpy as np

from unetdyn.analysis.diagnosis.evidence import Evidence
from unetdyn.analysis.diagnosis.finding import Finding
from unetdyn.analysis.diagnosis.limit import RULE_OF_THUMB, STUDIES, Limit, Need
from unetdyn.analysis.metric_names import readable

# Median difference from the thresholded Jaccard of the probe set: where the soft one is far nearer, and anyway.
APART, FAR = 0.05, 0.2
FELL = 0.5  # part of itself by which the loss fell while the metric stood still
LEAST = 5  # epochs

STANDS = Limit(
    "metric.constant",
    "the metric",
    watch=f"is the same in every epoch, while the training loss fell by {FELL:.0%}",
    source=RULE_OF_THUMB,
    advice="compute it by hand for one image: a threshold that no output crosses, a wrong channel.",
    expected="it moves as the loss does.",
    refuted="computed by hand for one image, it has that value in every epoch.",
    explains=("metric.",),
    alone=True,
)
SOFT = Limit(
    "metric.suspicious",
    "the Jaccard",
    watch=f"differs by {APART:g} from the thresholded Jaccard of the same outputs and is nearer to the soft one, or by "
    f"{FAR:g}",
    source=f"{RULE_OF_THUMB}; the broken Jaccard of {STUDIES} was the soft one",
    advice="`ThresholdedJaccard(name='jaccard')`, which counts whole pixels.",
    expected="the metric says what share of the object is found.",
    normal="where it is named a soft one: a focal loss keeps probabilities near ½, and 0.30 beside 0.87 is usual for "
    "γ = 2.",
    explains=("metric.",),
    alone=True,
)
LIMITS = (STANDS, SOFT)
NEEDS = (Need(("jaccard", "soft_jaccard"), "ThresholdFlipMonitor"),)


def find(evidence: Evidence) -> Iterator[Finding]:
    """What speaks against the metric itself."""
    if evidence.watched_metric is None:
        return
    logged, curve = evidence.watched_metric
    loss = evidence.values("loss")
    loss = loss[np.isfinite(loss)]
    still = len(curve.values) >= LEAST and (curve.values == curve.values[0]).all() and 0 < curve.values[0] < 1
    if still and len(loss) >= LEAST and loss.min() < (1 - FELL) * loss[0]:
        text = f"{readable(logged)} {curve.values[0]:.3g} in each of {len(curve.values)} epochs"
        yield STANDS.finding(
            "watch", "metric", text, f"its {readable(logged)} never moves", confidence="high", curves=[logged]
        )
    probe = evidence.recorded("jaccard", "soft_jaccard", "epoch")
    named = str(evidence.metric).lower()
    if probe is None or "soft" in named or not ("jaccard" in named or "jacard" in named or "iou" in named):
        return
    _, at, probe_at = np.intersect1d(curve.epochs, probe[2].astype(int), return_indices=True)
    known = np.isfinite(curve.values[at]) & np.isfinite(probe[0][probe_at]) & np.isfinite(probe[1][probe_at])
    if known.sum() < LEAST:
        return
    logged_values, thresholded, soft = curve.values[at][known], probe[0][probe_at][known], probe[1][probe_at][known]
    apart, nearer = np.median(np.abs(logged_values - thresholded)), np.median(np.abs(logged_values - soft))
    shift = abs(float(np.median(logged_values - thresholded)))
    if (apart > APART and nearer < apart / 3) or shift > FAR:
        text = (
            f"{readable(logged)} is {apart:.2f} from the thresholded Jaccard of the probe set, {nearer:.2f} from the "
            "soft one"
        )
        why = f"its {readable(logged)} is no thresholded one"
        yield SOFT.finding("watch", "metric", text, why, confidence="high", curves=[logged])
